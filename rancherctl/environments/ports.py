"""Which ports an environment uses on a host, and for what. Pure."""

from __future__ import annotations

from rancherctl.environments.components.registry import components_of
from rancherctl.environments.host_roles import host_roles
from rancherctl.environments.model import Environment
from rancherctl.hosts.model import Host

Port = tuple[str, int]


def taken(environment: Environment, host: Host) -> dict[Port, str]:
    """(protocol, port) → what uses it on this host, without the API's port."""
    out: dict[Port, str] = {
        ("tcp", port): user for component in components_of(host) for port, user in component.ports.items()
    }
    return out | {(use.protocol, use.port): use.use for spec in host_roles(environment, host) for use in spec.ports}


def needed(environment: Environment, host: Host) -> dict[Port, str]:
    """All ports that must be free on this host."""
    api: dict[Port, str] = {("tcp", environment.api.port): "the API"} if host.is_a("controlplane") else {}
    return {**taken(environment, host), **api}
