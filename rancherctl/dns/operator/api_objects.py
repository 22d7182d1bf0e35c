"""The API objects that explain a name, and how a name reads: which Service, endpoint, port or pod it means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from rancherctl.dns import names, records
from rancherctl.dns.operator.provenance import RecordSource, fixed_sources, pod_sources, service_sources
from rancherctl.dns.records import Shape
from rancherctl.kube import objects
from rancherctl.kube.client import ENDPOINTSLICES, NAMESPACES, PODS, SERVICES, KubeClient
from rancherctl.kube.objects import EndpointSlice, Pod, Service

MAX_ALIASES = 8
"""ExternalName Services that are followed from one to the next."""


@dataclass(frozen=True, slots=True)
class NameParts:
    """A name in the cluster's domain, by its shape.

    ``other`` is everything that no object could have as its name.
    """

    kind: Literal["service", "endpoint", "port", "pod", "namespace", "other"]
    namespace: str = ""
    service: str = ""
    endpoint: str = ""
    port: str = ""
    protocol: str = ""

    @property
    def service_key(self) -> str:
        """``namespace/service``; "" if the name belongs to no Service."""
        return f"{self.namespace}/{self.service}" if self.service else ""


def parts_of(name: str, domain: str) -> NameParts | None:
    """Read an absolute name in lower case; None if it is outside the cluster's domain."""
    if name != f"{domain}." and not name.endswith(f".{domain}."):
        return None
    labels = name.removesuffix(f"{domain}.").removesuffix(".").split(".")
    parts = NameParts("other")
    match labels:
        case [pod, namespace, "pod"]:
            parts = NameParts("pod", namespace, endpoint=pod)
        case [namespace, "svc"]:
            parts = NameParts("namespace", namespace)
        case [service, namespace, "svc"]:
            parts = NameParts("service", namespace, service)
        case [port, protocol, service, namespace, "svc"] if port.startswith("_") and protocol.startswith("_"):
            parts = NameParts("port", namespace, service, port=port[1:], protocol=protocol[1:])
        case [endpoint, service, namespace, "svc"]:
            parts = NameParts("endpoint", namespace, service, endpoint)
    return parts


@dataclass(frozen=True, slots=True)
class ApiObjects:
    """What the API has: all Services and namespaces; slices and pods of the Services that matter.

    ``slices`` are by ``namespace/service``, ``federations`` those that the environment is a member of. ``problem``
    says why the API could not be read; then nothing is known.
    """

    services: Mapping[str, Service] = field(default_factory=dict)
    slices: Mapping[str, tuple[EndpointSlice, ...]] = field(default_factory=dict)
    pods: Mapping[str, Pod] = field(default_factory=dict)
    namespaces: frozenset[str] = frozenset()
    federations: frozenset[str] = frozenset()
    problem: str = ""

    def sources(self, key: str, shape: Shape) -> tuple[RecordSource, ...]:
        """The records of a Service, with what made each."""
        service = self.services.get(key)
        if service is None:
            return ()
        return service_sources(service, self.slices.get(key, ()), shape, partial(records.identity_of, self.pods))

    def problems(self, key: str, shape: Shape) -> tuple[str, ...]:
        """What of a Service cannot be published."""
        service = self.services[key]
        identity = partial(records.identity_of, self.pods)
        return records.service_records(service, self.slices.get(key, ()), shape, identity).problems

    def sources_of(self, name: str, shape: Shape, addresses: Iterable[str]) -> tuple[RecordSource, ...]:
        """What made the records of one absolute name, also those that are not published now."""
        parts = parts_of(name, shape.domain)
        found: list[RecordSource] = [*fixed_sources(shape, addresses)]
        if parts is None:
            found += [s for key in self.slices.keys() | self._owners(name) for s in self.sources(key, shape)]
        elif parts.service_key:
            found += self.sources(parts.service_key, shape)
        elif parts.kind == "pod":
            found += [
                s
                for pod in self.pods.values()
                if pod.meta.namespace == parts.namespace
                for s in pod_sources(pod, shape)
            ]
        return tuple(sorted((s for s in found if s.name == name), key=lambda s: (s.type, s.data, s.object, s.slice)))

    def _owners(self, name: str) -> set[str]:
        """The Services with the cluster address that a reverse name stands for."""
        return {
            key
            for key, service in self.services.items()
            for text in service.cluster_ips
            if (normal := names.address(text)[0]) and names.reverse(normal) == name
        }


def read_objects(client: KubeClient, asked: Iterable[str], domain: str) -> ApiObjects:
    """Read what explains these absolute names; raises the errors of the API."""
    services = {s.meta.key: s for s in map(objects.service, client.list(SERVICES).items)}
    namespaces = frozenset(objects.meta(obj).name for obj in client.list(NAMESPACES).items)
    every = list(asked)
    wanted, spaces = _wanted(every, domain, services)
    slices: dict[str, tuple[EndpointSlice, ...]] = {}
    if any(name.endswith(".arpa.") for name in every):
        found = [objects.endpoint_slice(obj) for obj in client.list(ENDPOINTSLICES).items]
        reverse = {name for name in every if name.endswith(".arpa.")}
        wanted = {s.service_key for s in found if _has_address(s, reverse)} | wanted
        slices = {key: tuple(s for s in found if s.service_key == key) for key in wanted}
    else:
        for key in wanted:
            namespace, _, name = key.partition("/")
            page = client.list(ENDPOINTSLICES, namespace=namespace, label_selector=f"kubernetes.io/service-name={name}")
            slices[key] = tuple(map(objects.endpoint_slice, page.items))
    spaces |= {key.partition("/")[0] for key, part in slices.items() if part}
    pods = {
        p.meta.key: p
        for namespace in sorted(spaces & namespaces)
        for p in map(objects.pod, client.list(PODS, namespace=namespace).items)
    }
    return ApiObjects(services, slices, pods, namespaces)


def _wanted(asked: Iterable[str], domain: str, services: Mapping[str, Service]) -> tuple[set[str], set[str]]:
    """The Services that the names mean, through aliases, and the namespaces whose pods may have the names."""
    wanted: set[str] = set()
    spaces: set[str] = set()
    todo = [(name, 0) for name in asked]
    while todo:
        name, depth = todo.pop()
        parts = parts_of(name, domain)
        if parts is None or parts.kind in ("namespace", "other"):
            continue
        if parts.kind in ("pod", "endpoint"):
            spaces.add(parts.namespace)
        service = services.get(parts.service_key)
        if service is not None and parts.service_key not in wanted and depth <= MAX_ALIASES:
            wanted.add(parts.service_key)
            todo.append((names.target(service.external_name), depth + 1))
    return wanted, spaces


def _has_address(part: EndpointSlice, reverse: set[str]) -> bool:
    return any(
        (normal := names.address(text)[0]) and names.reverse(normal) in reverse
        for endpoint in part.endpoints
        for text in endpoint.addresses
    )
