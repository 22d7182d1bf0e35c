"""Measurements of lab tests: printed at the end of a run, not asserted, because machines are shared."""

from __future__ import annotations

from collections.abc import Callable

Measure = Callable[[str, float, str], None]
"""(name, value, unit): record a measurement of this run."""
TAKEN: list[tuple[str, float, str]] = []


def lines() -> list[str]:
    """One line per measurement, in the order they were taken."""
    return [f"{value:10.3f} {unit:<10} {name}" for name, value, unit in TAKEN]
