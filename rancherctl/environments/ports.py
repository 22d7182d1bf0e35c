"""Which ports an environment uses on a host, and for what. Pure."""

from __future__ import annotations

from rancherctl.environments.host_roles import host_roles
from rancherctl.environments.model import LOCAL_API_PORT, Environment
from rancherctl.hosts.model import Host

Port = tuple[str, int]


def taken(environment: Environment, host: Host) -> dict[Port, str]:
    """(protocol, port) → what uses it on this host, without the API's own port."""
    out: dict[Port, str] = {
        ("tcp", 10250): "kubelet",
        ("tcp", 10248): "kubelet",
        ("tcp", 10249): "kube-proxy",
        ("tcp", 10256): "kube-proxy",
        ("tcp", LOCAL_API_PORT): "the API balancer",
    }
    if host.is_a("controlplane"):
        out |= {("tcp", 10257): "kube-controller-manager", ("tcp", 10259): "kube-scheduler"}
    if host.is_a("etcd"):
        out |= {("tcp", port): "etcd" for port in (2379, 2380, 2381)}
    return out | {(use.protocol, use.port): use.use for spec in host_roles(environment, host) for use in spec.ports}


def needed(environment: Environment, host: Host) -> dict[Port, str]:
    """All ports that must be free on this host."""
    api: dict[Port, str] = {("tcp", environment.api.port): "the API"} if host.is_a("controlplane") else {}
    return {**taken(environment, host), **api}
