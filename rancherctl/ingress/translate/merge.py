"""Decide which Ingresses a host loads, and which one owns a path that two of them claim. Pure.

More Ingresses are loaded than are placed: a host that serves a name (or a wildcard, or any name) loads every rule
that could match a request for it. So a wildcard never answers for another Ingress's precise name, and all addresses
of one name are interchangeable.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain

from rancherctl.ingress.model import ANY_HOST, Route, Scheme, Translated, host_of
from rancherctl.ingress.options import DEFAULT_PORTS
from rancherctl.ingress.translate import ports
from rancherctl.ingress.translate.ports import NO_PORTS, PortPlan
from rancherctl.placement.model import ObjectProblem


def wildcard_of(host: str) -> str:
    """``a.foo.com`` → ``*.foo.com``; "" for wildcards, for any host and for names without a dot."""
    if host.startswith(ANY_HOST):
        return ""
    _, dot, parent = host.partition(".")
    return f"*.{parent}" if dot else ""


def loaded(translated: Mapping[str, Translated], placed: Iterable[str]) -> frozenset[str]:
    """Keys of all Ingresses that a host must load to serve the ``placed`` ones.

    Ingresses that cannot be placed on any host are included because of their host names.
    """
    here = [translated[key] for key in placed if key in translated]
    if not here:
        return frozenset()
    names = frozenset().union(*(t.hosts for t in here))
    if ANY_HOST in names:
        return frozenset(translated)
    wildcards = {wildcard_of(n) for n in names}
    patterns = frozenset().union(*(t.hosts for t in translated.values()))
    others = [h for h in patterns - names if h in wildcards or h == ANY_HOST or wildcard_of(h) in names]
    matching = names.union(others)
    return frozenset(k for k, t in translated.items() if not matching.isdisjoint(t.hosts)) | {t.key for t in here}


@dataclass(frozen=True, slots=True)
class Merged:
    """The owner of every claim, and problems of Ingresses that share one, by Ingress key. ``ports``: who has which."""

    owners: Mapping[tuple[str, str, str], tuple[str, Route]]
    problems: Mapping[str, tuple[ObjectProblem, ...]]
    ports: PortPlan = NO_PORTS

    def routes_of(self, keys: frozenset[str]) -> tuple[Route, ...]:
        """The routes owned by these Ingresses."""
        return tuple(route for owner, route in self.owners.values() if owner in keys)


def merge(translated: Mapping[str, Translated], serving: Collection[str] = ()) -> Merged:
    """Give each path to the oldest Ingress that claims it, by creation time, then key.

    The result is the same on all hosts.

    An Ingress that cannot be placed owns nothing, unless this host is still ``serving`` it until its address has left
    the status.
    """
    owners: dict[tuple[str, str, str], tuple[str, Route]] = {}
    shared: dict[str, list[ObjectProblem]] = {}
    ordered = sorted((t for t in translated.values() if t.placeable or t.key in serving), key=lambda t: t.age)
    plan = ports.plan_ports(ordered)
    for t in ordered:
        for claim, offer in t.claims if plan is NO_PORTS else ports.claims(t, plan):
            if (known := owners.setdefault(claim, offer)) is offer:
                continue
            owner, route = known[0], offer[1]
            if route.kind == "default" and host_of(route.host) != ANY_HOST:
                continue
            what = "the default backend" if route.kind == "default" else f"{route.kind} path {route.host}{route.path}"
            taken = ObjectProblem("PathTaken", f"{what} belongs to the older ingress {owner}")
            shared.setdefault(t.key, []).append(taken)
            claimed = ObjectProblem("PathShared", f"{what} is also claimed by the newer ingress {t.key}", serious=False)
            shared.setdefault(owner, []).append(claimed)
    found = {key: (*plan.problems.get(key, ()), *shared.get(key, ())) for key in plan.problems.keys() | shared.keys()}
    return Merged(owners, found, plan)


@dataclass(frozen=True, slots=True)
class HostRules:
    """The rules that one host loads.

    ``merged`` concerns the whole cluster. ``loaded`` are keys of Ingresses, ``routes`` those that they own.
    ``backends`` are keys of the Service ports that routes forward to; ``forwarding`` has one such route for each
    ``servers_key``. ``hashes`` are the contents that the host can confirm, ``secured`` the Ingresses
    among them that need HTTPS, ``bare`` the host patterns without a route. ``ports`` are those that each Ingress
    without the default ports needs, ``own_ports`` the ports to listen on for them; ``default_ports``: whether any
    Ingress needs the default ones.
    """

    merged: Merged
    loaded: frozenset[str]
    routes: tuple[Route, ...]
    backends: frozenset[str]
    forwarding: Mapping[str, Route]
    hashes: Mapping[str, str]
    secured: frozenset[str]
    bare: frozenset[str]
    ports: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    own_ports: tuple[tuple[int, Scheme], ...] = ()
    default_ports: bool = True


def host_rules(translated: Mapping[str, Translated], serving: frozenset[str]) -> HostRules:
    """What a host loads that is ``serving`` these Ingresses on purpose."""
    merged = merge(translated, serving)
    keys = loaded(translated, serving)
    routes = merged.routes_of(keys)
    # An Ingress that cannot be placed is loaded for its host names only, unless this host still serves it.
    hashes = {key: translated[key].hash for key in sorted(keys) if translated[key].placeable or key in serving}
    bare = frozenset(chain.from_iterable(translated[k].bare if k in hashes else translated[k].hosts for k in keys))
    forwarding = {r.servers_key: r for r in routes if r.servers_key}
    backends = frozenset(r.backend.key for r in forwarding.values())
    secured = frozenset(key for key in hashes if translated[key].tls)
    others = [translated[key] for key in hashes if translated[key].ports != DEFAULT_PORTS]
    spoken = merged.ports.protocols
    own = {(port, scheme) for t in others for port, scheme in t.ports.own if spoken.get(port) == scheme}
    return HostRules(
        merged,
        keys,
        routes,
        backends,
        forwarding,
        hashes,
        secured,
        bare,
        ports={t.key: t.for_placement.ports for t in others},
        own_ports=tuple(sorted(own)),
        default_ports=len(others) < len(keys) or any(t.ports.shares_default for t in others),
    )
