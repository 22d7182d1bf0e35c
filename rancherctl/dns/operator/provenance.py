"""Which object, slice and endpoint made each record, by the translation that the agents run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from rancherctl.dns import names, records
from rancherctl.dns.model import RecordSet
from rancherctl.dns.records import Identity, Shape
from rancherctl.kube.objects import EndpointSlice, Pod, Service


@dataclass(frozen=True, slots=True)
class RecordSource:
    """One record and what made it.

    ``object`` is ``Service NAMESPACE/NAME`` or ``Pod …``. ``slice`` (namespace/name), ``address``, ``hostname``,
    ``pod`` and ``node`` are those of the endpoint, "" if the object itself made it. Not ``published``: the record
    would exist if the endpoint were ready.
    """

    name: str
    type: str
    data: str
    object: str
    slice: str = ""
    address: str = ""
    hostname: str = ""
    pod: str = ""
    node: str = ""
    published: bool = True

    @property
    def endpoint(self) -> str:
        """The endpoint for people: ``10.42.1.5 (pod web-0)``; "" if the object itself made the record."""
        return self.address + (f" (pod {self.pod})" if self.pod else "")

    def as_json(self) -> dict[str, Any]:
        """The source as JSON values."""
        return asdict(self)


def service_sources(
    service: Service, slices: Iterable[EndpointSlice], shape: Shape, identity: Identity
) -> tuple[RecordSource, ...]:
    """The records of a Service and of each of its endpoints, ready or not."""
    label = f"Service {service.meta.key}"

    def own(sets: Iterable[RecordSet], **origin: Any) -> Iterator[RecordSource]:
        for one in sets:
            yield from (RecordSource(names.queried(one.name), one.type, rdata, label, **origin) for rdata in one.rdatas)

    found = [*own(records.service_records(service, (), shape, identity).sets)]
    without_addresses = replace(service, cluster_ips=())
    for part, single in _single_endpoints(slices if service.type != "ExternalName" else ()):
        (endpoint,) = single.endpoints
        sets = records.service_records(without_addresses, (_ready(single),), shape, identity).sets
        found += own(
            sets,
            slice=part.meta.key,
            address=endpoint.addresses[0],
            hostname=endpoint.hostname,
            pod=endpoint.pod,
            node=endpoint.node,
            published=endpoint.ready or service.publish_not_ready,
        )
    return tuple(found)


def _single_endpoints(slices: Iterable[EndpointSlice]) -> Iterator[tuple[EndpointSlice, EndpointSlice]]:
    """Each slice with a copy for each address that has only this one."""
    for part in sorted(slices, key=lambda s: s.meta.key):
        for endpoint in part.endpoints:
            for address in endpoint.addresses:
                yield part, replace(part, endpoints=(replace(endpoint, addresses=(address,)),))


def _ready(part: EndpointSlice) -> EndpointSlice:
    return replace(part, endpoints=tuple(replace(endpoint, ready=True) for endpoint in part.endpoints))


def pod_sources(pod: Pod, shape: Shape) -> tuple[RecordSource, ...]:
    """The records of a pod's own name."""
    return tuple(
        RecordSource(one.name, one.type, rdata, f"Pod {pod.meta.key}", node=pod.node, pod=pod.meta.name)
        for one in records.pod_records(pod, shape).sets
        for rdata in one.rdatas
    )


def fixed_sources(shape: Shape, addresses: Iterable[str]) -> tuple[RecordSource, ...]:
    """The records that belong to no object."""
    return tuple(
        RecordSource(one.name, one.type, rdata, "the server itself")
        for one in records.fixed_records(shape, addresses).sets
        for rdata in one.rdatas
    )
