"""Wait for something that sends no notification: check it with a growing pause, up to a time limit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

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
    """Call ``check`` until it returns a true value, and return that; None (or the last false value) after ``timeout`` seconds.

    ``stop`` ends the wait early. Errors of ``check`` pass through: whether an error means "not yet" is the caller's decision.
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
