"""What a host goes on serving although it is no longer placed there, and when a change is too big to be true. Pure.

Removal comes last: the address leaves the status first, then a short drain, then the route goes. Nothing is removed while the API
cannot be watched. The caller's clock comes in as ``now`` (seconds, monotonic).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from rancherctl.change import too_many
from rancherctl.ingress.haproxy import layout
from rancherctl.ingress.haproxy.layout import Layout
from rancherctl.ingress.model import Model

FOREIGN_LIMIT = 5.0
GUARD_FLOOR = 10


@dataclass(frozen=True, slots=True)
class Kept:
    """Ingresses to serve on purpose; since when each leaving one may go; ``wake`` = seconds until the next one goes (None: none waits)."""

    serving: frozenset[str]
    leaving: Mapping[str, float] = field(default_factory=dict)
    wake: float | None = None


def keep(
    placed: Collection[str],
    served: Collection[str],
    known: Mapping[str, tuple[bool, Collection[str]]],
    *,
    own_address: str,
    leaving: Mapping[str, float],
    now: float,
    drain: float,
) -> Kept:
    """Which Ingresses to serve.

    ``placed`` belong here, ``served`` are served until now, ``known`` maps every existing Ingress to (is ours, addresses in its status).
    One that is gone goes at once; one that is being deleted, or of a foreign class, when our address has left its status, after
    ``FOREIGN_LIMIT`` in any case.
    """
    stay = set(placed)
    since: dict[str, float] = {}
    waits: list[float] = []
    for key in sorted(set(served) - stay):
        if key not in known:
            continue
        ours, addresses = known[key]
        published = own_address in addresses
        if published and ours:
            stay.add(key)
            continue
        start = leaving.get(key, now)
        rest = start + (FOREIGN_LIMIT if published else drain) - now
        if rest > 0:
            stay.add(key)
            since[key] = start
            waits.append(rest)
    return Kept(frozenset(stay), since, min(waits, default=None))


def suspicious(now: Layout, model: Model) -> str:
    """Why a model may stem from an API that lost its data: many backends lose all their servers at once. "" = it looks sound."""
    had = {p.backend for p in now.pools if p.backend and p.servers}
    have = {r.backend.key for r in model.routes if model.servers.get(r.backend.key)}
    lost = had - have
    if too_many(len(lost), len(had), floor=GUARD_FLOOR):
        return f"{len(lost)} of {len(had)} backends would lose all their servers at once"
    return ""


def held(now: Layout, model: Model) -> Model:
    """``model`` with all that it would take away: routes, and the servers of backends that would have none. What it adds or changes stays."""
    new = {layout.entry(route) for route in model.routes}
    old = [route for route in layout.routes(now) if layout.entry(route) not in new]
    servers = {
        p.backend: tuple(s.server for s in p.slots if s.server)
        for p in now.pools
        if p.backend and not model.servers.get(p.backend)
    }
    return replace(
        model,
        ports=model.ports or now.ports,
        routes=(*model.routes, *old),
        servers={**model.servers, **servers},
        loaded={**now.loaded, **model.loaded},
    )
