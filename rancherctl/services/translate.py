"""Service and EndpointSlices of the API → LoadBalancer, with the problems that concern no host. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rancherctl.contract import INGRESS_PREFIX, NODE_PORTS, SERVICE_CLASS
from rancherctl.ingress.annotations.row import AnnotationSet
from rancherctl.ingress.annotations.table import AFFINITY, GLOBAL, PLACEMENT
from rancherctl.kube.objects import EndpointSlice, Service
from rancherctl.net import is_ip, parse_network
from rancherctl.placement.model import ObjectProblem, PlacementOptions, Roster
from rancherctl.services.model import CONDITION, LoadBalancer, Port, foreign, port_text, ports_of
from rancherctl.text import and_more


@dataclass(frozen=True, slots=True)
class ServicePolicy:
    """What the environment says about Services.

    ``default``: Services without a class are ours. ``reserved`` maps ports that no Service may have to what uses them;
    ``node_ports`` is the first and last port of the range that kube-apiserver gives to Services.
    """

    default: bool = True
    reserved: Mapping[Port, str] = field(default_factory=dict)
    node_ports: tuple[int, int] = NODE_PORTS

    def refusal(self, port: Port) -> str:
        """Why no Service may have this port; "" if one may."""
        if use := self.reserved.get(port):
            return f"{port_text(port)} is used by {use}"
        first, last = self.node_ports
        return f"{port_text(port)} belongs to the NodePort range {first}-{last}" if first <= port[1] <= last else ""


def policy_to_json(policy: ServicePolicy) -> str:
    """Text that ``policy_from_json`` reads."""
    reserved = {f"{number}/{protocol}": use for (protocol, number), use in sorted(policy.reserved.items())}
    return json.dumps({"default": policy.default, "reserved": reserved}, separators=(",", ":"))


def policy_from_json(text: str) -> ServicePolicy:
    """What ``policy_to_json`` wrote. ValueError if it is something else."""
    data: Any = json.loads(text)
    try:
        ports = {tuple(key.split("/")): str(use) for key, use in data["reserved"].items()}
        reserved = {(protocol, int(number)): use for (number, protocol), use in ports.items()}
        return ServicePolicy(bool(data["default"]), reserved)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a policy for Services: {error!r}") from error


def wants_addresses(service: Service, policy: ServicePolicy) -> bool:
    """Whether a Service is ours: of type LoadBalancer with our class, or without one if that is the default."""
    ours = service.lb_class == SERVICE_CLASS or (not service.lb_class and policy.default)
    return service.type == "LoadBalancer" and ours and not service.meta.deleting


def local_endpoints(slices: Iterable[EndpointSlice]) -> frozenset[str]:
    """Nodes with an endpoint that kube-proxy uses for policy Local: ready ones; terminating ones if none is ready."""
    ready: set[str] = set()
    terminating: set[str] = set()
    for part in slices:
        for endpoint in part.endpoints:
            if endpoint.ready and endpoint.node:
                ready.add(endpoint.node)
            elif endpoint.serving and endpoint.terminating and endpoint.node:
                terminating.add(endpoint.node)
    # kube-proxy decides for each node: where no endpoint is ready, terminating ones get the connections.
    return frozenset(ready | terminating)


def translate(
    service: Service, slices: Iterable[EndpointSlice], policy: ServicePolicy, ours: Collection[str]
) -> LoadBalancer:
    """One Service that ``wants_addresses``; ``ours`` are the addresses of all hosts of the roster."""
    problems: list[ObjectProblem] = []
    published = tuple(a for a in service.lb_addresses if a in ours)
    ports = ports_of(service)
    options, obstacle = _placement(service, len(published), problems)
    unknown = [a for a in service.lb_addresses if a and a not in ours and not service.lb_class]
    if service.source_ranges and any(parse_network(r.strip()) is None for r in service.source_ranges):
        invalid = next(r for r in service.source_ranges if parse_network(r.strip()) is None)
        obstacle = ObjectProblem("InvalidSourceRange", f"loadBalancerSourceRanges: {invalid!r} is not a network")
    if refused := sorted(filter(None, map(policy.refusal, ports))):
        text = f"{and_more(refused)}: choose other ports"
        obstacle = ObjectProblem("ReservedPort", text)
    if service.lb_requested and not (is_ip(service.lb_requested) and service.lb_requested in ours):
        text = f"loadBalancerIP {service.lb_requested!r} is not the address of a load-balancer host"
        obstacle = ObjectProblem("UnknownAddress", text)
    # What we have written may have the address of a host that left or changed it since: Statuses replaces it once.
    written = any(c.get("type") == CONDITION and c.get("status") == "True" for c in service.conditions)
    if unknown and not written:
        obstacle = foreign(unknown)
    return LoadBalancer(
        name=service.meta.key,
        uid=service.meta.uid,
        created=service.meta.created,
        options=options,
        ports=ports,
        families=service.families,
        endpoints=local_endpoints(slices) if service.local else None,
        requested=service.lb_requested,
        published=published,
        unknown=tuple(unknown),
        obstacle=obstacle,
        problems=tuple(problems),
    )


def wanted_services(
    services: Mapping[str, Service], slices: Mapping[str, EndpointSlice], roster: Roster, policy: ServicePolicy
) -> dict[str, LoadBalancer]:
    """The Services that are ours, by key."""
    ours = frozenset(h.address for h in roster.hosts if h.address)
    wanted = {key: service for key, service in services.items() if wants_addresses(service, policy)}
    local = {key for key, service in wanted.items() if service.local}
    by_service: dict[str, list[EndpointSlice]] = {key: [] for key in local}
    for part in slices.values() if local else ():
        if part.service_key in by_service:
            by_service[part.service_key].append(part)
    return {key: translate(service, by_service.get(key, ()), policy, ours) for key, service in wanted.items()}


def _placement(
    service: Service, published: int, problems: list[ObjectProblem]
) -> tuple[PlacementOptions, ObjectProblem | None]:
    """Scale and affinity, by the annotations that Ingresses have, too."""
    present = AnnotationSet(service.meta.annotations, published)
    values = {row.field: row.default for row in PLACEMENT}
    for row in PLACEMENT:
        if any(name in present.annotations for name in row.names):
            values[row.field] = row.read(present, problems)
    known = {name for row in PLACEMENT for name in row.names}
    unknown = sorted(n for n in present.annotations if n.startswith(INGRESS_PREFIX) and n not in known)
    if unknown:
        text = f"annotations without effect on a Service, ignored: {and_more(unknown)}"
        problems.append(ObjectProblem("UnknownAnnotation", text, serious=False))
    if values["everywhere"] and values["wanted"] != 1:
        text = f"scale is ignored because {GLOBAL} is true: placed on every eligible host"
        problems.append(ObjectProblem("ScaleIgnored", text, serious=False))
    affinity = values["affinity"]
    obstacle = None
    if affinity is None:
        obstacle = ObjectProblem("InvalidAffinity", f"its annotation {AFFINITY} is invalid")
    return PlacementOptions(0 if values["everywhere"] else values["wanted"], affinity or ()), obstacle
