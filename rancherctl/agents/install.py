"""What apply puts on a host beside upstream Kubernetes: agent, controller, certificate job, roles.

Pure, except that it builds the zipapp. The command line passes ``host_resources`` to environments as ``extras``.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from rancherctl.agents import certificates, package, units
from rancherctl.agents.config import PATH, AgentConfig, lease_seconds
from rancherctl.agents.role_registry import role_resources
from rancherctl.contract import AGENT_PYZ, CNI_CONFIG, CONTROLLER_CONFIG, DATA, ETC, FEDERATION_CONFIG, PKI, PROGRAMS
from rancherctl.environments.components import places
from rancherctl.environments.host_roles import host_roles
from rancherctl.environments.model import LOCAL_API, Environment
from rancherctl.environments.pki.leaves import api_names, leaves
from rancherctl.environments.ports import reserved
from rancherctl.hosts.model import Directory, File, Host, Link, Package, Resource, Unit, User
from rancherctl.ingress.annotations.ports import reserved_for

CONTROLLER_PATH = CONTROLLER_CONFIG
CONTROLLER_HOME = f"{DATA}/controller"
FEDERATION_HOME = f"{DATA}/federation"
AGENT_PROGRAMS = f"{PROGRAMS}/agent"
CURRENT = f"{AGENT_PROGRAMS}/current"


def agent_config(environment: Environment, host: Host) -> AgentConfig:
    """The agent's configuration on ``host``."""
    return AgentConfig(
        node=host.name,
        environment=environment.name,
        server=LOCAL_API,
        ca=f"{PKI}/ca.crt",
        cert=f"{PKI}/agent.crt",
        key=f"{PKI}/agent.key",
        internal=host.address,
        public=host.public_address,
        roles=tuple(spec.name for spec in host_roles(environment, host)),
        pod_cidr=environment.network.pod_cidr,
        service_cidr=environment.network.service_cidr,
        network_mode=environment.network.mode,
        pod_check_seconds=environment.network.check_seconds,
        open_firewall=environment.network.open_firewall,
        dns_domain=environment.dns.domain,
        dns_addresses=environment.dns_addresses(),
        dns_upstreams=environment.dns.upstreams,
        dns_stub_domains=environment.dns.stub_domains,
        dns_max_negative_ttl=environment.dns.max_negative_ttl,
        trusted_proxies=environment.ingress.trusted_proxies,
        proxy_protocol=environment.ingress.proxy_protocol,
        external_names=environment.ingress.external_names == "allow",
        default_certificate=environment.ingress.default_certificate,
        tls_redirect=environment.ingress.tls_redirect == "auto",
        keys_on_disk=environment.ingress.keys_on_disk,
        access_log=environment.ingress.access_log,
        ingress_reserved=ingress_reserved(environment),
        federation=environment.is_federation,
        lease_seconds=lease_seconds(len(environment.hosts)),
    )


def ingress_reserved(environment: Environment) -> tuple[int, ...]:
    """TCP ports that are reserved in this environment, such as those of its API and ssh servers, but not in all."""
    ports = (port for protocol, port in reserved(environment) if protocol == "tcp")
    return tuple(sorted(port for port in ports if not reserved_for(port)))


def _program() -> tuple[Resource, ...]:
    name = package.digest()
    folder = f"{AGENT_PROGRAMS}/{name}"
    return (
        Package("python3"),
        Package("openssl"),
        Directory(AGENT_PROGRAMS),
        Directory(folder),
        File(f"{folder}/{Path(AGENT_PYZ).name}", package.build()),
        Link(CURRENT, name),
    )


def _agent(config: AgentConfig) -> tuple[Resource, ...]:
    unit = f"/etc/systemd/system/{units.AGENT_UNIT}"
    return (
        Directory(ETC),
        Directory(DATA),
        File(str(PATH), config.dump().encode()),
        File(unit, units.agent(str(PATH)).encode()),
        Unit(
            units.AGENT_UNIT,
            restart_on=(unit, str(PATH), CURRENT, config.cert, config.ca),
            makes=(CNI_CONFIG,) if config.network_mode != "none" else (),
        ),
    )


