"""Progress as frozen values: producers take an ``emit`` callable, output.progress shows them.

Here lives the one event shape. Not here: printing, clocks (the consumer stamps the time), logging set-up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Event:
    """One step of progress.

    ``subject`` is a host or object name ("" = the whole run), ``phase`` the phase's name, ``message`` one line without secrets.
    ``state``: ``started``, ``progress``, ``done``, ``failed`` or ``note``; ``fraction`` 0..1 where it is known.
    """

    phase: str
    message: str
    subject: str = ""
    state: Literal["started", "progress", "done", "failed", "note"] = "note"
    level: Level = "info"
    fraction: float | None = None


Emit = Callable[[Event], None]


@contextmanager
def busy(emit: Emit, phase: str, message: str, subject: str = "") -> Iterator[None]:
    """Say what is being looked at while the block runs: a live view shows it meanwhile, nothing is left of it afterwards."""
    emit(Event(phase, message, subject, "progress"))
    try:
        yield
    finally:
        emit(Event(phase, message, subject, "done", "debug"))


def ignore(event: Event) -> None:
    """An ``Emit`` for callers that show no progress."""
