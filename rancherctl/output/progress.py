"""Progress on standard error: a live view on terminals, one plain or JSON line per event elsewhere.

A ``Progress`` is used as a context manager; its ``emit`` may be called from any thread.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, TextIO

from rancherctl.events import Event
from rancherctl.output.line_progress import Clock, LineProgress, json_line, plain_line


class Progress(Protocol):
    """Shows events while a command runs."""

    def emit(self, event: Event) -> None:
        """Show one event."""

    def paused(self) -> AbstractContextManager[object]:
        """Clear the terminal for a question while the block runs."""

    def __enter__(self) -> Progress: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def progress(
    mode: str, stream: TextIO, *, live: bool, debug: bool = False, color: bool = True, clock: Clock = time.time
) -> Progress:
    """The progress of a mode.

    ``auto`` is the live view if ``live`` (standard error is a terminal), plain lines otherwise.
    """
    if mode == "none":
        return LineProgress(stream, lambda _event, _now: "", clock, debug=debug)
    if mode == "json":
        return LineProgress(stream, json_line, clock, debug=debug)
    if mode == "auto" and live:
        from rancherctl.output.live import LiveView

        return LiveView(stream, clock, debug=debug, color=color)
    return LineProgress(stream, plain_line, clock, debug=debug)
