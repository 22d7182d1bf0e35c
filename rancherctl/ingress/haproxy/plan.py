"""Decide between no change, runtime commands, and a reload with its reason. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from rancherctl.ingress.haproxy import commands, crt_list, layout, listeners
from rancherctl.ingress.haproxy.commands import RuntimeCommand
from rancherctl.ingress.haproxy.crt_list import NO_CHANGE, CrtChange
from rancherctl.ingress.haproxy.layout import Layout
from rancherctl.ingress.haproxy.map_changes import MapChange, map_change
from rancherctl.ingress.haproxy.maps import maps_of
from rancherctl.ingress.haproxy.pools import Pool, Slot
from rancherctl.ingress.haproxy.profiles import PLAIN, Profile, profile_of
from rancherctl.ingress.haproxy.render import Paths
from rancherctl.ingress.model import HASH_SCHEME, Listener, Model, Route, Server
from rancherctl.ingress.translate.latest import Latest

MAX_COMMANDS = 4000
MAX_SLOTS = 4000
Busy = frozenset[tuple[str, str]]
"""(pool, slot) pairs that still hold connections to their last address."""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """HAProxy serves the model already; only the Ingresses in ``layout.loaded`` may have changed."""

    layout: Layout


@dataclass(frozen=True, slots=True)
class Runtime:
    """Commands in this order, and the layout that results.

    ``pools`` and ``keys`` (map, key) are those that the commands change. ``certificates`` is added before the commands
    and deleted after them. ``default`` is a new content of the default certificate ("" = as before). ``authorities``
    are files with authorities of clients' certificates to load (name → content), ``unused`` those to remove.

    ``before`` and ``after`` surround all of it: names whose authorities change prove nothing meanwhile.
    """

    commands: tuple[RuntimeCommand, ...]
    layout: Layout
    pools: frozenset[str] = frozenset()
    keys: tuple[tuple[str, str], ...] = ()
    certificates: CrtChange = NO_CHANGE
    default: str = ""
    authorities: Mapping[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    before: tuple[RuntimeCommand, ...] = ()
    after: tuple[RuntimeCommand, ...] = ()


@dataclass(frozen=True, slots=True)
class Reload:
    """Start a new process with this layout; ``reason`` is one line."""

    reason: str
    layout: Layout


Decision = Unchanged | Runtime | Reload


class _NoRoomError(Exception):
    """The running process cannot take the change."""


@dataclass(slots=True)
class _Commands:
    """Commands by step: first what is served grows, then it shrinks."""

    fill: list[RuntimeCommand] = field(default_factory=list)
    empty: list[RuntimeCommand] = field(default_factory=list)

    def around(self, maps: MapChange) -> tuple[RuntimeCommand, ...]:
        return (*self.fill, *maps.grow, *maps.shrink, *self.empty)


def contended(now: Layout | None, model: Model) -> tuple[str, ...]:
    """Pools in which used slots would be filled again.

    Read whether these slots still have old connections (``observe.busy``) before calling ``plan``.
    """
    if now is None or restart_reason(now, model):
        return ()
    wanted, kept, missing_by_profile = usage(now.pools, model.routes)
    names: list[str] = []
    for pool in now.pools:
        servers = model.servers_of(wanted[key]) if (key := kept.get(pool.name)) else ()
        if pool.servers.issuperset(servers):
            continue
        new = set(servers) - pool.servers
        if len(new) > sum(not s.used for s in pool.slots) and any(s.used and not s.server for s in pool.slots):
            names.append(pool.name)
    for profile, missing in missing_by_profile.items():
        free = spares(now, profile, frozenset())
        if len(missing) > sum(not p.used for p in free):
            names += [p.name for p in free if p.used]
    return tuple(sorted(names))


class Usage(NamedTuple):
    """``wanted``: a route for each pool that the routes need, by key. For the others see ``_kept`` and ``_missing``."""

    wanted: Mapping[str, Route]
    kept: Mapping[str, str]
    missing: Mapping[Profile, list[str]]


def _usage_of(pools: tuple[Pool, ...], routes: tuple[Route, ...]) -> Usage:
    wanted = {r.pool_key: r for r in routes if r.pool_key}
    kept = _kept(pools, wanted)
    return Usage(wanted, kept, _missing(kept, wanted))


usage: Final = Latest(_usage_of)
"""``contended`` and ``plan`` are asked about the same model one after the other."""


def _kept(pools: tuple[Pool, ...], wanted: Mapping[str, Route]) -> dict[str, str]:
    """The key of each pool that stays in use, by name of the pool.

    A pool whose key is not wanted any more takes that of the same Service port with other values of its options, but
    never with other authorities of clients: its routes may lead to it for some commands longer.
    """
    kept = {p.name: p.key for p in pools if p.key in wanted}
    have = set(kept.values())
    free: dict[tuple[str, Profile, str, str], list[str]] = {}
    for pool in pools:
        if pool.key and pool.name not in kept:
            same = pool.backend, pool.profile, pool.options.client_ca, pool.options.client_verify
            free.setdefault(same, []).append(pool.name)
    for key in sorted(wanted.keys() - have) if free else ():
        backend, options = wanted[key].backend.key, wanted[key].options
        if names := free.get((backend, profile_of(options), options.client_ca, options.client_verify)):
            kept[names.pop()] = key
    return kept


def _missing(kept: Mapping[str, str], wanted: Mapping[str, Route]) -> dict[Profile, list[str]]:
    """Keys of wanted pools that HAProxy does not have, by profile: only a spare pool of it can take the routes."""
    out: dict[Profile, list[str]] = {}
    for key in sorted(wanted.keys() - kept.values()):
        out.setdefault(profile_of(wanted[key].options), []).append(key)
    return out


def plan(now: Layout | None, model: Model, paths: Paths, busy: Busy = frozenset()) -> Decision:
    """Decide how HAProxy gets from ``now`` (None: unknown) to ``model``.

    Planning again with the layout of the decision gives Unchanged.
    """
    if now is None:
        return Reload("the running configuration is unknown", layout.build(model, None))
    if reason := restart_reason(now, model):
        return Reload(reason, layout.build(model, now))
    steps = _Commands()
    try:
        pools = _pools(now, model, busy, steps)
    except _NoRoomError as full:
        return Reload(str(full), layout.build(model, now))
    maps = maps_of(model, pools)
    changed = map_change(now.maps, maps, paths)
    certificates = crt_list.change(now.lines, model.tls.names, model.tls.options, model.tls.excluded)
    default = model.tls.default if model.tls.default != now.default else ""
    wanted = replace(
        now,
        pools=pools,
        maps=maps,
        loaded=dict(model.loaded),
        hash_scheme=HASH_SCHEME,
        lines=certificates.lines,
        default=model.tls.default,
        secured=model.secured,
        ports=dict(model.ports),
        authorities=dict(model.tls.authorities),
    )
    runtime = steps.around(changed)
    authorities = {name: c for name, c in model.tls.authorities.items() if now.authorities.get(name) != c}
    unused = tuple(sorted(now.authorities.keys() - model.tls.authorities.keys()))
    count = len(runtime) + len(certificates.add) + len(certificates.delete) + len(changed.before) + len(changed.after)
    count += 3 * len(certificates.install)
    if not count and not default and not authorities and not unused:
        return Unchanged(wanted)
    if count > MAX_COMMANDS:
        return Reload(f"{count} changes at once", layout.build(model, now))
    pools_touched = frozenset(
        new.name for old, new in zip(now.pools, pools, strict=True) if new is not old and new.slots != old.slots
    )
    return Runtime(
        runtime,
        wanted,
        pools_touched,
        tuple(sorted(changed.keys)),
        certificates,
        default,
        authorities,
        unused,
        tuple(changed.before),
        tuple(changed.after),
    )


def _kept_listeners(now: Layout, model: Model) -> tuple[Listener, ...]:
    """Those of the model, and those of ``now`` that only Ingresses asked for: they are not worth a new process."""
    unused = [x for x in now.listeners if x.own and x not in model.listeners]
    taken = {x.port for x in model.listeners}
    if not model.listeners or any(x.port in taken for x in unused):
        return model.listeners
    return (*model.listeners, *unused) if unused else model.listeners


def restart_reason(now: Layout, model: Model) -> str:
    """Why only a new process can have the model, whatever its routes need; "" if the running one may."""
    if set(_kept_listeners(now, model)) != set(now.listeners):
        return f"listeners: {listeners.names(now.listeners)} → {listeners.names(model.listeners)}"
    if bool(now.default) != bool(model.tls.default):
        return "default certificate removed" if now.default else "default certificate added"
    firsts = (
        (now.own_ports, model.ports, "the first Ingress with other ports than the default ones"),
        (now.behind_proxies, model.proxies.trusted, "the first trusted proxies"),
        (now.asks_clients, model.tls.clients, "first certificates of clients: TLS sessions are not resumed any more"),
        (now.log_all, layout.logs_all(model), "the first access log of all requests"),
    )
    return next((reason for known, needed, reason in firsts if needed and not known), "")


def spares(now: Layout, profile: Profile, busy: Busy) -> list[Pool]:
    """Pools that can take a route with this profile."""
    return [
        p
        for p in now.pools
        if not p.key and p.profile == profile and not any((p.name, s.name) in busy for s in p.slots)
    ]


def _pools(now: Layout, model: Model, busy: Busy, steps: _Commands) -> tuple[Pool, ...]:
    wanted, kept, missing_by_profile = usage(now.pools, model.routes)
    keys = dict(kept)
    for profile, missing in missing_by_profile.items():
        # A pool that becomes spare in this step is not used again in it: its slots may have old connections.
        free = spares(now, profile, busy)
        if len(missing) > len(free):
            such = "" if profile == PLAIN else f" of the profile {profile.name}"
            raise _NoRoomError(f"{len(free)} spare backends{such} for {len(missing)} new ones")
        names = (p.name for p in sorted(free, key=lambda p: p.used))
        keys |= dict(zip(names, missing, strict=False))
    out: list[Pool] = []
    for pool in now.pools:
        key = keys.get(pool.name, "")
        servers = model.servers_of(wanted[key]) if key else ()
        same = len(servers) == len(pool.servers) and pool.servers.issuperset(servers)
        slots = pool.slots if same else _slots(pool, servers, busy, now.check_seconds, steps)
        if key == pool.key:
            out.append(pool if same else replace(pool, slots=slots))
        else:
            options = wanted[key].options if key else pool.profile.text
            out.append(Pool(pool.name, wanted[key].backend.key if key else "", slots, options, pool.profile))
    return tuple(out)


def _slots(pool: Pool, servers: tuple[Server, ...], busy: Busy, seconds: int, steps: _Commands) -> tuple[Slot, ...]:
    wanted = frozenset(servers)  # a headless Service may have thousands
    new = [s for s in servers if s not in pool.servers]
    free = sorted((s for s in pool.slots if not s.server and (pool.name, s.name) not in busy), key=lambda s: s.used)
    filled = {slot.name: server for slot, server in zip(free, new, strict=False)}
    out: list[Slot] = []
    for slot in pool.slots:
        if slot.server is not None and slot.server not in wanted:
            steps.empty.append(commands.switch(pool.name, slot.name, on=False))
            out.append(Slot(slot.name, used=True))
        elif slot.name in filled:
            server = filled[slot.name]
            steps.fill += [commands.point(pool.name, slot.name, server), commands.switch(pool.name, slot.name, on=True)]
            out.append(Slot(slot.name, server, used=True))
        else:
            out.append(slot)
    for server in new[len(filled) :]:
        if pool.profile.text.sticky:
            # HAProxy 2.6 gives servers that are added at run time no cookie.
            raise _NoRoomError(f"more servers than slots in {pool.backend or 'a new pool'} with sticky sessions")
        if len(out) >= MAX_SLOTS:
            raise _NoRoomError(f"more than {MAX_SLOTS} servers in {pool.backend}")
        name = f"s{len(out) + 1}"
        steps.fill += commands.add_server(pool.name, name, server, seconds, pool.profile.text)
        out.append(Slot(name, server, used=True))
    return tuple(out)
