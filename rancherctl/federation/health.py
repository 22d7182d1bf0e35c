"""Which addresses serve: the verdict on each target from what the vantage points see of it. Pure: time is passed in.

A vantage point is the federation's leader or the controller of a member. An address is withdrawn if the leader and
another place, or two other places, cannot reach it; losing a member's API withdraws nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rancherctl.federation.model import Verdict
from rancherctl.federation.probe_results import Result, Seen
from rancherctl.federation.probe_targets import Target
from rancherctl.text import and_more, plural

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
