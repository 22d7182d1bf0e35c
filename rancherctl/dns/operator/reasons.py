"""Why a name in the cluster's domain has no answer, from the objects of the API. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from rancherctl.dns import names
from rancherctl.dns.operator.api_objects import MAX_ALIASES, ApiObjects, NameParts, parts_of
from rancherctl.dns.operator.provenance import RecordSource, pod_sources
from rancherctl.dns.records import Shape
from rancherctl.kube.objects import Service
from rancherctl.text import and_more, closest, did_you_mean, plural

FAMILIES = {"A": "IPv4", "AAAA": "IPv6"}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a name has no answer: a word for programs, one line for people, and what to do about it."""

    code: str
    text: str
    hint: str = ""


class Rank(IntEnum):
    """How likely the user meant a name of the search list: the best one is explained."""

    SERVICE_EXISTS = 0
    ELSEWHERE = 1
    OTHER_NAMESPACE = 2
    SIMILAR_SERVICE = 3
    SIMILAR_NAMESPACE = 4
    NAMESPACE_EXISTS = 5
    NOTHING = 6
    NO_SERVICE_NAME = 7
    OUTSIDE = 8


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The reasons for one absolute name."""

    rank: Rank
    reasons: tuple[Reason, ...] = ()


def diagnose(name: str, kinds: Sequence[str], api: ApiObjects, shape: Shape, depth: int = 0) -> Diagnosis:
    """Why an absolute name has no records of these types; no reasons if it is outside the cluster's domain."""
    parts = parts_of(name, shape.domain)
    if parts is None:
        return _reverse(name, api, shape) if name.endswith(".arpa.") else Diagnosis(Rank.OUTSIDE)
    if parts.service_key:
        service = api.services.get(parts.service_key)
        if service is None:
            return _missing_service(parts, api)
        return Diagnosis(Rank.SERVICE_EXISTS, tuple(_of_service(name, kinds, parts, service, api, shape, depth)))
    if parts.kind == "pod":
        return _pod(parts, api, shape)
    reason = Reason(
        "NoSuchName",
        f"{name} is not the name of a Service, an endpoint or a pod",
        f"the name of a Service is SERVICE.NAMESPACE.svc.{shape.domain}",
    )
    if parts.kind == "namespace" and parts.namespace in api.namespaces:
        text = f"{parts.namespace} is a namespace, and a namespace has no address"
        hint = f"the name of a Service in it is SERVICE.{parts.namespace}"
        reason = Reason("NamespaceOnly", text, hint)
    return Diagnosis(Rank.NO_SERVICE_NAME, (reason,))


def _reverse(name: str, api: ApiObjects, shape: Shape) -> Diagnosis:
    sources = api.sources_of(name, shape, ())
    if any(s.published for s in sources):
        return Diagnosis(Rank.SERVICE_EXISTS, (_not_served(sources[0].object),))
    if sources:
        key = sources[0].object.removeprefix("Service ")
        return Diagnosis(Rank.SERVICE_EXISTS, (_not_ready(sources, key),))
    if not names.zone_of(name, shape.zones):
        return Diagnosis(Rank.OUTSIDE)
    reason = Reason("NoSuchAddress", "no Service and no endpoint has this address", "pods have names by Services only")
    return Diagnosis(Rank.NAMESPACE_EXISTS, (reason,))


def _missing_service(parts: NameParts, api: ApiObjects) -> Diagnosis:
    namespace, service = parts.namespace, parts.service
    homes = sorted(key.partition("/")[0] for key in api.services if key.partition("/")[2] == service)
    if namespace not in api.namespaces:
        return _missing_namespace(parts, api, homes)
    what = f"namespace {namespace} has no Service {service}"
    if homes:
        hint = f"it exists in {_places(homes)}: {_before(parts)}{service}.{homes[0]}"
        return Diagnosis(Rank.OTHER_NAMESPACE, (Reason("OtherNamespace", what, hint),))
    own = [key.partition("/")[2] for key in api.services if key.startswith(f"{namespace}/")]
    if near := did_you_mean(service, own):
        return Diagnosis(Rank.SIMILAR_SERVICE, (Reason("NoSuchService", what, near),))
    known = f"its Services: {and_more(sorted(own))}" if own else "it has no Services"
    return Diagnosis(Rank.NAMESPACE_EXISTS, (Reason("NoSuchService", what, known),))


def _before(parts: NameParts) -> str:
    """What a name has before that of its Service."""
    return f"{parts.endpoint}." if parts.endpoint else f"_{parts.port}._{parts.protocol}." if parts.port else ""


