"""Clocks of the agents: one for durations, suspended time included, and one for API time stamps."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def boottime() -> float:
    """Seconds since boot, suspend included: the only clock that decisions are made with."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def micro_time() -> str:
    """Now, as the API's MicroTime text. Readers only check whether it changed."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def remaining(period: float, spent: float) -> float:
    """Seconds until the next turn if this one took ``spent``, at least an eighth of ``period``.

    One late answer must not cost two turns.
    """
    return max(period - spent, period / 8)
