"""Durations as Go writes them (``90s``, ``5m``, ``1h30m``, ``1.5h``, ``300ms``). Pure."""

from __future__ import annotations

import re
from typing import Final

from rancherctl.errors import UsageError

_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
_LONGEST: Final = 2**63 / 1e9
"""Seconds that Go can write; waits in Python end not far beyond."""
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(h|ms|m|s|us|µs|μs|ns)")


def parse_duration(text: str) -> float:
    """Seconds; ``0`` needs no unit. UsageError for anything Go would refuse, and for negative durations (a wait cannot end before it began)."""
    if text in ("0", "+0"):
        return 0.0
    at, seconds = int(text.startswith("+")), 0.0
    while match := _PART.match(text, at):
        seconds += float(match[1]) * _UNITS[match[2]]
        at = match.end()
    if at != len(text) or text in ("", "+"):
        raise _unusable(text, "a unit is missing" if re.fullmatch(r"[0-9.]+", text) else "it is not a duration")
    if seconds > _LONGEST:
        raise _unusable(f"{text[:40]}…" if len(text) > 40 else text, "it is longer than 292 years")
    return seconds


def _unusable(text: str, why: str) -> UsageError:
    return UsageError(f"{text!r} is not usable as a time", why=why, hint="write it like 90s, 5m or 1h30m")


class Duration(float):
    """Seconds that print as Go writes them: ``10m``, ``1h30m``, ``2.5s``."""

    __slots__ = ()

    def __str__(self) -> str:
        whole, rest = divmod(float(self), 60.0)
        hours, minutes = divmod(int(whole), 60)
        text = (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes else "") + (f"{rest:g}s" if rest else "")
        return text or "0s"

    __repr__ = __str__
