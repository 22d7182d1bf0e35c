"""The process ``rancherctl-federation``: an election of its own, and the Hub where it leads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rancherctl import __version__
from rancherctl.agents.clock import boottime, micro_time
from rancherctl.agents.config import AgentConfig
from rancherctl.agents.controller_process import Cluster, ControllerProcess
from rancherctl.agents.fence import Fenced
from rancherctl.agents.leader import Leader
from rancherctl.contract import FEDERATION_CONTROLLER
from rancherctl.federation.hub import Hub
from rancherctl.federation.hub_options import HubOptions
from rancherctl.federation.inventory_store import StoredInventory
from rancherctl.federation.model import FederationSettings
from rancherctl.federation.providers.configured import ConfiguredProvider, secret_reader
from rancherctl.federation.public_dns import PublicDns
from rancherctl.federation.public_names import Names, NoNames
from rancherctl.federation.vantage import StoredConfigMap
from rancherctl.federation.zone_report import REPORT
from rancherctl.kube.rest import RestClient


def federation_settings(config: AgentConfig, uid: str) -> FederationSettings:
    """What federation.json says; ``uid`` is that of the namespace kube-system."""
    values: dict[str, Any] = dict(config.federation_settings)
    return FederationSettings(
        config.environment,
        uid,
        str(values["zone"]),
        str(values["provider"]),
        tuple(values["servers"]),
        int(values["ttl"]),
        str(values["offline"]),
        str(values["when_none"]),
        tuple(values["transfer_servers"]),
    )


def federation_process(config: AgentConfig, identity: str, notify: Callable[[str], None]) -> ControllerProcess:
    """The process of one federation, connected through the host's API balancer."""
    agent = f"{FEDERATION_CONTROLLER}/{__version__} ({identity})"

    def connect(gate: Callable[[], object] | None = None) -> RestClient:
        return RestClient(
            config.server, ca=Path(config.ca), cert=Path(config.cert), key=Path(config.key), agent=agent, gate=gate
        )

    client, wake = connect(), threading.Event()
    leader = Leader(client, identity, lease=FEDERATION_CONTROLLER)
    fenced = Fenced(connect(leader.check), leader.check)

    def names(settings: FederationSettings) -> Names:
        if settings.provider == "none":
            return NoNames()
        provider = ConfiguredProvider(settings, secret_reader(client.get), gate=leader.check)
        return PublicDns(
            settings,
            provider,
            StoredInventory(fenced),
            gate=leader.check,
            changed=hub.changed,
            clock=boottime,
            memory=StoredConfigMap(fenced, FEDERATION_CONTROLLER, "dns-health"),
            report=StoredConfigMap(fenced, FEDERATION_CONTROLLER, REPORT),
        )

    options = HubOptions(
        leading=lambda: leader.leading,
        gate=leader.check,
        wake=wake.set,
        clock=boottime,
        now=lambda: f"{micro_time()[:19]}Z",
        agent=agent,
        names=names,
    )
    hub = Hub(fenced, lambda uid: federation_settings(config, uid), options)
    return ControllerProcess(leader, [Cluster.watched(config.environment, client, [hub], wake.set)], notify, wake)
