"""The live view on a terminal: finished steps scroll by, one line per subject at work stays below. Imports rich; only for terminals."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live as RichLive
from rich.spinner import Spinner
from rich.text import Text

from rancherctl.events import Event
from rancherctl.output.progress import Clock
from rancherctl.output.tables import visible

_STYLE = {"failed": "red", "done": "green"}
_MARK = {"failed": "✗", "done": "✓", "note": "·"}


class Live:
    """rich's live display, fed from any thread. Text from hosts is never read as markup."""

    def __init__(self, stream: TextIO, clock: Clock, *, debug: bool = False) -> None:
        self._console = Console(file=stream, markup=False, highlight=False, emoji=False)
        self._clock, self._debug = clock, debug
        self._lock = threading.Lock()
        self._busy: dict[str, tuple[Event, float]] = {}
        self._spinner = Spinner("dots")
        self._live = RichLive(console=self._console, refresh_per_second=8, transient=True, get_renderable=self._view)

    def emit(self, event: Event) -> None:
        """Show one event: started and progress below, everything else as a line that stays."""
        if event.level == "debug" and not self._debug:
            return
        with self._lock:
            _, since = self._busy.get(event.subject, (event, self._clock()))
            if event.state in ("started", "progress"):
                begun = self._clock() if event.state == "started" else since
                self._busy[event.subject] = (event, begun)
                return
            if event.state in ("done", "failed"):
                self._busy.pop(event.subject, None)
        style = "yellow" if event.level == "warning" else "red" if event.level == "error" else _STYLE.get(event.state, "")
        self._console.print(Text(f"{_MARK[event.state]} {_text(event)}", style=style), soft_wrap=True)

    def _view(self) -> Group:
        with self._lock:
            busy = sorted(self._busy.items())
        now = self._clock()
        frame = self._spinner.render(time.monotonic())
        return Group(*(Text.assemble(Text(str(frame)), f" {_text(event)} ({now - since:.0f}s)") for _, (event, since) in busy))

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

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._lock:
            self._busy.clear()
        self._live.stop()


def _text(event: Event) -> str:
    percent = f" {event.fraction:.0%}" if event.fraction is not None and event.state == "progress" else ""
    return visible(f"{event.subject or '-'} {event.phase}: {event.message}{percent}")
