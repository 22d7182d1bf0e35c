"""Translate one Service with its EndpointSlices, or one Pod, to DNS. Pure; source: Kubernetes DNS specification 1.1.0.

Name shapes, in zone ``cluster.local``:
 1. SVC.NS.svc                 A/AAAA: cluster addresses, or the ready endpoints of a headless service
 2. HOST.SVC.NS.svc            A/AAAA: endpoint by its hostname, else by its dashed address
 3. _PORT._PROTO.SVC.NS.svc    SRV: the service (1), or each endpoint (2) if headless; named ports only
 4. SVC.NS.svc                 SRV for all ports; CNAME alone for ExternalName
 5. A-B-C-D.NS.pod             A/AAAA of an existing pod
 6. reverse names              PTR to (1) for cluster addresses, to (2) for endpoints, in any network
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rancherctl.dns import names
from rancherctl.dns.model import RecordSet
from rancherctl.kube.objects import Endpoint, EndpointSlice, Pod, Service

MAX_SET_OCTETS = 65_200
"""Octets of one record set: an answer and an update must fit a message of 65,535 with question, EDNS and signature."""
_PRIORITY_WEIGHT = "0 100"
_PROTOCOLS = frozenset({"tcp", "udp", "sctp"})

Identity = Callable[[str, str], str]
"""(pod key, Service name) → the pod's hostname if its ``subdomain`` is that Service, else ""."""


def identity_of(pods: Mapping[str, Pod], pod_key: str, service: str) -> str:
    """The ``Identity`` of pods in a table."""
    pod = pods.get(pod_key)
    return pod.hostname if pod is not None and pod.subdomain == service else ""


@dataclass(frozen=True, slots=True)
class Shape:
    """The domain of a server without its final dot, and all its zones (absolute names)."""

    domain: str
    zones: frozenset[str]


@dataclass(frozen=True, slots=True)
class Group:
    """The record sets of one object, and one line for each part that could not be published."""

    sets: tuple[RecordSet, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class _Draft:
    shape: Shape
    data: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, name: str, kind: str, rdata: str) -> None:
        self.data.setdefault((name, kind), set()).add(rdata)

    def add_address(self, name: str, normal: str, kind: str) -> None:
        self.add(name, kind, normal)

    def add_reverse(self, normal: str, name: str) -> None:
        self.add(names.pointer_owner(normal, self.shape.zones), "PTR", name)

    def group(self) -> Group:
        sets = []
        for (name, kind), rdatas in sorted(self.data.items()):
            if len(name) > names.LONGEST:
                self.problems.append(
                    f"{name[:60]}… has {len(name)} characters, the limit is {names.LONGEST}: not published"
                )
                continue
            kept = fit(kind, sorted(rdatas))
            if len(kept) < len(rdatas):
                self.problems.append(
                    f"{name} {kind}: {len(kept)} of {len(rdatas)} records fit into one DNS answer; the rest is omitted"
                )
            sets.append(RecordSet(name, kind, tuple(kept)))
        return Group(tuple(sets), tuple(self.problems))


def fit(kind: str, rdatas: Sequence[str]) -> Sequence[str]:
    """The sorted rdatas that fit one DNS message, chosen in a stable way.

    SRV records are chosen by target: the endpoints that fit have all their ports, and every port has all of them.
    """
    if len(rdatas) * 300 < MAX_SET_OCTETS:
        return rdatas
    size = {"A": 4, "AAAA": 16}.get(kind, 0)
    ordered = sorted(rdatas, key=_target) if kind == "SRV" else rdatas
    total = 0
    for index, rdata in enumerate(ordered):
        total += 12 + (size or len(_target(rdata)) + 7)
        if total > MAX_SET_OCTETS:
            first = next(n for n, other in enumerate(ordered) if _target(other) == _target(rdata))
            return sorted(ordered[: (first if kind == "SRV" else 0) or index])
    return rdatas


def _target(rdata: str) -> str:
    return rdata.rpartition(" ")[2]


