"""Which addresses serve: targets, what each vantage point says about them, and the verdict. Pure: time is passed in.

A vantage point is the federation's leader or the controller of a member. An address is withdrawn if the leader and
another place, or two other places, cannot reach it; losing a member's API withdraws nothing.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from rancherctl.federation.model import FederatedService, ShardAddress, Verdict
from rancherctl.text import and_more, plural, short_digest

PERIOD: Final = 2.0
"""Seconds between two probes of a target."""
PLACES_PER_TARGET: Final = 3
"""Members that probe a target, beside the leader."""
MAX_RATE: Final = 500
"""Connections a second of one vantage point; more targets are probed less often."""
FRESH_SECONDS: Final = 25.0
"""A report that is older says nothing: members report every 10 s."""
REACHED_SECONDS: Final = 600.0
"""A place counts against a target only if it has reached it within this time."""
SINGLE_SECONDS: Final = 30.0
"""How long the only valid place must have failed."""
HOLD_SECONDS: Final = 10.0
MAX_HOLD_SECONDS: Final = 300.0
LEADER: Final = ""
"""The leader among vantage points; the others are names of members."""


Canary = Callable[[], bool]
"""Whether something else outside answers this host, so that it is not cut off; asked when one place decides."""


class Seen(StrEnum):
    """What one place sees of a target."""

    UP = "up"
    """The last three probes succeeded."""
    DOWN = "down"
    """Three of the last four probes failed."""
    MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class Target:
    """What is probed: a TCP connect, and an HTTP request for ``path`` if there is one. ``members`` publish it."""

    key: str
    address: str
    port: int
    path: str = ""
    members: frozenset[str] = frozenset()

    def to_json(self) -> list[Any]:
        """Without members."""
        return [self.key, self.address, self.port, self.path]

    @classmethod
    def from_json(cls, value: Any) -> Target:
        """Raises ValueError."""
        if not (isinstance(value, list) and len(value) == 4 and isinstance(value[2], int)):
            raise ValueError("not a target")
        key, address, port, path = value
        return cls(str(key), str(address), port, str(path))


@dataclass(frozen=True, slots=True)
class Result:
    """What a place sees of a target, and how many seconds ago it reached it (None: never)."""

    seen: Seen
    reached: float | None = None


def verdict_keys(service: FederatedService, address: ShardAddress) -> tuple[str, ...]:
    """The verdicts that concern an address of a Service: the address's, and that of the Service's own check."""
    own = _own_check(service, address)
    return (address.address, own.key) if own else (address.address,)


def _own_check(service: FederatedService, address: ShardAddress) -> Target | None:
    check = service.health_check
    if check is None or not address.ports:
        return None
    port = min(address.ports)
    if check == "tcp":
        return Target(f"{address.address} tcp:{port}", address.address, port)
    if check.startswith("http:/"):
        path = check.removeprefix("http:")
        return Target(f"{address.address} http:{port}{path}", address.address, port, path)
    return None


def targets(services: Iterable[FederatedService]) -> dict[str, Target]:
    """The distinct addresses of all shards with one TCP port in use there (the lowest), and own checks, by key."""
    ports: dict[str, int] = {}
    members: dict[str, set[str]] = {}
    own: dict[str, Target] = {}
    for service in services:
        for shard in service.shards:
            for address in shard.addresses:
                if not address.ports:
                    continue
                ports[address.address] = min((*address.ports, ports.get(address.address, 65536)))
                members.setdefault(address.address, set()).add(shard.member)
                if check := _own_check(service, address):
                    own[check.key] = check
    found = {a: Target(a, a, port, "", frozenset(members[a])) for a, port in ports.items()}
    more = {k: Target(k, t.address, t.port, t.path, frozenset(members[t.address])) for k, t in own.items()}
    return {**found, **more}


def assigned(found: Iterable[Target], places: Collection[str]) -> dict[str, list[Target]]:
    """Member → the targets that it probes: each target by PLACES_PER_TARGET members, never by one that has it.

    A member's own addresses always answer there, because kube-proxy takes a short cut.
    """
    out: dict[str, list[Target]] = {place: [] for place in places}
    for target in found:
        others = [place for place in places if place not in target.members]
        others.sort(key=lambda place, key=target.key: short_digest(f"{key} {place}", 16))  # type: ignore[misc]
        for place in others[:PLACES_PER_TARGET]:
            out[place].append(target)
    return out


def period(count: int) -> float:
    """Seconds between two rounds of ``count`` probes."""
    return max(PERIOD, count / MAX_RATE)


@dataclass(slots=True)
class ProbeLog:
    """The last probes of one place."""

    _outcomes: dict[str, deque[bool]] = field(default_factory=dict)
    _reached: dict[str, float] = field(default_factory=dict)

    def record(self, outcomes: Mapping[str, bool | None], now: float) -> None:
        """Add a round; targets that are not in it are forgotten, None (a failure of this host) is left out."""
        self._outcomes = {key: self._outcomes.get(key, deque(maxlen=4)) for key in outcomes}
        for key, ok in outcomes.items():
            if ok is None:
                continue
            self._outcomes[key].append(ok)
            if ok:
                self._reached[key] = now
        self._reached = {key: at for key, at in self._reached.items() if key in outcomes}

    def results(self, now: float) -> dict[str, Result]:
        """What this place sees now."""
        out = {}
        for key, last in self._outcomes.items():
            if not last:
                continue
            reached = self._reached.get(key)
            out[key] = Result(_seen(last), None if reached is None else now - reached)
        return out


def _seen(last: Sequence[bool]) -> Seen:
    recent = list(last)
    if recent.count(False) >= 3:
        return Seen.DOWN
    return Seen.UP if len(recent) >= 3 and all(recent[-3:]) else Seen.MIXED


def results_to_json(results: Mapping[str, Result], sequence: int) -> str:
    """A report: every one has another ``sequence``, so that a reader sees on its own clock how old it is."""
    body = {k: [r.seen, None if r.reached is None else round(r.reached, 1)] for k, r in sorted(results.items())}
    return json.dumps({"sequence": sequence, "results": body}, separators=(",", ":"))


def results_from_json(text: str) -> dict[str, Result]:
    """Read a report; raises ValueError."""
    content: Any = json.loads(text)
    try:
        return {
            str(key): Result(Seen(value[0]), None if value[1] is None else max(0.0, float(value[1])))
            for key, value in content["results"].items()
        }
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"not a report of probes: {error!r}") from error


@dataclass(slots=True)
class _Address:
    """Memory of one target. Times are those of the judge."""

    withdrawn: bool = False
    reason: str = ""
    since: float = 0.0
    seen: float = 0.0
    single_since: float | None = None
    good_since: float | None = None
    hold: float = HOLD_SECONDS
    returned: float | None = None


@dataclass(slots=True)
class _Report:
    results: Mapping[str, Result]
    at: float

    def of(self, key: str, now: float) -> Result | None:
        """The result, if it is fresh; its age is that of now."""
        found = self.results.get(key)
        if found is None or now - self.at > FRESH_SECONDS:
            return None
        return Result(found.seen, None if found.reached is None else found.reached + now - self.at)


class Judge:
    """Verdicts of all targets. ``feed`` the reports as they arrive, then call ``judge``."""

    def __init__(self, withdrawn: Mapping[str, str] | None = None, now: float = 0.0) -> None:
        """``withdrawn``: key → reason, from the leader before."""
        self._reports: dict[str, _Report] = {}
        self._addresses = {k: _Address(True, why, now, now) for k, why in (withdrawn or {}).items()}
        self.held: tuple[str, ...] = ()
        """Targets that would be withdrawn if another member were seen alive."""

    def forget(self, place: str) -> None:
        """The place reports no longer."""
        self._reports.pop(place, None)

    def feed(self, place: str, results: Mapping[str, Result], now: float) -> None:
        """A report of a vantage point (LEADER or a member's name) that has just arrived."""
        self._reports[place] = _Report(results, now)

    def judge(self, found: Mapping[str, Target], now: float, canary: Canary) -> dict[str, Verdict]:
        """The verdicts now."""
        for key in found:
            self._addresses.setdefault(key, _Address()).seen = now
        # A target may be away for a moment, for example while members are read for the first time.
        self._addresses = {k: a for k, a in self._addresses.items() if now - a.seen <= (REACHED_SECONDS * a.withdrawn)}
        held: list[str] = []
        for key, target in found.items():
            self._update(key, target, found, now, canary, held)
        self.held = tuple(sorted(held))
        return {key: Verdict(a.withdrawn, a.reason, a.since) for key, a in self._addresses.items() if key in found}

    def withdrawn(self) -> dict[str, str]:
        """Key → reason of all that is withdrawn, also of targets that are away for a moment."""
        return {key: address.reason for key, address in sorted(self._addresses.items()) if address.withdrawn}

    def valid_places(self, key: str, now: float) -> int:
        """How many places have a say about a target."""
        return len(self._valid(key, now))

    def _valid(self, key: str, now: float) -> dict[str, Result]:
        """Place → its result, of places that have reached the target within REACHED_SECONDS."""
        out = {}
        for place, report in self._reports.items():
            result = report.of(key, now)
            if result is not None and result.reached is not None and result.reached <= REACHED_SECONDS:
                out[place] = result
        return out

    def _update(
        self,
        key: str,
        target: Target,
        found: Mapping[str, Target],
        now: float,
        canary: Canary,
        held: list[str],
    ) -> None:
        state = self._addresses[key]
        valid = self._valid(key, now)
        down = sorted(place for place, result in valid.items() if result.seen is Seen.DOWN)
        why = self._dead(state, valid, down, now, canary)
        if state.withdrawn:
            self._return(state, key, down, now, dead=bool(why))
            return
        if not why:
            return
        if not self._other_alive(target, found, now):
            held.append(key)
            return
        if state.returned is not None:
            state.hold = (
                HOLD_SECONDS if now - state.returned >= REACHED_SECONDS else min(state.hold * 2, MAX_HOLD_SECONDS)
            )
        state.withdrawn, state.reason, state.since, state.good_since = True, why, now, None

    @staticmethod
    def _dead(state: _Address, valid: Mapping[str, Result], down: Sequence[str], now: float, canary: Canary) -> str:
        """Why the target counts as dead; "" if it does not."""
        names = and_more([place or "the federation" for place in down])
        said = f"3 of 4 probes failed from {plural(len(down), 'place')} ({names})"
        if len(valid) == 1 and down:
            state.single_since = now if state.single_since is None else state.single_since
            return said if now - state.single_since >= SINGLE_SECONDS and canary() else ""
        state.single_since = None
        others = [place for place in down if place != LEADER]
        if LEADER in valid:
            return said if LEADER in down and others else ""
        return said if len(others) >= 2 else ""

    def _other_alive(self, target: Target, found: Mapping[str, Target], now: float) -> bool:
        """Whether another member is seen alive: one of its addresses answers the leader, or it reports.

        The canary does not count: a name server on the federation's own host answers when its cable is pulled, too.
        """
        leader = self._reports.get(LEADER)
        others = [leader.of(o.key, now) for o in found.values() if o.members - target.members] if leader else []
        if any(r is not None and r.seen is not Seen.DOWN and r.reached is not None for r in others):
            return True
        fresh = {p for p, r in self._reports.items() if p != LEADER and now - r.at <= FRESH_SECONDS}
        return bool(fresh - target.members)

    def _return(self, state: _Address, key: str, down: Sequence[str], now: float, *, dead: bool) -> None:
        """Take the address back when it has been good for the time of its hold."""
        seen = {p: r.seen for p, report in self._reports.items() if (r := report.of(key, now)) is not None}
        good = not dead and LEADER not in down and Seen.UP in seen.values() and seen.get(LEADER) is not Seen.DOWN
        if not good:
            state.good_since = None
            return
        state.good_since = now if state.good_since is None else state.good_since
        if now - state.good_since >= state.hold:
            state.withdrawn, state.reason, state.since, state.returned = False, "", now, now
            state.good_since = None
