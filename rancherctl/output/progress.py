"""Progress on standard error: a live view on terminals, one plain or JSON line per event elsewhere.

A ``Progress`` is used as a context manager; its ``emit`` may be called from any thread.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from types import TracebackType
from typing import Protocol, TextIO

from rancherctl.events import Event
from rancherctl.output.tables import visible

Clock = Callable[[], float]
"""Seconds since the epoch."""


class Progress(Protocol):
    """Somewhere events go while a command runs."""

    def emit(self, event: Event) -> None:
        """Show one event."""

    def paused(self) -> AbstractContextManager[object]:
        """Keep off the terminal while a question stands there."""

    def __enter__(self) -> Progress: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def progress(
    mode: str, stream: TextIO, *, live: bool, debug: bool = False, color: bool = True, clock: Clock = time.time
) -> Progress:
    """The progress for a mode: ``auto`` is the live view (with ``color``) where ``live`` holds and plain lines elsewhere."""
    if mode == "none":
        return Lines(stream, lambda _event, _now: "", clock, debug=debug)
    if mode == "json":
        return Lines(stream, json_line, clock, debug=debug)
    if mode == "auto" and live:
        from rancherctl.output.live import Live

        return Live(stream, clock, debug=debug, color=color)
    return Lines(stream, plain_line, clock, debug=debug)


def plain_line(event: Event, now: float) -> str:
    """``time host phase message``; the time is UTC with seconds."""
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


class Lines:
    """One line per event, written at once. Mere counting (``progress``) and debug events show with ``debug`` only."""

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
        """Lines never get in the way."""
        return nullcontext()

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.flush()
