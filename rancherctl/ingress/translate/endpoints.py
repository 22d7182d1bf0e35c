"""Find the addresses behind a Service port, from EndpointSlices or from resolved external names. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from rancherctl.ingress.model import BackendRef, Server
from rancherctl.ingress.options import Protocol
from rancherctl.kube.objects import EndpointSlice, Service, ServicePort
from rancherctl.net import canonical_ip
from rancherctl.placement.model import ObjectProblem

SliceIndex = Mapping[str, Sequence[EndpointSlice]]


@dataclass(frozen=True, slots=True)
class EndpointLookup:
    """``servers`` in the order of their turns.

    ``problem`` says why there are none, except if just no pod is ready. ``protocol`` is that of the Service port.
    """

    servers: tuple[Server, ...] = ()
    problem: ObjectProblem | None = None
    protocol: Protocol = ""


_PROTOCOLS: Final[dict[str, Protocol]] = {
    "kubernetes.io/h2c": "h2c",
    "kubernetes.io/wss": "https",
    "https": "https",
    "grpc": "grpc",
}
"""By ``appProtocol``; all others are HTTP/1.1."""
_METADATA: Final = frozenset({"100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"})
"""Services of clouds that give credentials of the machine to anybody on it; most others are link-local."""


def by_service(slices: Iterable[EndpointSlice]) -> dict[str, list[EndpointSlice]]:
    """Group slices by the key of the Service that owns them."""
    out: dict[str, list[EndpointSlice]] = {}
    for entry in slices:
        if entry.service:
            out.setdefault(entry.service_key, []).append(entry)
    return out


@lru_cache(maxsize=16_384)
def routable(address: str) -> bool:
    """Whether a canonical address may be a server: not the host itself, not link-local, not a cloud's metadata.

    The host's own daemons listen there.

    Cached: it is called for every endpoint of a changed Service, and one Service may have thousands.
    """
    ip = ip_address(address)
    embedded = ip.version == 6 and int(ip) < 1 << 32  # ::127.0.0.1, ::1, ::
    if address in _METADATA:
        return False
    return not (embedded or ip.is_loopback or ip.is_link_local or ip.is_unspecified or ip.is_multicast)


def _servers(addresses: Iterable[str], port: int) -> set[Server]:
    """Servers in the spelling that HAProxy reports.

    In another one, they would never equal what HAProxy has.
    """
    return {Server(a, port) for a in map(canonical_ip, addresses) if a and routable(a)}


def _port(service: Service, ref: BackendRef) -> ServicePort | None:
    return next(
        (
            p
            for p in service.ports
            if p.protocol == "TCP" and (p.name == ref.name if ref.name else p.port == ref.number)
        ),
        None,
    )


def _family(service: Service, slices: Sequence[EndpointSlice]) -> str:
    """The Service's first address family that has slices.

    With both, a dual-stack pod would get two shares of the load.
    """
    have = {s.address_type for s in slices if s.endpoints}
    return next((f for f in (*service.families, "IPv4", "IPv6") if f in have), "IPv4")


def servers_of(
    ref: BackendRef,
    services: Mapping[str, Service],
    slices: SliceIndex,
    resolved: Mapping[str, Sequence[str]],
    *,
    external: bool = True,
    node: str = "",
) -> EndpointLookup:
    """The servers of one backend: its ready endpoints.

    If there are none, those that still serve while they terminate. ``external``: whether ExternalName Services are
    served. With a ``node``, only endpoints on it count; external addresses are on none.
    """
    key = f"{ref.namespace}/{ref.service}"
    service = services.get(key)
    if service is None:
        return _without("ServiceNotFound", f"service {key} not found; its requests are answered with 503")
    port = _port(service, ref)
    if service.type == "ExternalName":
        if not external:
            message = (
                f"service {key} has the type ExternalName, which spec.ingress.externalNames of the environment denies"
            )
            return _without("ExternalNameDenied", message)
        return _external(service, ref, port, resolved)
    if port is None:
        return _without(
            "PortNotFound",
            f"service {key} has no TCP port {ref.name or ref.number}; its requests are answered with 503",
        )
    own = slices.get(key, ())
    family = _family(service, own)
    ready: dict[Server, str] = {}
    terminating: dict[Server, str] = {}
    for entry in own:
        if entry.address_type != family:
            continue
        number = next((p.port for p in entry.ports if p.name == port.name and p.protocol == "TCP"), 0)
        if not number:
            continue
        for endpoint in entry.endpoints:
            if node and endpoint.node != node:
                continue
            servers = dict.fromkeys(_servers(endpoint.addresses[:1], number), endpoint.node)
            if endpoint.ready or service.publish_not_ready:
                ready |= servers
            elif endpoint.serving and endpoint.terminating:
                terminating |= servers
    return EndpointLookup(_in_turns(ready or terminating), protocol=_PROTOCOLS.get(port.app_protocol, ""))


def _without(reason: str, message: str, *, serious: bool = True) -> EndpointLookup:
    return EndpointLookup(problem=ObjectProblem(reason, message, serious))


def _in_turns(servers: Mapping[Server, str]) -> tuple[Server, ...]:
    """Order servers so that each node comes once before any node comes twice.

    ``servers`` maps each server to its node.

    A request whose server is on a lost host is retried on the next server. Sorted by address, the pods of that host
    would be neighbours, and all retries could be spent on it.
    """
    seen: dict[str, int] = {}
    turns: list[tuple[int, Server]] = []
    for server in sorted(servers):
        node = servers[server]
        turns.append((seen.get(node, 0), server))
        seen[node] = turns[-1][0] + 1
    return tuple(server for _, server in sorted(turns))


def _external(
    service: Service, ref: BackendRef, port: ServicePort | None, resolved: Mapping[str, Sequence[str]]
) -> EndpointLookup:
    """An ExternalName Service needs no port list: the number in the Ingress is enough."""
    number = port.port if port else ref.number
    if not number:
        return _without(
            "PortNotFound",
            f"service {service.meta.key} has no port named {ref.name}; its requests are answered with 503",
        )
    literal = canonical_ip(service.external_name)
    if literal and not routable(literal):
        return _without(
            "ExternalAddressRefused",
            f"external name {service.external_name} of service {service.meta.key} is an address of the host itself, "
            "a link-local one or a cloud's metadata service; its requests are answered with 503",
        )
    servers = _servers((literal,) if literal else resolved.get(service.external_name, ()), number)
    if not servers:
        return _without(
            "NameNotResolved",
            f"external name {service.external_name} of service {service.meta.key} has no usable address now; "
            "its requests are answered with 503",
            serious=False,
        )
    return EndpointLookup(tuple(sorted(servers)), protocol=_PROTOCOLS.get(port.app_protocol, "") if port else "")


def external_names(refs: Iterable[BackendRef], services: Mapping[str, Service]) -> frozenset[str]:
    """The names that must be resolved for these backends."""
    found = (services.get(f"{r.namespace}/{r.service}") for r in refs)
    names = (s.external_name for s in found if s is not None and s.type == "ExternalName")
    return frozenset(name for name in names if name and not canonical_ip(name))
