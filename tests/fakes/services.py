"""Short ways to write Services of type LoadBalancer, hosts and what they report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rancherctl.kube import objects
from rancherctl.placement.model import Roster, RosterHost
from rancherctl.services.model import HostPorts, Port, ports_of, programmed_digest


def service(
    name: str,
    *ports: Port,
    created: str = "2026-01-01T00:00:00Z",
    status: Iterable[Mapping[str, Any]] = (),
    scale: int | str = 1,
    conditions: Iterable[Mapping[str, Any]] = (),
    **spec: Any,
) -> objects.Service:
    """A Service; without ``ports`` it has 5432/TCP. ``spec`` are further fields of its spec."""
    return objects.service(
        {
            "metadata": {
                "name": name,
                "namespace": "default",
                "uid": f"uid-{name}",
                "resourceVersion": "1",
                "creationTimestamp": created,
                "annotations": {"scale": str(scale)} if scale != 1 else {},
            },
            "spec": {
                "type": "LoadBalancer",
                "clusterIPs": ["10.43.0.9"],
                "ipFamilies": ["IPv4"],
                "ports": [{"protocol": p.upper(), "port": n} for p, n in (ports or (("tcp", 5432),))],
                **spec,
            },
            "status": {"loadBalancer": {"ingress": list(status)}, "conditions": list(conditions)},
        }
    )


def published(*addresses: str) -> list[dict[str, str]]:
    """Entries of a status."""
    return [{"ip": a, "ipMode": "VIP"} for a in addresses]


def address(host: str) -> str:
    """The address of a host of ``roster``: h3 has 10.0.0.3."""
    return f"10.0.0.{host.removeprefix('h')}"


def roster(count: int, *, dead: Iterable[str] = (), excluded: Iterable[str] = ()) -> Roster:
    """Hosts h1 … hN."""
    names = [f"h{n}" for n in range(1, count + 1)]
    return Roster(
        1,
        1,
        tuple(
            RosterHost(n, address(n), address(n), alive=n not in set(dead), excluded=n in set(excluded)) for n in names
        ),
    )


def reports(hosts: Roster, **more: HostPorts) -> dict[str, HostPorts]:
    """Hosts that report nothing in use, apart from ``more``."""
    return {h.name: HostPorts() for h in hosts.hosts} | more


def programmed(host: str, *services: objects.Service) -> HostPorts:
    """A host whose kube-proxy has these Services."""
    return HostPorts(programmed={s.meta.key: programmed_digest(address(host), ports_of(s)) for s in services})