def _missing_namespace(parts: NameParts, api: ApiObjects, homes: Sequence[str]) -> Diagnosis:
    """``homes`` are the namespaces that have a Service of this name."""
    namespace, service = parts.namespace, parts.service
    other = f"{service}/{parts.endpoint}"
    if parts.kind == "endpoint" and other in api.services:
        text = f"it looks like the name of Service {other} in a federation {namespace}"
        text += "" if namespace in api.federations else ", and this environment is not a member of such a federation"
        hint = f"the name in this environment is {parts.endpoint}.{service}"
        return Diagnosis(Rank.ELSEWHERE, (Reason("FederationName", text, hint),))
    rank, hint = Rank.NOTHING, did_you_mean(namespace, api.namespaces)
    if near := closest(namespace, homes):
        rank, hint = Rank.ELSEWHERE, f"did you mean {_before(parts)}{service}.{near}?"
    elif homes:
        rank = Rank.SIMILAR_NAMESPACE
        hint = f"Service {service} exists in {_places(homes)}: {_before(parts)}{service}.{homes[0]}"
    elif hint:
        rank = Rank.SIMILAR_NAMESPACE
    return Diagnosis(rank, (Reason("NoSuchNamespace", f"namespace {namespace} does not exist", hint),))


def _places(namespaces: Sequence[str]) -> str:
    return f"{'namespace' if len(namespaces) == 1 else 'namespaces'} {and_more(namespaces)}"


def _of_service(
    name: str, kinds: Sequence[str], parts: NameParts, service: Service, api: ApiObjects, shape: Shape, depth: int
) -> Iterable[Reason]:
    key = service.meta.key
    if service.type == "ExternalName":
        yield from _external(kinds, parts, service, api, shape, depth)
        return
    sources = api.sources(key, shape)
    of_name = [s for s in sources if s.name == name]
    matching = [s for s in of_name if s.type in kinds]
    if any(s.published for s in matching):
        yield _not_served(matching[0].object)
    elif matching:
        yield _not_ready(matching, key)
    elif of_name:
        yield _other_type(name, kinds, of_name, key)
    elif parts.kind == "port":
        yield _port(parts, sources, service)
    elif parts.kind == "endpoint":
        yield _endpoint(parts, sources, service, api)
    else:
        yield _no_endpoints(service, api)
    yield from (Reason("NotPublished", f"Service {key}: {problem}") for problem in api.problems(key, shape))


def _not_served(owner: str) -> Reason:
    text = f"the API has it ({owner}), the servers do not answer it"
    return Reason("NotServed", text, "rancherctl dns status shows hosts that lag or cannot reach the API")


def _not_ready(matching: Sequence[RecordSource], key: str) -> Reason:
    namespace = key.partition("/")[0]
    waiting = list(dict.fromkeys(f"{s.endpoint} in EndpointSlice {s.slice}" for s in matching))
    text = f"Service {key} has no ready endpoint for this name: {and_more(waiting)}"
    hint = f"rancherctl kubectl -n {namespace} get pods; publishNotReadyAddresses: true would publish it all the same"
    return Reason("NotReady", text, hint)


def _other_type(name: str, kinds: Sequence[str], of_name: Sequence[RecordSource], key: str) -> Reason:
    have = sorted({s.type for s in of_name if s.published})
    wanted = " and no ".join(kinds)
    if not have:
        return _not_ready(of_name, key)
    family = FAMILIES.get(kinds[0], "")
    text = f"{name} has {' and '.join(have)} records and no {wanted}"
    hint = f"Service {key} has no {family} address" if family else ""
    return Reason("OtherType", text, hint)


def _no_endpoints(service: Service, api: ApiObjects) -> Reason:
    key, namespace = service.meta.key, service.meta.namespace
    if not service.headless:
        return Reason(
            "NoClusterAddress", f"Service {key} has no cluster address", f"kubectl -n {namespace} get service"
        )
    slices = api.slices.get(key, ())
    if service.has_selector:
        text = f"headless Service {key} has no endpoints: no pod with an address matches its selector"
        return Reason("NoEndpoints", text, f"rancherctl kubectl -n {namespace} get pods --show-labels")
    what = "its EndpointSlices are empty" if slices else "it has no selector, and no EndpointSlice names it"
    hint = f"an EndpointSlice needs the label kubernetes.io/service-name: {service.meta.name}"
    return Reason("NoEndpoints", f"headless Service {key} has no endpoints: {what}", hint)


