"""Tell progress of a lab's steps with their durations, as events."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rancherctl.events import Emit, Event, ignore


@dataclass(frozen=True, slots=True)
class Steps:
    """``emit`` gets one event when a step starts and one when it ends; ``clock`` in seconds."""

    emit: Emit = ignore
    clock: Callable[[], float] = time.monotonic

    @contextmanager
    def step(self, message: str, subject: str = "") -> Iterator[None]:
        """Announce ``message``, run the block, tell how long it took."""
        began = self.clock()
        self.emit(Event("lab", message, subject, "started"))
        try:
            yield
        except BaseException:
            self.emit(Event("lab", f"{message}: failed after {self.clock() - began:.1f} s", subject, "failed", "error"))
            raise
        self.emit(Event("lab", f"{message}: {self.clock() - began:.1f} s", subject, "done"))

    def skipped(self, message: str, subject: str = "") -> None:
        """Tell that a step's output is there already."""
        self.emit(Event("lab", f"{message}: there already", subject, "done"))

    def waiting(self, what: str) -> None:
        """Tell that somebody else works on ``what`` and is waited for."""
        self.emit(Event("lab", f"another command works on {what}: waiting for its end"))

    def warn(self, message: str) -> None:
        """Tell something that stops nothing now and may hurt later."""
        self.emit(Event("lab", message, level="warning"))
