"""Wait for something that sends no notification: check it with a growing pause, up to a time limit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from rancherctl.errors import RancherctlError

T = TypeVar("T")
FIRST: Final = 0.1
LARGEST: Final = 2.0
"""Seconds between two checks, at first and at most."""


def poll_until(
    check: Callable[[], T | None],
    timeout: float,
    *,
    first: float = FIRST,
    largest: float = LARGEST,
    clock: Callable[[], float] = time.monotonic,
    stop: threading.Event | None = None,
) -> T | None:
    """Call ``check`` until it returns a true value, and return that.

    After ``timeout`` seconds the result is the last false value. ``stop`` ends the wait early. Errors of ``check`` pass
    through: whether an error means "not yet" is the caller's decision (see ``Tolerant``).
    """
    deadline, pause = clock() + timeout, first
    waiter = stop or threading.Event()
    while True:
        if found := check():
            return found
        left = deadline - clock()
        if left <= 0 or waiter.wait(min(pause, left)):
            return found
        pause = min(pause * 1.5, largest)


@dataclass(slots=True)
class Tolerant(Generic[T]):
    """A check for ``poll_until`` whose retryable errors mean "not yet"; other errors pass through."""

    check: Callable[[], T]
    problem: str = field(default="", init=False)
    """The last retryable error, for the message of a time-out."""

    def __call__(self) -> T | None:
        try:
            return self.check()
        except RancherctlError as error:
            if not error.retryable:
                raise
            self.problem = str(error)
            return None
