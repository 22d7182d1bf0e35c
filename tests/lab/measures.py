"""Times that lab tests measured: printed at the end of a run, never asserted tightly, because machines are shared."""

from __future__ import annotations

from collections.abc import Callable

Measure = Callable[[str, float, str], None]
"""(what, value, unit): remember a measure of this run."""
TAKEN: list[tuple[str, float, str]] = []


def lines() -> list[str]:
    """One line a measure, in the order they were taken."""
    return [f"{value:10.3f} {unit:<10} {name}" for name, value, unit in TAKEN]
