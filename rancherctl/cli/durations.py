"""Durations in Go's notation (``90s``, ``5m``, ``1h30m``, ``1.5h``, ``300ms``). Pure."""

from __future__ import annotations

import re
from typing import Final

from rancherctl.errors import UsageError

_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
_LONGEST: Final = 2**63 / 1e9
"""Go's largest duration in seconds; Python's waits have a similar limit."""
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(h|ms|m|s|us|µs|μs|ns)")


def parse_duration(text: str) -> float:
    """Seconds; ``0`` needs no unit. UsageError for anything that Go rejects, and for negative durations."""
    if text in ("0", "+0"):
        return 0.0
    at, seconds = int(text.startswith("+")), 0.0
    while match := _PART.match(text, at):
        seconds += float(match[1]) * _UNITS[match[2]]
        at = match.end()
    if at != len(text) or text in ("", "+"):
        raise _invalid(text, "missing unit" if re.fullmatch(r"[0-9.]+", text) else "not a duration")
    if seconds > _LONGEST:
        raise _invalid(f"{text[:40]}…" if len(text) > 40 else text, "longer than 292 years")
    return seconds


def _invalid(text: str, why: str) -> UsageError:
    return UsageError(f"{text!r} is not a valid duration", why=why, hint="use a duration such as 90s, 5m or 1h30m")


class Duration(float):
    """Seconds whose text is in Go's notation: ``10m``, ``1h30m``, ``2.5s``."""

    __slots__ = ()

    def __str__(self) -> str:
        whole, rest = divmod(float(self), 60.0)
        hours, minutes = divmod(int(whole), 60)
        text = (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes else "") + (f"{rest:g}s" if rest else "")
        return text or "0s"

    __repr__ = __str__
