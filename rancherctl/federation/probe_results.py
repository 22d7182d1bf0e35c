"""What a vantage point sees of its targets from its last probes, and its report of that. Pure: time is passed in."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Seen(StrEnum):
    """What one place sees of a target."""

    UP = "up"
    """The last three probes succeeded."""
    DOWN = "down"
    """Three of the last four probes failed."""
    MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class Result:
    """What a place sees of a target, and how many seconds ago it reached it (None: never)."""

    seen: Seen
    reached: float | None = None


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