def service_records(service: Service, slices: Iterable[EndpointSlice], shape: Shape, identity: Identity) -> Group:
    """All record sets of a Service and its slices (shapes 1 to 4, and 6)."""
    namespace, name = service.meta.namespace, service.meta.name
    if not (names.is_label(namespace) and names.is_label(name)):
        return Group(problems=(f"{namespace!r}/{name!r} is not a valid name: not published",))
    draft = _Draft(shape)
    base = f"{name}.{namespace}.svc.{shape.domain}."
    if service.type == "ExternalName":
        if alias := names.target(service.external_name):
            draft.add(base, "CNAME", alias)
        else:
            draft.problems.append(f"externalName {service.external_name[:80]!r} is not a valid name: not published")
        return draft.group()
    _cluster_addresses(draft, service, base)
    for part in sorted(slices, key=lambda s: s.meta.name):
        if part.address_type in {"IPv4", "IPv6"}:
            _slice(draft, service, part, base, identity)
    return draft.group()


def _cluster_addresses(draft: _Draft, service: Service, base: str) -> None:
    published = False
    for text in service.cluster_ips:
        normal, kind = names.address(text)
        if normal:
            draft.add_address(base, normal, kind)
            draft.add_reverse(normal, base)
            published = True
        else:
            draft.problems.append(f"cluster address {text[:60]!r} is not valid: not published")
    for port in service.ports if published else ():
        _port(draft, base, port.name, port.protocol, f"{_PRIORITY_WEIGHT} {port.port} {base}")


def _port(draft: _Draft, base: str, name: str, protocol: str, rdata: str) -> None:
    draft.add(base, "SRV", rdata)
    if not name:
        return
    if names.is_label(name) and protocol.lower() in _PROTOCOLS:
        draft.add(f"_{name}._{protocol.lower()}.{base}", "SRV", rdata)
    else:
        draft.problems.append(f"port {name[:40]!r}/{protocol[:10]!r} is not a valid name: no SRV record")


def _slice(draft: _Draft, service: Service, part: EndpointSlice, base: str, identity: Identity) -> None:
    for endpoint in part.endpoints:
        if not (endpoint.ready or service.publish_not_ready):
            continue
        host = _hostname(draft, service, endpoint, identity)
        for text in endpoint.addresses:
            normal, kind = names.address(text)
            if not normal:
                draft.problems.append(f"endpoint address {text[:60]!r} is not valid: not published")
                continue
            own = f"{host or names.dashed(normal)}.{base}"
            draft.add_address(own, normal, kind)
            draft.add_reverse(normal, own)
            if service.headless:
                draft.add_address(base, normal, kind)
                for port in part.ports:
                    if port.port:
                        _port(draft, base, port.name, port.protocol, f"{_PRIORITY_WEIGHT} {port.port} {own}")


def _hostname(draft: _Draft, service: Service, endpoint: Endpoint, identity: Identity) -> str:
    host = endpoint.hostname
    if not host and endpoint.pod:
        host = identity(f"{service.meta.namespace}/{endpoint.pod}", service.meta.name)
    if host and not names.is_label(host):
        draft.problems.append(f"endpoint hostname {host[:60]!r} is not valid: using its dashed address")
        return ""
    return host


def pod_records(pod: Pod, shape: Shape) -> Group:
    """The dashed names of a pod (shape 5); a pod that has finished or is being deleted has none."""
    if pod.meta.deleting or pod.phase in {"Succeeded", "Failed"} or not names.is_label(pod.meta.namespace):
        return Group()
    draft = _Draft(shape)
    for text in pod.ips:
        normal, kind = names.address(text)
        if normal:
            draft.add_address(f"{names.dashed(normal)}.{pod.meta.namespace}.pod.{shape.domain}.", normal, kind)
    return draft.group()


def fixed_records(shape: Shape, addresses: Iterable[str]) -> Group:
    """Records that belong to no object: the specification's version and the server's own name with its addresses."""
    draft = _Draft(shape)
    draft.add(f"dns-version.{shape.domain}.", "TXT", '"1.1.0"')
    # An entry for the top label ends the policy's search for names of the cluster at once; it changes no answer.
    # It must be the middle of the policy's top labels (names.marker_name).
    draft.add(f"{shape.domain.rpartition('.')[2]}.{names.REVERSE_POLICY}", "CNAME", "rpz-passthru.")
    for text in addresses:
        normal, kind = names.address(text)
        if normal:
            draft.add_address(f"ns.dns.{shape.domain}.", normal, kind)
    return draft.group()
