"""What HAProxy has been given: pools with server slots, and routing maps. Pure values and their JSON.

A pool is one of HAProxy's backends. Pools and slots are prepared in advance and reused: HAProxy can fill, empty and
re-point them while it runs, but cannot rename them. So the name of a pool says nothing; this layout says which backend
is in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, get_args

from rancherctl.ingress.model import (
    HASH_SCHEME,
    NO_OPTIONS,
    BackendRef,
    Family,
    Listener,
    Model,
    PathKind,
    Route,
    RouteOptions,
    Server,
    pool_key,
)

MAPS = ("hosts", "wildcards", "exact", "prefix", "trusted", "speaking")
NETWORK_MAPS = ("trusted", "speaking")
"""Their keys are networks, see ``model.Proxies``. HAProxy finds them by an address in them."""
MIN_SLOTS = 4
MIN_SPARES = 16
SPARES_WITH_OPTIONS = 2
"""Spare pools for each set of options in use: enough for the next Ingress that has the same ones."""
CHECKS_PER_SECOND = 250
NOTHING = Server("0.0.0.0", 1)  # noqa: S104 - the address of a disabled slot; never bound, never contacted


@dataclass(frozen=True, slots=True)
class Slot:
    """One server line; without a ``server`` it is disabled.

    ``used``: it had a server since the process started, and may still have connections to it.
    """

    name: str
    server: Server | None = None
    used: bool = False


@dataclass(frozen=True, slots=True)
class Pool:
    """One HAProxy backend. ``backend`` is the key of the Service port in it, "" for a spare one.

    ``options`` are part of its text, so only a reload changes them.
    """

    name: str
    backend: str
    slots: tuple[Slot, ...]
    options: RouteOptions = NO_OPTIONS
    key: str = field(init=False, compare=False)
    """The ``pool_key`` of its routes; "" for a spare one."""
    servers: frozenset[Server] = field(init=False, compare=False)
    """The servers in its slots."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", pool_key(self.backend, self.options) if self.backend else "")
        object.__setattr__(self, "servers", frozenset(s.server for s in self.slots if s.server))

    def __hash__(self) -> int:
        # Cheap: every change looks up thousands of pools, most of which are the same object as before.
        return hash((self.name, self.backend))

    @property
    def used(self) -> bool:
        """Whether any of its slots was used."""
        return any(slot.used for slot in self.slots)


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything that decides HAProxy's files and state.

    ``loaded`` are content hashes by Ingress key, computed by ``hash_scheme``. ``check_seconds`` is the pause between
    two active checks of a server. ``generation`` names the process started with this layout and the socket of that
    process, so that no command reaches an earlier process. ``text`` is the digest of the configuration's fixed text
    (``render.text_digest``) that the process was started with; "" in states of release 0.1.
    """

    listeners: tuple[Listener, ...] = ()
    pools: tuple[Pool, ...] = ()
    maps: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: {name: {} for name in MAPS})
    loaded: Mapping[str, str] = field(default_factory=dict)
    check_seconds: int = 2
    generation: str = "idle"
    hash_scheme: int = HASH_SCHEME
    text: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values for the agent's state file, which later releases read too."""
        return {
            "listeners": [[x.family, x.port, x.protocol, list(x.certificates)] for x in self.listeners],
            "pools": [_plain_pool(p) for p in self.pools],
            "maps": {name: dict(entries) for name, entries in self.maps.items()},
            "loaded": dict(self.loaded),
            "check_seconds": self.check_seconds,
            "generation": self.generation,
            "hash_scheme": self.hash_scheme,
            "text": self.text,
        }

    @staticmethod
    def from_json(data: Any, families: Sequence[Family]) -> Layout:
        """Parse the output of ``to_json``, also that of release 0.1. Raises ValueError if it is not a layout.

        Release 0.1 wrote ports, on which it listened in all address families of the host (``families``).
        """
        try:
            return Layout(
                listeners=(
                    tuple(map(_listener, data["listeners"]))
                    if "listeners" in data
                    else tuple(Listener(family, int(port)) for port in data["ports"] for family in families)
                ),
                pools=tuple(_pool(*pool) for pool in data["pools"]),
                maps={name: {str(k): str(v) for k, v in _map(data["maps"], name).items()} for name in MAPS},
                loaded={str(k): str(v) for k, v in data["loaded"].items()},
                check_seconds=int(data["check_seconds"]),
                generation=_token(data["generation"]),
                hash_scheme=int(data.get("hash_scheme", 0)),
                text=str(data.get("text", "")),
            )
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise ValueError(f"not a layout: {error!r}") from error


def _map(maps: Any, name: str) -> Any:
    return maps.get(name, {}) if name in NETWORK_MAPS else maps[name]  # release 0.1 had none of networks


def _listener(value: Any) -> Listener:
    family, port, protocol, certificates = value
    if family not in get_args(Family) or protocol != "http":
        raise ValueError(f"unknown listener: {value!a}")
    return Listener(family, int(port), protocol, tuple(map(str, certificates)))


def _token(text: Any) -> str:
    if not isinstance(text, str) or not text.isalnum() or not text.isascii():
        raise ValueError(f"not a generation: {text!a}")
    return text


