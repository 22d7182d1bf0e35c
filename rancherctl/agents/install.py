"""What apply puts on a host for us: the agent, the controller, and the roles' own packages, files and units. Pure but for the zipapp.

This is the ``extras`` of environments: it composes what dns, ingress and network each ask for, because those know nothing of each other.
"""

from __future__ import annotations

import dataclasses

from rancherctl.agents import certificates, package, units
from rancherctl.agents.config import PATH, AgentConfig, lease_seconds
from rancherctl.dns.install import DnsHostConfig
from rancherctl.dns.install import resources as dns_resources
from rancherctl.environments.components import places
from rancherctl.environments.model import LOCAL_API, Environment
from rancherctl.environments.pki.leaves import api_names, leaves
from rancherctl.hosts.model import Directory, File, Host, Link, Package, Resource, Unit, User
from rancherctl.ingress.haproxy.install import IngressHostConfig
from rancherctl.ingress.haproxy.install import resources as ingress_resources
from rancherctl.network.install import resources as network_resources
from rancherctl.network.observe import CNI_PATH

PKI = "/etc/rancherctl/pki"
CONTROLLER_PATH = "/etc/rancherctl/controller.json"
CONTROLLER_HOME = "/var/lib/rancherctl/controller"


def agent_config(environment: Environment, host: Host) -> AgentConfig:
    """The agent's configuration on ``host``."""
    roles = ("network", "dns", *(("lb",) if environment.ingress.wants(host) else ()))
    return AgentConfig(
        node=host.name,
        environment=environment.name,
        server=LOCAL_API,
        ca=f"{PKI}/ca.crt",
        cert=f"{PKI}/agent.crt",
        key=f"{PKI}/agent.key",
        internal=host.address,
        public=host.public_address,
        roles=roles,
        pod_cidr=environment.network.pod_cidr,
        service_cidr=environment.network.service_cidr,
        network_mode=environment.network.mode,
        dns_domain=environment.dns.domain,
        dns_addresses=environment.dns_addresses(),
        dns_upstreams=environment.dns.upstreams,
        lease_seconds=lease_seconds(len(environment.hosts)),
    )


def _program() -> tuple[Resource, ...]:
    name = package.digest()
    folder = f"/opt/rancherctl/agent/{name}"
    return (
        Package("python3"),
        Package("openssl"),
        Directory("/opt/rancherctl/agent"),
        Directory(folder),
        File(f"{folder}/agent.pyz", package.build()),
        Link("/opt/rancherctl/agent/current", name),
    )


def _agent(config: AgentConfig) -> tuple[Resource, ...]:
    unit = f"/etc/systemd/system/{units.AGENT_UNIT}"
    return (
        Directory("/etc/rancherctl"),
        Directory("/var/lib/rancherctl"),
        File(str(PATH), config.dump().encode()),
        File(unit, units.agent(str(PATH)).encode()),
        Unit(
            units.AGENT_UNIT,
            restart_on=(unit, str(PATH), "/opt/rancherctl/agent/current", config.cert, config.ca),
            makes=(str(CNI_PATH),) if config.network_mode == "routed" else (),
        ),
    )


def _owners(environment: Environment) -> tuple[tuple[str, str], ...]:
    """Each address that the environment names with its host; "" where it is the API's alone."""
    found = dict.fromkeys(api_names(environment)[1], "")
    found |= {
        address: host.name for host in environment.hosts for address in (host.address, host.public_address) if address
    }
    return tuple(sorted(found.items()))


def _controller(environment: Environment, config: AgentConfig) -> tuple[Resource, ...]:
    unit = f"/etc/systemd/system/{units.CONTROLLER_UNIT}"
    cert, key = f"{PKI}/controller.crt", f"{PKI}/controller.key"
    own = dataclasses.replace(config, cert=cert, key=key, roles=(), owners=_owners(environment))
    # Its client reads a changed certificate by itself; a changed authority means another environment.
    return (
        User(places.CONTROLLER_USER, CONTROLLER_HOME),
        Directory(CONTROLLER_HOME, 0o700, f"{places.CONTROLLER_USER}:{places.CONTROLLER_USER}"),
        File(CONTROLLER_PATH, own.dump().encode()),
        File(unit, units.controller(CONTROLLER_PATH).encode()),
        Unit(units.CONTROLLER_UNIT, restart_on=(unit, CONTROLLER_PATH, "/opt/rancherctl/agent/current", own.ca)),
    )


def _certificates(environment: Environment, host: Host) -> tuple[Resource, ...]:
    """The daily job of a host that keeps the authorities. Kubelets and agents renew theirs through the API."""
    service, timer = (f"/etc/systemd/system/{name}" for name in (units.CERTIFICATES_UNIT, units.CERTIFICATES_TIMER))
    own = (leaf for leaf in leaves(environment, host) if not leaf.self_renewed)
    listed = [
        certificates.Leaf(f.name, f.crt, f.key, f"{PKI}/{f.authority}.crt", f"{PKI}/{f.authority}.key") for f in own
    ]
    return (
        File(str(certificates.PATH), certificates.dump(listed).encode()),
        File(service, units.certificates(str(PATH)).encode()),
        File(timer, units.certificates_timer().encode()),
        Unit(units.CERTIFICATES_TIMER, restart_on=(timer,)),
    )


def host_resources(environment: Environment, host: Host) -> tuple[Resource, ...]:
    """Everything of ours on ``host`` beside upstream Kubernetes."""
    config = agent_config(environment, host)
    parts = [
        *_program(),
        *network_resources(routed=environment.network.mode == "routed"),
        *dns_resources(DnsHostConfig.of(config)),
    ]
    if "lb" in config.roles:
        parts += ingress_resources(IngressHostConfig())
    parts += _agent(config)
    if host.is_a("controlplane"):
        parts += [*_controller(environment, config), *_certificates(environment, host)]
    return tuple(dict.fromkeys(parts))
