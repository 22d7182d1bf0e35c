"""Pools: HAProxy's backends with their server slots, as values and their JSON. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, get_args

from rancherctl.ingress.haproxy.profiles import ALWAYS, PLAIN, Kind, Profile, profile_of
from rancherctl.ingress.model import Server, pool_key
from rancherctl.ingress.options import NO_OPTIONS, RouteOptions

MIN_SLOTS = 4
MIN_SPARES = 16
MIN_SPARES_ALWAYS = 32
MIN_SPARES_IN_USE = 2
"""Spare pools of the plain profile, of profiles that every process has, and of others in use.

Each Service needs a pool for each combination of values that its Ingresses have at the same time. A pool takes 35 KB.
"""
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

    ``options`` are those of its routes. Only a reload changes its ``profile``; that of a spare pool says which options
    it can take.
    """

    name: str
    backend: str
    slots: tuple[Slot, ...]
    options: RouteOptions = NO_OPTIONS
    profile: Profile = PLAIN
    key: str = field(init=False, compare=False)
    """The ``pool_key`` of its routes; "" for a spare one."""
    servers: frozenset[Server] = field(init=False, compare=False)
    """The servers in its slots."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", pool_key(self.backend, self.options) if self.backend else "")
        object.__setattr__(self, "servers", frozenset(s.server for s in self.slots if s.server))

    @staticmethod
    def of(name: str, backend: str, slots: tuple[Slot, ...], options: RouteOptions) -> Pool:
        """A pool for routes with these options."""
        return Pool(name, backend, slots, options, profile_of(options))

    def __hash__(self) -> int:
        # Cheap: every change looks up thousands of pools, most of which are the same object as before.
        return hash((self.name, self.backend))

    @property
    def used(self) -> bool:
        """Whether any of its slots was used."""
        return any(slot.used for slot in self.slots)


@lru_cache(maxsize=1 << 14)
def to_json(pool: Pool) -> tuple[Any, ...]:
    """Plain values for the state file. Slots are called s1, s2 …; unused ones and default options are left out.

    Cached: from one change to the next, most pools stay the same object.
    """
    used = tuple(
        (number, s.server.address, s.server.port) if s.server else (number,)
        for number, s in enumerate(pool.slots, 1)
        if s.used
    )
    plain = (pool.name, pool.backend, len(pool.slots), used)
    return plain if pool.profile == PLAIN else (*plain, pool.options.changed, pool.profile.kind)


def from_json(name: Any, backend: Any, count: Any, used: Any, options: Any = None, kind: Any = "plain") -> Pool:
    """Parse the values that ``to_json`` gave. Raises ValueError, TypeError or IndexError for others."""
    slots = [Slot(f"s{i}") for i in range(1, int(count) + 1)]
    for number, *server in used:
        slots[int(number) - 1] = Slot(
            f"s{number}", Server(str(server[0]), int(server[1])) if server else None, used=True
        )
    found = RouteOptions.from_json(options or {})
    if backend:
        return Pool.of(str(name), str(backend), tuple(slots), found)
    if kind not in get_args(Kind):
        raise ValueError(f"unknown kind of pool: {kind!a}")
    return Pool(str(name), "", tuple(slots), found, Profile(kind, found))


def slot_count(servers: int, options: RouteOptions) -> int:
    """How many slots a pool gets: a power of two, at least twice the number of its servers.

    A pool with sticky sessions has twice as many: it cannot get more while HAProxy runs.
    """
    size = MIN_SLOTS
    while size < (4 if options.sticky else 2) * servers:
        size *= 2
    return size


def filled(name: str, backend: str, options: RouteOptions, servers: Sequence[Server]) -> Pool:
    """A pool with these servers in its first slots."""
    slots = [Slot(f"s{i}", s, used=True) for i, s in enumerate(servers, 1)]
    empty = [Slot(f"s{i}") for i in range(len(slots) + 1, slot_count(len(slots), options) + 1)]
    return Pool.of(name, backend, (*slots, *empty), options)


def spare(name: str, profile: Profile) -> Pool:
    """A pool without a backend, for routes whose options have this profile."""
    return Pool(name, "", tuple(Slot(f"s{i}") for i in range(1, MIN_SLOTS + 1)), profile.text, profile)


def spare_profiles(used: Iterable[Pool]) -> list[Profile]:
    """The profile of each spare pool that a process gets, beside the ``used`` ones."""
    counts = Counter(pool.profile for pool in used)
    least = dict.fromkeys(counts, MIN_SPARES_IN_USE) | dict.fromkeys(ALWAYS, MIN_SPARES_ALWAYS) | {PLAIN: MIN_SPARES}
    order = sorted(least, key=lambda profile: (profile != PLAIN, profile.name))
    return [profile for profile in order for _ in range(max(least[profile], counts[profile] // 4))]
