"""Progress events as frozen values: producers call ``emit``, output.progress shows them.

Here lives the event type. Not here: printing, clocks (the consumer adds the time), logging configuration.
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

    ``subject`` is a host or object name ("" = the whole run), ``phase`` the phase's name, ``message`` one line without
    secrets. ``state``: ``started``, ``progress``, ``done``, ``failed`` or ``note``; ``fraction`` is 0 to 1 if known.
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
    """Show an activity while the block runs; a live view removes it afterwards."""
    emit(Event(phase, message, subject, "progress"))
    try:
        yield
    finally:
        emit(Event(phase, message, subject, "done", "debug"))


def ignore(event: Event) -> None:
    """Ignore progress: an ``Emit`` for callers that show none."""
