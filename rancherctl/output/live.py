"""The live view on a terminal: finished phases scroll by, one line per subject at work stays below. Imports rich; only for terminals.

What hosts finish inside a phase that is announced as a whole (an event without a subject) is not kept: the phase's own line says it all.
Failures, warnings and notes always stay.
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
from rancherctl.output.progress import Clock
from rancherctl.output.tables import visible

SPARE = 4
_STYLE = {"failed": "red", "done": "green"}
_MARK = {"failed": "✗", "done": "✓", "note": "·"}


class Live:
    """rich's live display, fed from any thread. Text from hosts is never read as markup."""

    def __init__(self, stream: TextIO, clock: Clock, *, debug: bool = False, color: bool = True) -> None:
        self._console = Console(file=stream, markup=False, highlight=False, emoji=False, no_color=not color)
        self._clock, self._debug = clock, debug
        self._lock = threading.Lock()
        self._busy: dict[str, tuple[Event, float]] = {}
        self._spinner = Spinner("dots")
        self._live = RichLive(_View(self.lines), console=self._console, refresh_per_second=8, transient=True)

    def emit(self, event: Event) -> None:
        """Show one event: started and progress below, everything else as a line that stays."""
        with self._lock:
            if event.state in ("done", "failed"):
                self._busy.pop(event.subject, None)
            if not self._debug and (event.level == "debug" or self._folded(event)):
                return
            _, since = self._busy.get(event.subject, (event, self._clock()))
            if event.state in ("started", "progress"):
                begun = self._clock() if event.state == "started" else since
                self._busy[event.subject] = (event, begun)
                return
        style = (
            "yellow" if event.level == "warning" else "red" if event.level == "error" else _STYLE.get(event.state, "")
        )
        self._console.print(Text(f"{_MARK[event.state]} {_text(event)}", style=style), soft_wrap=True)

    def _folded(self, event: Event) -> bool:
        """Whether the line of the phase that runs as a whole will say this."""
        whole = self._busy.get("")
        return (
            event.state == "done"
            and event.level == "info"
            and bool(event.subject)
            and whole is not None
            and whole[0].phase == event.phase
        )

    def lines(self, height: int) -> list[Text]:
        """What is at work now, each with its seconds: the whole first, then subjects; as many as there is room for, and how many more."""
        with self._lock:
            found = sorted(self._busy.items())
        now, frame = self._clock(), str(self._spinner.render(time.monotonic()))
        room = max(height - 2, 1)
        shown = [
            Text(f"{frame} {_text(event)} ({now - since:.0f}s)", no_wrap=True) for _, (event, since) in found[:room]
        ]
        return [*shown, Text(f"  and {len(found) - room} more")] if len(found) > room else shown

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Take the view off the terminal while a question stands there."""
        self._live.stop()
        try:
            yield
        finally:
            self._live.start()

    def __enter__(self) -> Live:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._busy.clear()
        self._live.stop()


class _View:
    """Rendered anew whenever rich draws, so that a finished step is never drawn as running."""

    def __init__(self, lines: Callable[[int], list[Text]]) -> None:
        self._lines = lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self._lines(options.size.height):
            # not the whole width: the terminal shows ^C behind the last line, and a line more would stay on the screen
            line.truncate(max(options.max_width - SPARE, 1), overflow="ellipsis")
            yield line


def _text(event: Event) -> str:
    percent = f" {event.fraction:.0%}" if event.fraction is not None and event.state == "progress" else ""
    where = f"{event.subject} {event.phase}: " if event.subject else ""
    return visible(f"{where}{event.message}{percent}")
