"""From a Service port to the addresses behind it: by EndpointSlices, or by names resolved elsewhere for ExternalName. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from rancherctl.ingress.model import BackendRef, Problem, Server
from rancherctl.kube.objects import EndpointSlice, Service, ServicePort

SliceIndex = Mapping[str, Sequence[EndpointSlice]]


@dataclass(frozen=True, slots=True)
class Found:
    """Servers in the order in which they take turns; ``problem`` says why there are none where that is not just "no pod is ready"."""

    servers: tuple[Server, ...] = ()
    problem: Problem | None = None


def index(slices: Iterable[EndpointSlice]) -> dict[str, list[EndpointSlice]]:
    """Slices by the key of the Service that owns them."""
    out: dict[str, list[EndpointSlice]] = {}
    for entry in slices:
        if entry.service:
            out.setdefault(entry.service_key, []).append(entry)
    return out


@lru_cache(maxsize=16_384)
def canonical(address: str) -> str:
    """The address as HAProxy writes it, an IPv4 one inside IPv6 as IPv4; "" for what is none.

    The API and DNS give addresses in other letters and lengths too: as they come they would never equal what HAProxy tells.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return ""
    if isinstance(ip, IPv6Address):
        return "" if ip.scope_id else str(ip.ipv4_mapped or ip)
    return str(ip)


@lru_cache(maxsize=16_384)
def routable(address: str) -> bool:
    """Whether a canonical address may be a server: never the host itself or link-local, where the host's own daemons listen."""
    ip = ip_address(address)
    embedded = ip.version == 6 and int(ip) < 1 << 32  # ::127.0.0.1, ::1, ::
    return not (embedded or ip.is_loopback or ip.is_link_local or ip.is_unspecified or ip.is_multicast)


def _servers(addresses: Iterable[str], port: int) -> set[Server]:
    return {Server(a, port) for a in map(canonical, addresses) if a and routable(a)}


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
    """One family only, or every dual-stack pod would count twice: the Service's first one that has slices."""
    have = {s.address_type for s in slices if s.endpoints}
    return next((f for f in (*service.families, "IPv4", "IPv6") if f in have), "IPv4")


def find(
    ref: BackendRef, services: Mapping[str, Service], slices: SliceIndex, resolved: Mapping[str, Sequence[str]]
) -> Found:
    """The servers of one backend: ready endpoints, or those serving while they terminate where no other is left."""
    key = f"{ref.namespace}/{ref.service}"
    service = services.get(key)
    if service is None:
        return Found(
            problem=Problem("ServiceNotFound", f"service {key} does not exist; requests for it are answered with 503")
        )
    port = _port(service, ref)
    if service.type == "ExternalName":
        return _external(service, ref, port, resolved)
    if port is None:
        return Found(
            problem=Problem(
                "PortNotFound", f"service {key} has no TCP port {ref.name or ref.number}; answered with 503"
            )
        )
    own = slices.get(key, ())
    family = _family(service, own)
    ready: dict[Server, str] = {}
    leaving: dict[Server, str] = {}
    for entry in own:
        if entry.address_type != family:
            continue
        number = next((p.port for p in entry.ports if p.name == port.name and p.protocol == "TCP"), 0)
        if not number:
            continue
        for endpoint in entry.endpoints:
            servers = dict.fromkeys(_servers(endpoint.addresses[:1], number), endpoint.node)
            if endpoint.ready or service.publish_not_ready:
                ready |= servers
            elif endpoint.serving and endpoint.terminating:
                leaving |= servers
    return Found(_in_turns(ready or leaving))


def _in_turns(servers: Mapping[Server, str]) -> tuple[Server, ...]:
    """One of each node, then the next one of each: a request that finds a lost host is tried on another one next. By address, they would be
    neighbours, and all tries could be spent on the same dead host. Server → node.
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
) -> Found:
    """ExternalName needs no ports in the Service: a number in the Ingress is enough."""
    number = port.port if port else ref.number
    if not number:
        return Found(
            problem=Problem(
                "PortNotFound", f"service {service.meta.key} has no port named {ref.name}; answered with 503"
            )
        )
    servers = _servers(resolved.get(service.external_name, ()), number)
    if not servers:
        text = f"external name {service.external_name} of service {service.meta.key} has no usable address now; requests are answered with 503"
        return Found(problem=Problem("NameNotResolved", text, serious=False))
    return Found(tuple(sorted(servers)))


def external_names(refs: Iterable[BackendRef], services: Mapping[str, Service]) -> frozenset[str]:
    """The names that must be resolved for these backends."""
    found = (services.get(f"{r.namespace}/{r.service}") for r in refs)
    return frozenset(s.external_name for s in found if s is not None and s.type == "ExternalName" and s.external_name)