def _port(parts: NameParts, sources: Sequence[RecordSource], service: Service) -> Reason:
    key, asked = service.meta.key, f"_{parts.port}._{parts.protocol}"
    have = {}
    for source in sources:
        if source.type == "SRV" and source.name.startswith("_"):
            port, protocol, _ = source.name.split(".", 2)
            have[f"{port}.{protocol}"] = source.published
    other = [found for found in have if found.partition(".")[0] == f"_{parts.port}"]
    text = f"Service {key} has no port {parts.port} with protocol {parts.protocol}"
    if other:
        return Reason("WrongPort", text, f"the port's protocol is another one: {and_more(other)}")
    if near := closest(asked, have):
        return Reason("WrongPort", text, f"did you mean {near}?")
    if have:
        return Reason("WrongPort", text, f"its named ports: {and_more(sorted(have))}")
    if service.ports:
        hint = f"set ports[].name; now: {and_more([f'{p.port}/{p.protocol}' for p in service.ports])}"
        return Reason("UnnamedPort", f"{text}: its ports have no names, and only named ports have SRV records", hint)
    return Reason("WrongPort", f"{text}: it has no ports")


def _endpoint(parts: NameParts, sources: Sequence[RecordSource], service: Service, api: ApiObjects) -> Reason:
    key, namespace = service.meta.key, service.meta.namespace
    end = f".{service.meta.name}.{namespace}.svc."
    have = {s.name.split(".")[0] for s in sources if end in s.name and s.type in FAMILIES}
    text = f"Service {key} has no endpoint {parts.endpoint}"
    pod = api.pods.get(f"{namespace}/{parts.endpoint}")
    if pod is not None and pod.subdomain != service.meta.name:
        why = f"pod {pod.meta.key} has subdomain {pod.subdomain or 'none'}"
        hint = f"set spec.subdomain: {service.meta.name} in the pod, or spec.serviceName in its StatefulSet"
        return Reason("OtherSubdomain", f"{text}: {why}", hint)
    if near := closest(parts.endpoint, have):
        return Reason("NoSuchEndpoint", text, f"did you mean {near}.{service.meta.name}.{namespace}?")
    known = f"its endpoints: {and_more(sorted(have))}" if have else "it has no endpoints"
    return Reason("NoSuchEndpoint", text, known)


def _external(
    kinds: Sequence[str], parts: NameParts, service: Service, api: ApiObjects, shape: Shape, depth: int
) -> Iterable[Reason]:
    key, written = service.meta.key, service.external_name
    if parts.kind != "service":
        text = f"Service {key} is an alias (ExternalName) for {written}: it has neither ports nor endpoints in DNS"
        yield Reason("ExternalName", text)
        return
    target = names.target(written)
    if names.address(written)[0]:
        text = f"Service {key} is an ExternalName for {written}: DNS reads an address there as a name"
        yield Reason("ExternalNameIsAddress", text, "use a Service without selector, and an EndpointSlice")
    elif not target:
        yield Reason("NotPublished", f"externalName {written[:80]!r} of Service {key} is not a valid name")
    elif depth >= MAX_ALIASES or target == f"{service.meta.name}.{service.meta.namespace}.svc.{shape.domain}.":
        text = f"Service {key} is an ExternalName for {target}: the aliases lead in a circle"
        yield Reason("ExternalNameLoop", text)
    else:
        text = f"Service {key} is an ExternalName for {target}, which does not resolve"
        yield Reason("ExternalNameTarget", text, f"rancherctl dns explain {target}")
        yield from diagnose(target, kinds, api, shape, depth + 1).reasons


def _pod(parts: NameParts, api: ApiObjects, shape: Shape) -> Diagnosis:
    if parts.namespace not in api.namespaces:
        hint = did_you_mean(parts.namespace, api.namespaces)
        text = f"namespace {parts.namespace} does not exist"
        return Diagnosis(Rank.NOTHING, (Reason("NoSuchNamespace", text, hint),))
    owner = next(
        (
            pod
            for pod in api.pods.values()
            for text in pod.ips
            if pod.meta.namespace == parts.namespace and names.dashed(names.address(text)[0]) == parts.endpoint
        ),
        None,
    )
    if owner is not None and pod_sources(owner, shape):
        return Diagnosis(Rank.SERVICE_EXISTS, (_not_served(f"Pod {owner.meta.key}"),))
    if owner is not None:
        state = "is being deleted" if owner.meta.deleting else f"has phase {owner.phase}"
        return Diagnosis(Rank.SERVICE_EXISTS, (Reason("PodEnded", f"pod {owner.meta.key} {state}"),))
    text = f"no pod of namespace {parts.namespace} has the address {parts.endpoint}"
    count = plural(sum(1 for pod in api.pods.values() if pod.meta.namespace == parts.namespace), "pod")
    hint = f"the namespace has {count}; the name is the address with dashes for dots"
    return Diagnosis(Rank.NAMESPACE_EXISTS, (Reason("NoSuchPod", text, hint),))
