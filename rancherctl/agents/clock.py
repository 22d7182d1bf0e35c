"""Clocks of the agents: one for durations that goes on while the machine sleeps or the process is stopped, one for API texts."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def boottime() -> float:
    """Seconds since boot, suspend included: the only clock that decisions are made with."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def micro_time() -> str:
    """Now as the API's MicroTime text; others compare it for change only."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def rest(period: float, spent: float) -> float:
    """How long to wait for the next turn when this one took ``spent`` seconds: one answer that is late must not cost two turns."""
    return max(period - spent, period / 8)
