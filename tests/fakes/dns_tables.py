"""Services, slices and pods in few words, and snapshots of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rancherctl.kube import objects
from rancherctl.kube.snapshot import Snapshot, Table


def service(
    name: str, *ips: str, ns: str = "default", ports: Sequence[tuple[str, str, int]] = (), **spec: Any
) -> objects.Service:
    """A Service with these cluster addresses ("None" = headless)."""
    body = {"clusterIPs": list(ips), "ports": [{"name": n, "protocol": p, "port": v} for n, p, v in ports], **spec}
    return objects.service({"metadata": {"namespace": ns, "name": name, "resourceVersion": "1"}, "spec": body})


def endpoint(address: str, *, hostname: str = "", ready: bool | None = True, pod: str = "") -> dict[str, Any]:
    """One endpoint's JSON."""
    out: dict[str, Any] = {"addresses": [address], "conditions": {"ready": ready}}
    if hostname:
        out["hostname"] = hostname
    if pod:
        out["targetRef"] = {"kind": "Pod", "name": pod}
    return out


def endpoint_slice(
    owner: str,
    endpoints: Iterable[dict[str, Any]],
    *,
    ns: str = "default",
    name: str = "",
    ports: Sequence[tuple[str, str, int]] = (),
    kind: str = "IPv4",
) -> objects.EndpointSlice:
    """A slice of the service ``owner``."""
    return objects.endpoint_slice(
        {
            "metadata": {
                "namespace": ns,
                "name": name or f"{owner}-1",
                "labels": {"kubernetes.io/service-name": owner},
            },
            "addressType": kind,
            "ports": [{"name": n, "protocol": p, "port": v} for n, p, v in ports],
            "endpoints": list(endpoints),
        }
    )


def pod(
    name: str, ip: str, *, ns: str = "default", phase: str = "Running", hostname: str = "", subdomain: str = ""
) -> objects.Pod:
    """A Pod."""
    return objects.pod(
        {
            "metadata": {"namespace": ns, "name": name},
            "spec": {"hostname": hostname, "subdomain": subdomain},
            "status": {"phase": phase, "podIPs": [{"ip": ip}]},
        }
    )


class World:
    """Tables that a test changes; ``snapshot`` gives a new value each time."""

    def __init__(self) -> None:
        self.services: dict[str, objects.Service] = {}
        self.slices: dict[str, objects.EndpointSlice] = {}
        self.pods: dict[str, objects.Pod] = {}
        self.epoch = 1
        self.number = 0

    def add(self, *things: Any) -> None:
        """Put objects by their keys."""
        for thing in things:
            table: dict[str, Any] = (
                self.services
                if isinstance(thing, objects.Service)
                else self.slices
                if isinstance(thing, objects.EndpointSlice)
                else self.pods
            )
            table[thing.meta.key] = thing

    def snapshot(self, *, synced: bool = True) -> Snapshot:
        """The tables now."""
        self.number += 1
        parts: dict[str, dict[str, Any]] = {"services": self.services, "endpointslices": self.slices, "pods": self.pods}
        return Snapshot(
            {
                n: Table(dict(t) if synced else {}, synced, synced, str(self.number), self.epoch)
                for n, t in parts.items()
            },
            self.number,
        )
