"""Which roles run on a host, made from its configuration: the only place where network, dns and ingress meet."""

from __future__ import annotations

from collections.abc import Callable

from rancherctl.agents.config import AgentConfig
from rancherctl.agents.role import HostRole
from rancherctl.hosts.transport import Transport

Relist = Callable[[tuple[str, ...]], None]
"""Has tables of the watch cache listed again."""


def _network(config: AgentConfig, transport: Transport, _: Relist) -> HostRole:
    from rancherctl.network.reconcile import NetworkRole

    return NetworkRole(config.network(), transport)


def _dns(config: AgentConfig, transport: Transport, relist: Relist) -> HostRole:
    from rancherctl.dns.daemon import SystemdDaemon
    from rancherctl.dns.model import DnsHostConfig
    from rancherctl.dns.reconcile import DnsRole
    from rancherctl.dns.status import RUN_FILE

    return DnsRole(DnsHostConfig.of(config), SystemdDaemon(transport), relist=relist, run_file=RUN_FILE)


def _lb(config: AgentConfig, _: Transport, __: Relist) -> HostRole:
    from rancherctl.ingress.haproxy.driver import local_paths
    from rancherctl.ingress.model import http_listeners
    from rancherctl.ingress.role.reconcile import LbConfig, LbRole

    paths = local_paths()
    listeners = http_listeners(config.http_port, paths.families)
    return LbRole(LbConfig(config.node, listeners, dns=config.dns_addresses[0], paths=paths))


ROLES: dict[str, Callable[[AgentConfig, Transport, Relist], HostRole]] = {"network": _network, "dns": _dns, "lb": _lb}


def host_roles(config: AgentConfig, transport: Transport, relist: Relist) -> list[HostRole]:
    """The roles that the configuration names, in its order."""
    return [ROLES[name](config, transport, relist) for name in config.roles]
