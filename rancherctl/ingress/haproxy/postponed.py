"""What a running HAProxy can do of a model whose rest waits for a reload. Pure.

Endpoints, certificates and all routes that have room follow at once. A route without a pool that fits stays as it was,
and the Ingresses of such routes count as loaded in their former state.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from rancherctl.ingress.haproxy import layout, plan
from rancherctl.ingress.haproxy.layout import Layout
from rancherctl.ingress.haproxy.maps import map_entry
from rancherctl.ingress.haproxy.pools import MIN_SLOTS
from rancherctl.ingress.haproxy.profiles import Profile
from rancherctl.ingress.model import Model, Route, Server, servers_key


def without_reload(now: Layout, model: Model, busy: plan.Busy = frozenset()) -> Model | None:
    """The part of ``model`` that needs no reload; None if the reason concerns all of it, for example a new listener.

    ``busy`` as in ``plan.plan``.
    """
    if plan.restart_reason(now, model):
        return None
    # A former route needs its pool again, which another one may have taken over: that one is late, too.
    while late := _late(now, model, busy):
        model = _with_former_routes(now, model, late)
    return replace(model, servers={**model.servers, **_fitting(now, model, busy)})


def _late(now: Layout, model: Model, busy: plan.Busy) -> set[str]:
    """Keys of wanted pools that the process has no room for."""
    usage = plan.usage(now.pools, model.routes)
    late: set[str] = set()
    for profile, keys in usage.missing.items():
        counts = {key: len(model.servers_of(usage.wanted[key])) for key in keys}
        late.update(_without_room(profile, keys, counts, len(plan.spares(now, profile, busy))))
    return late


def _without_room(profile: Profile, keys: Sequence[str], counts: dict[str, int], spares: int) -> Collection[str]:
    """Keys for which ``spares`` pools are not enough; ``counts`` are their numbers of servers."""
    fit = [key for key in keys if not (profile.text.sticky and counts[key] > MIN_SLOTS)]
    return set(keys).difference(fit[:spares])


def _with_former_routes(now: Layout, model: Model, late: Collection[str]) -> Model:
    """The model with what ``now`` has in place of routes that need the pools ``late``."""
    known = {map_entry(route): route for route in layout.routes_of(now)}
    ingresses = {route.ingress for route in model.routes if route.pool_key in late}
    former = [
        replace(old, ingress=route.ingress)
        for route in model.routes
        if route.pool_key in late and (old := known.get(map_entry(route)))
    ]
    return replace(
        model,
        routes=(*(route for route in model.routes if route.pool_key not in late), *former),
        servers={**_servers_in(now, former), **model.servers},
        loaded={
            key: content
            for key, found in model.loaded.items()
            if (content := now.loaded.get(key, "") if key in ingresses else found)
        },
        secured=(model.secured - ingresses) | (now.secured & ingresses),
    )


def _servers_in(now: Layout, routes: Collection[Route]) -> dict[str, tuple[Server, ...]]:
    """The servers that pools of these routes have, by ``servers_key``."""
    keys = {route.pool_key for route in routes}
    return {
        servers_key(pool.backend, pool.options): tuple(slot.server for slot in pool.slots if slot.server)
        for pool in now.pools
        if pool.key in keys
    }


def _fitting(now: Layout, model: Model, busy: plan.Busy) -> dict[str, tuple[Server, ...]]:
    """The servers that fit into pools with sticky sessions which have too few slots."""
    usage = plan.usage(now.pools, model.routes)
    out: dict[str, tuple[Server, ...]] = {}
    for pool in now.pools:
        if not (pool.profile.text.sticky and (key := usage.kept.get(pool.name))):
            continue
        wanted = model.servers_of(usage.wanted[key])
        new = [server for server in wanted if server not in pool.servers]
        free = sum(not slot.server and (pool.name, slot.name) not in busy for slot in pool.slots)
        if len(new) > free:
            out[usage.wanted[key].servers_key] = (*(s for s in wanted if s in pool.servers), *new[:free])
    return out
