"""Progress as one plain or JSON line per event, for logs and for standard errors that are not terminals."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from types import TracebackType
from typing import TextIO

from rancherctl.events import Event
from rancherctl.output.tables import visible

Clock = Callable[[], float]
"""Seconds since the epoch."""


def plain_line(event: Event, now: float) -> str:
    """``time host phase message``; the time is UTC."""
    when = datetime.fromtimestamp(now, UTC).strftime("%H:%M:%SZ")
    level = f"{event.level}: " if event.level in ("warning", "error") else ""
    return visible(f"{when} {event.subject or '-'} {event.phase} {level}{event.message}")


def json_line(event: Event, now: float) -> str:
    """One JSON object per line."""
    when = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    fields = {
        "time": when,
        "subject": event.subject,
        "phase": event.phase,
        "state": event.state,
        "level": event.level,
        "message": event.message,
    }
    if event.fraction is not None:
        fields["fraction"] = f"{event.fraction:.3f}"
    return json.dumps(fields, ensure_ascii=False)


class LineProgress:
    """One line per event, written immediately. ``progress`` and debug events are shown with ``debug`` only."""

    def __init__(
        self, stream: TextIO, form: Callable[[Event, float], str], clock: Clock, *, debug: bool = False
    ) -> None:
        self._stream, self._form, self._clock, self._debug = stream, form, clock, debug
        self._lock = threading.Lock()

    def emit(self, event: Event) -> None:
        """Write the line of one event."""
        if not self._debug and (event.level == "debug" or event.state == "progress"):
            return
        line = self._form(event, self._clock())
        if line:
            with self._lock:
                self._stream.write(line + "\n")
                self._stream.flush()

    def paused(self) -> AbstractContextManager[object]:
        """Nothing to do: finished lines do not disturb a question."""
        return nullcontext()

    def __enter__(self) -> LineProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.flush()
