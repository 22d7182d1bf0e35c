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
        ("tcp", port): user for component in components_of(environment, host) for port, user in component.ports.items()
    }
    return out | {(use.protocol, use.port): use.use for spec in host_roles(environment, host) for use in spec.ports}


def reserved(environment: Environment) -> dict[Port, str]:
    """Ports that no Service may have on any host: it would take the traffic of what the environment runs there.

    Without those of DNS and load balancers, which share theirs with Services. ``ssh`` of all hosts is included.
    """
    out: dict[Port, str] = {("tcp", 22): "ssh", ("udp", 4789): "the pod network (VXLAN)"}
    for host in environment.hosts:
        out |= {("tcp", host.ssh.port or 22): "ssh"}
        out |= {
            ("tcp", port): user
            for component in components_of(environment, host)
            for port, user in component.ports.items()
        }
    return out | {("tcp", environment.api.port): "the API"}


def needed(environment: Environment, host: Host) -> dict[Port, str]:
    """All ports that must be free on this host."""
    api: dict[Port, str] = {("tcp", environment.api.port): "the API"} if host.is_a("controlplane") else {}
    return {**taken(environment, host), **api}
