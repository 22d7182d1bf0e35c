"""Ports of Ingresses: their routes on each port, and which protocol a port speaks. Pure.

Most Ingresses have the default ports, and one route stands for both. An Ingress with other ports has its routes once
for each of them, with the port in the host pattern (``model.site_id``): they never meet those of another port.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from rancherctl.ingress.model import Route, Scheme, Translated, site_id
from rancherctl.ingress.options import DEFAULT_PORTS, HTTP_PORT, HTTPS_PORT, PortGroup, RouteOptions
from rancherctl.placement.model import ObjectProblem

MAX_OWN_PORTS: Final = 64
"""Of an environment: each of them is a listener of HAProxy, and anybody who may write an Ingress can ask for one."""


def spread(
    routes: Iterable[Route], bare: Collection[str], group: PortGroup
) -> tuple[tuple[Route, ...], frozenset[str]]:
    """The routes and known names of an Ingress that does not have the default ports.

    A name that is served on one of the default ports is known on both, and also if plain HTTP is not allowed for it: no
    wildcard of another Ingress answers for it there.
    """
    known = tuple(routes)
    placed = [(site_id(r.host, port), port, r) for port in (group.http, group.https) if port for r in known]
    out = {(site, r.kind, r.path): replace(r, host=site, options=_options(r, port)) for site, port, r in placed}
    names = {*bare, *(r.host for r in known)}
    sites = {site_id(name, port) for name in bare for port in (group.http, group.https) if port}
    if group.http is None or group.http == HTTP_PORT or group.https == HTTPS_PORT:
        sites |= names - {"*"}
    if group.http == HTTP_PORT or group.https == HTTPS_PORT:
        sites |= {site_id(name, HTTPS_PORT) for name in names}
    ordered = tuple(out[claim] for claim in sorted(out))
    return ordered, frozenset(sites - {r.host for r in ordered})


def _options(route: Route, port: int) -> RouteOptions:
    """A redirect to another host name stays on the port."""
    if not route.options.redirect.startswith("//") or port in {HTTP_PORT, HTTPS_PORT}:
        return route.options
    return replace(route.options, redirect=f"{route.options.redirect}:{port}")


@dataclass(frozen=True, slots=True)
class PortPlan:
    """Who may have which port, in the whole cluster.

    ``protocols`` of ports that are not the default ones. ``refused`` are ports by Ingress key: another Ingress speaks
    another protocol there, or there are too many ports. ``split`` are host patterns whose rules are not the same on the
    two default ports.
    """

    protocols: Mapping[int, Scheme] = field(default_factory=dict)
    refused: Mapping[str, frozenset[int]] = field(default_factory=dict)
    problems: Mapping[str, tuple[ObjectProblem, ...]] = field(default_factory=dict)
    split: frozenset[str] = frozenset()


NO_PORTS: Final = PortPlan()


def plan_ports(ordered: Iterable[Translated]) -> PortPlan:
    """Give each port to the protocol of the oldest Ingress with it; ``ordered`` are Ingresses, the oldest first."""
    others = [t for t in ordered if t.ports != DEFAULT_PORTS]
    if not others:
        return NO_PORTS
    protocols: dict[int, Scheme] = {}
    owner: dict[int, str] = {}
    refused: dict[str, frozenset[int]] = {}
    problems: dict[str, tuple[ObjectProblem, ...]] = {}
    for t in others:
        for port, protocol in t.ports.own:
            if port not in protocols and len(protocols) >= MAX_OWN_PORTS:
                reason, why = "TooManyPorts", f"all Ingresses together may have {MAX_OWN_PORTS} ports"
            elif protocols.setdefault(port, protocol) != protocol:
                speaks = protocols[port].upper()
                reason, why = "PortTaken", f"it is a port for {speaks} of the older ingress {owner[port]}"
            else:
                owner.setdefault(port, t.key)
                continue
            problem = ObjectProblem(reason, f"port {port} is not used for {protocol.upper()}: {why}")
            refused[t.key] = refused.get(t.key, frozenset()) | {port}
            problems[t.key] = (*problems.get(t.key, ()), problem)
    suffix = f":{HTTPS_PORT}"
    split = frozenset(site.removesuffix(suffix) for t in others for site in t.sites if site.endswith(suffix))
    return PortPlan(protocols, refused, problems, split)


def claims(t: Translated, plan: PortPlan) -> Iterator[tuple[tuple[str, str, str], tuple[str, Route]]]:
    """The claims of an Ingress as in ``Translated.claims``: without refused ports, and twice on ``split`` names."""
    refused = tuple(f":{port}" for port in plan.refused.get(t.key, ()))
    for claim, (key, route) in t.claims:
        if refused and claim[0].endswith(refused):
            continue
        yield claim, (key, route)
        if t.ports == DEFAULT_PORTS and route.host in plan.split:
            twin = replace(route, host=site_id(route.host, HTTPS_PORT))
            yield twin.claim, (key, twin)
