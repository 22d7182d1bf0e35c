"""Which ports an environment takes on a host, and what for. Pure."""

from __future__ import annotations

from rancherctl.environments.model import LOCAL_API_PORT, Environment
from rancherctl.hosts.model import Host

Port = tuple[str, int]


def taken(environment: Environment, host: Host) -> dict[Port, str]:
    """(protocol, port) → what we need it for on this host, the API's own port left out."""
    out: dict[Port, str] = {
        ("tcp", 10250): "kubelet",
        ("tcp", 10248): "kubelet",
        ("tcp", 10249): "kube-proxy",
        ("tcp", 10256): "kube-proxy",
    }
    out |= {("tcp", LOCAL_API_PORT): "the API balancer", ("udp", 53): "DNS", ("tcp", 53): "DNS"}
    if host.is_a("controlplane"):
        out |= {("tcp", 10257): "kube-controller-manager", ("tcp", 10259): "kube-scheduler"}
    if host.is_a("etcd"):
        out |= {("tcp", port): "etcd" for port in (2379, 2380, 2381)}
    if environment.ingress.wants(host):
        out |= {("tcp", 80): "load balancers", ("tcp", 443): "load balancers"}
    return out


def needed(environment: Environment, host: Host) -> dict[Port, str]:
    """All ports that have to be free on this host."""
    api: dict[Port, str] = {("tcp", environment.api.port): "the API"} if host.is_a("controlplane") else {}
    return {**taken(environment, host), **api}
