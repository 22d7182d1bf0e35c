"""The controllers of an environment, connected with the controller's own credential."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from rancherctl import __version__
from rancherctl.agents.clock import boottime
from rancherctl.agents.config import AgentConfig
from rancherctl.agents.controller_process import Cluster, ControllerProcess
from rancherctl.agents.controllers.base import Controller
from rancherctl.agents.controllers.certificate_requests import CertificateRequestController
from rancherctl.agents.controllers.dns_problems import DnsProblemController
from rancherctl.agents.controllers.host_objects import HostObjectsController
from rancherctl.agents.controllers.ingress_inputs import IngressInputs
from rancherctl.agents.controllers.ingress_statuses import IngressStatusController
from rancherctl.agents.controllers.network_policies import NetworkPolicyController
from rancherctl.agents.controllers.pod_paths import PodPathsController
from rancherctl.agents.controllers.roster import RosterController
from rancherctl.agents.controllers.secret_copies import SecretCopiesController
from rancherctl.agents.controllers.service_statuses import ServiceStatusController
from rancherctl.agents.controllers.vantage import VantageController
from rancherctl.agents.fence import Fenced
from rancherctl.agents.leader import Leader
from rancherctl.agents.liveness import Liveness
from rancherctl.agents.named_secrets import NamedSecrets
from rancherctl.agents.roster_store import RosterStore
from rancherctl.contract import LEFT_OUT_KEY, MOVING_KEY, SERVICES_KEY
from rancherctl.kube.reflector import Source
from rancherctl.kube.rest import RestClient
from rancherctl.services.translate import ServicePolicy, policy_to_json


def environment_controllers(
    config: AgentConfig,
    client: Fenced,
    leader: Leader,
    named: NamedSecrets | None = None,
    source: Source | None = None,
    clock: Callable[[], float] = boottime,
) -> list[Controller]:
    """The controllers of the environment; the roster first, because a dead host matters most.

    ``named`` reads secrets by name; ``source`` is what a vantage point of a federation watches; ``clock`` is in
    seconds.
    """
    requests = CertificateRequestController(client, leader, config.service_cidr, dict(config.owners))
    liveness, store = Liveness(limit=3 * config.lease_seconds), RosterStore(client)
    if config.federation:
        roster = RosterController(store, leader, clock, liveness=liveness)
        return [roster, HostObjectsController(client, leader), requests]
    inputs = IngressInputs()
    copies = SecretCopiesController(client, leader, clock, config.default_certificate, inputs, named)
    policy = _service_policy(config)
    services = ServiceStatusController(client, store, leader, clock, policy)
    controllers: list[Controller] = [
        RosterController(
            store,
            leader,
            clock,
            liveness=liveness,
            more_alarms=lambda: copies.alarms,
            service_ports=lambda: services.tcp_ports,
            more_data={SERVICES_KEY: policy_to_json(policy)},
            notes=lambda: _notes(services),
        ),
        HostObjectsController(client, leader),
        copies,
        IngressStatusController(client, leader, clock, inputs),
        services,
        requests,
        PodPathsController(client, leader, clock, config.environment),
        DnsProblemController(client, leader, clock),
    ]
    controllers.append(VantageController(client, source, leader, clock))
    if config.network_mode != "none":
        controllers.append(NetworkPolicyController(client, leader, clock))
    return controllers


def _notes(services: ServiceStatusController) -> dict[str, str] | None:
    """What is stored beside the roster; None until this leader has decided."""
    if services.left_out is None or services.moving is None:
        return None
    return {LEFT_OUT_KEY: services.left_out.to_json(), MOVING_KEY: services.moving}


def _service_policy(config: AgentConfig) -> ServicePolicy:
    reserved = {(protocol, port): use for protocol, port, use in config.reserved_ports}
    return ServicePolicy(config.services_default, reserved)


def environment_process(config: AgentConfig, identity: str, notify: Callable[[str], None]) -> ControllerProcess:
    """The process of one environment, connected through the host's API balancer."""

    def connect(gate: Callable[[], object] | None = None) -> RestClient:
        agent = f"rancherctl-controller/{__version__} ({identity})"
        return RestClient(
            config.server, ca=Path(config.ca), cert=Path(config.cert), key=Path(config.key), agent=agent, gate=gate
        )

    client, wake = connect(), threading.Event()
    leader = Leader(client, identity)
    # Checked twice, before a write begins and before its first byte is sent: the process may be frozen in between.
    fenced = Fenced(connect(leader.check), leader.check)
    controllers = environment_controllers(config, fenced, leader, NamedSecrets(client, wake.set), client)
    cluster = Cluster.watched(config.environment, client, controllers, wake.set)
    return ControllerProcess(leader, [cluster], notify, wake)