def _plain_pool(pool: Pool) -> list[Any]:
    """Slots are called s1, s2 …; unused ones and default options are left out."""
    used = [
        [number, s.server.address, s.server.port] if s.server else [number]
        for number, s in enumerate(pool.slots, 1)
        if s.used
    ]
    options = pool.options.changed
    return [pool.name, pool.backend, len(pool.slots), used, *([options] if options else [])]


def _pool(name: Any, backend: Any, count: Any, used: Any, options: Any = None) -> Pool:
    slots = [Slot(f"s{i}") for i in range(1, int(count) + 1)]
    for number, *server in used:
        slots[int(number) - 1] = Slot(
            f"s{number}", Server(str(server[0]), int(server[1])) if server else None, used=True
        )
    return Pool(str(name), str(backend), tuple(slots), RouteOptions.from_json(options or {}))


def maps_of(model: Model, pool_of: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The routing maps of a model; ``pool_of`` maps pool keys of routes to names of pools.

    ``hosts``: name → tier; ``wildcards``: parent → tier; ``exact``: tier + path; ``prefix``: tier + path + slash. A
    tier is the matching host pattern. The key ``*`` in ``exact`` is the default backend for everything unmatched.
    ``trusted`` and ``speaking`` are sets: all values are 1.
    """
    maps: dict[str, dict[str, str]] = {name: {} for name in MAPS}
    if model.listeners:  # without one, HAProxy loads no maps
        maps["trusted"] = dict.fromkeys(model.proxies.trusted, "1")
        maps["speaking"] = dict.fromkeys(model.proxies.speaking, "1")
    for host in {*model.bare, *(route.host for route in model.routes)} - {"*"}:
        if host.startswith("*."):
            maps["wildcards"][host[2:]] = host
        else:
            maps["hosts"][host] = host
    # Defaults come last: a prefix / has the same key as the default of its host, and counts before it.
    for route in sorted(model.routes, key=lambda r: r.kind == "default"):
        name, key = map_entry(route)
        maps[name].setdefault(key, pool_of[route.pool_key])
    return maps


def map_entry(route: Route) -> tuple[str, str]:
    """The map and the key that lead to a route."""
    if route.kind != "default":
        return route.kind, route.host + route.path
    return ("exact", "*") if route.host == "*" else ("prefix", f"{route.host}/")


def routes_of(layout: Layout) -> list[Route]:
    """The routes that give this layout.

    The default of a host is returned as its prefix ``/``, which has the same effect.
    """
    pools = {p.name: p for p in layout.pools if p.backend}

    def route(host: str, kind: PathKind, path: str, pool: str) -> Route:
        return Route(host, kind, path, BackendRef.of(pools[pool].backend), pools[pool].options)

    out = [route("*", "default", "", pool) for key, pool in layout.maps["exact"].items() if key == "*"]
    kinds: tuple[PathKind, ...] = ("exact", "prefix")
    for kind in kinds:
        for key, pool in layout.maps[kind].items():
            if key != "*":
                host, slash, path = key.partition("/")
                out.append(route(host, kind, slash + path, pool))
    return out


def _slot_count(servers: int) -> int:
    """How many slots a pool gets: a power of two, at least twice the number of its servers."""
    size = MIN_SLOTS
    while size < 2 * servers:
        size *= 2
    return size


def build(model: Model, previous: Layout | None) -> Layout:
    """A fresh layout for a new process.

    Pools keep the names they had; slots are filled from the first one on.
    """
    wanted = {r.pool_key: r for r in sorted(model.routes, key=lambda r: r.pool_key)}
    kept = {p.key: p.name for p in previous.pools if p.key} if previous else {}
    taken = {kept[key] for key in wanted if key in kept}
    numbers = (n for n in count(1) if f"b{n}" not in taken)
    names = {key: kept.get(key) or f"b{next(numbers)}" for key in wanted}
    pools: list[Pool] = []
    total = 0
    for key, route in wanted.items():
        servers = model.servers.get(route.backend.key, ())
        total += len(servers)
        filled = [Slot(f"s{i}", s, used=True) for i, s in enumerate(servers, 1)]
        empty = [Slot(f"s{i}") for i in range(len(filled) + 1, _slot_count(len(servers)) + 1)]
        pools.append(Pool(names[key], route.backend.key, (*filled, *empty), route.options))
    spares = [NO_OPTIONS] * max(MIN_SPARES, len(wanted) // 4) if model.listeners else []
    others = {r.options for r in wanted.values()} - {NO_OPTIONS}
    spares += [options for options in sorted(others, key=repr) for _ in range(SPARES_WITH_OPTIONS)]
    slots = tuple(Slot(f"s{i}") for i in range(1, MIN_SLOTS + 1))
    pools.extend(Pool(f"b{next(numbers)}", "", slots, options) for options in spares)
    return Layout(
        listeners=model.listeners,
        pools=tuple(sorted(pools, key=lambda p: int(p.name[1:]))),
        maps=maps_of(model, names),
        loaded=dict(model.loaded),
        check_seconds=max(2, -(-total // CHECKS_PER_SECOND)),
    )