def _owners(environment: Environment) -> tuple[tuple[str, str], ...]:
    """Each address that the environment file names, with its host; "" for an address of the API only."""
    found = dict.fromkeys(api_names(environment)[1], "")
    found |= {
        address: host.name for host in environment.hosts for address in (host.address, host.public_address) if address
    }
    return tuple(sorted(found.items()))


def _controller(environment: Environment, config: AgentConfig) -> tuple[Resource, ...]:
    unit = f"/etc/systemd/system/{units.CONTROLLER_UNIT}"
    cert, key = f"{PKI}/controller.crt", f"{PKI}/controller.key"
    own = dataclasses.replace(
        config,
        cert=cert,
        key=key,
        roles=(),
        owners=_owners(environment),
        services_default=bool(environment.services.default),
        reserved_ports=tuple((*port, use) for port, use in sorted(reserved(environment).items())),
    )
    # A changed certificate needs no restart: the client reads it again. A changed CA means another environment.
    return (
        User(places.CONTROLLER_USER, CONTROLLER_HOME),
        Directory(CONTROLLER_HOME, 0o700, f"{places.CONTROLLER_USER}:{places.CONTROLLER_USER}"),
        File(CONTROLLER_PATH, own.dump().encode()),
        File(unit, units.controller(CONTROLLER_PATH).encode()),
        Unit(units.CONTROLLER_UNIT, restart_on=(unit, CONTROLLER_PATH, CURRENT, own.ca)),
    )


def _federation(environment: Environment, config: AgentConfig) -> tuple[Resource, ...]:
    """rancherctl-federation of a control-plane host, with a user, a certificate and rights of its own."""
    federation = environment.federation
    if federation is None:
        return ()
    unit, own = f"/etc/systemd/system/{units.FEDERATION_UNIT}", f"{places.FEDERATION_USER}:{places.FEDERATION_USER}"
    settings = dataclasses.replace(
        config,
        cert=f"{PKI}/federation.crt",
        key=f"{PKI}/federation.key",
        roles=(),
        federation_settings=dataclasses.asdict(federation),
    )
    return (
        User(places.FEDERATION_USER, FEDERATION_HOME),
        Directory(FEDERATION_HOME, 0o700, own),
        File(FEDERATION_CONFIG, settings.dump().encode()),
        File(unit, units.federation(FEDERATION_CONFIG).encode()),
        Unit(units.FEDERATION_UNIT, restart_on=(unit, FEDERATION_CONFIG, CURRENT, settings.ca)),
    )


def _certificates(environment: Environment, host: Host) -> tuple[Resource, ...]:
    """The daily job of a host with the CA keys. Kubelets and agents renew through the API."""
    service, timer = (f"/etc/systemd/system/{name}" for name in (units.CERTIFICATES_UNIT, units.CERTIFICATES_TIMER))
    own = (leaf for leaf in leaves(environment, host) if not leaf.self_renewed)
    listed = [
        certificates.LeafFiles(f.name, f.crt, f.key, f"{PKI}/{f.authority}.crt", f"{PKI}/{f.authority}.key")
        for f in own
    ]
    return (
        File(str(certificates.PATH), certificates.dump(listed).encode()),
        File(service, units.certificates(str(PATH)).encode()),
        File(timer, units.certificates_timer().encode()),
        Unit(units.CERTIFICATES_TIMER, restart_on=(timer,)),
    )


def host_resources(environment: Environment, host: Host) -> tuple[Resource, ...]:
    """All resources of rancherctl on ``host``, beside those of upstream Kubernetes."""
    config = agent_config(environment, host)
    parts = [*_program(), *role_resources(host_roles(environment, host), config), *_agent(config)]
    if host.is_a("controlplane"):
        parts += [*_controller(environment, config), *_certificates(environment, host)]
        parts += _federation(environment, config)
    return tuple(dict.fromkeys(parts))
