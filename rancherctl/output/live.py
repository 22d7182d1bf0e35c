"""The live view on a terminal: finished phases scroll up, one line per running step stays below. Imports rich.

Steps of single hosts inside a phase that has an event of its own (without a subject) leave no line; the phase's line
summarises them. Failures, warnings and notes always stay.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live as RichLive
from rich.spinner import Spinner
from rich.text import Text

from rancherctl.events import Event
from rancherctl.output.line_progress import Clock
from rancherctl.output.tables import visible

MARGIN = 4
_STYLE = {"failed": "red", "done": "green"}
_MARK = {"failed": "✗", "done": "✓", "note": "·"}


class LiveView:
    """rich's live display; ``emit`` may be called from any thread. Text from hosts is never interpreted as markup."""

    def __init__(self, stream: TextIO, clock: Clock, *, debug: bool = False, color: bool = True) -> None:
        self._console = Console(file=stream, markup=False, highlight=False, emoji=False, no_color=not color)
        self._clock, self._debug = clock, debug
        self._lock = threading.Lock()
        self._running: dict[str, tuple[Event, float]] = {}
        self._spinner = Spinner("dots")
        self._live = RichLive(_View(self.lines), console=self._console, refresh_per_second=8, transient=True)

    def emit(self, event: Event) -> None:
        """Show one event: started and progress in the running lines, any other as a permanent line."""
        with self._lock:
            if event.state in ("done", "failed"):
                self._running.pop(event.subject, None)
            if not self._debug and (event.level == "debug" or self._folded(event)):
                return
            _, since = self._running.get(event.subject, (event, self._clock()))
            if event.state in ("started", "progress"):
                started = self._clock() if event.state == "started" else since
                self._running[event.subject] = (event, started)
                return
        style = (
            "yellow" if event.level == "warning" else "red" if event.level == "error" else _STYLE.get(event.state, "")
        )
        self._console.print(Text(f"{_MARK[event.state]} {_text(event)}", style=style), soft_wrap=True)

    def _folded(self, event: Event) -> bool:
        """Whether the running phase's own line will cover this event."""
        whole = self._running.get("")
        return (
            event.state == "done"
            and event.level == "info"
            and bool(event.subject)
            and whole is not None
            and whole[0].phase == event.phase
        )

    def lines(self, height: int) -> list[Text]:
        """The running steps with their seconds, the phase first; as many as fit, then the number of the rest."""
        with self._lock:
            found = sorted(self._running.items())
        now, frame = self._clock(), str(self._spinner.render(time.monotonic()))
        room = max(height - 2, 1)
        shown = [
            Text(f"{frame} {_text(event)} ({now - since:.0f}s)", no_wrap=True) for _, (event, since) in found[:room]
        ]
        return [*shown, Text(f"  and {len(found) - room} more")] if len(found) > room else shown

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Remove the view from the terminal while the block runs."""
        self._live.stop()
        try:
            yield
        finally:
            self._live.start()

    def __enter__(self) -> LiveView:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._running.clear()
        self._live.stop()


class _View:
    """Rendered at each refresh, so that a finished step is never drawn as running."""

    def __init__(self, lines: Callable[[int], list[Text]]) -> None:
        self._lines = lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self._lines(options.size.height):
            # Leave room for ^C, which the terminal echoes after the last line; a wrapped line would stay on the screen.
            line.truncate(max(options.max_width - MARGIN, 1), overflow="ellipsis")
            yield line


def _text(event: Event) -> str:
    percent = f" {event.fraction:.0%}" if event.fraction is not None and event.state == "progress" else ""
    where = f"{event.subject} {event.phase}: " if event.subject else ""
    return visible(f"{where}{event.message}{percent}")
