"""Waiting for something that announces nothing: asked again with a growing pause, up to a time limit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from rancherctl.errors import RancherctlError, TimeoutExceededError

FIRST, LARGEST = 0.1, 2.0


def until(good: Callable[[], bool], timeout: float, what: str, *, clock: Callable[[], float] = time.monotonic) -> None:
    """Ask until ``good``; errors that a retry may help count as not yet. TimeoutExceededError names the last one."""
    deadline, pause, last = clock() + timeout, FIRST, "it says that it is not ready"
    waiter = threading.Event()
    while True:
        try:
            if good():
                return
        except RancherctlError as error:
            if not error.retryable:
                raise
            last = str(error)
        left = deadline - clock()
        if left <= 0:
            hint = "run the same command again: it goes on from here"
            raise TimeoutExceededError(f"{what} is not ready after {timeout:.0f} s", why=last, hint=hint)
        waiter.wait(min(pause, left))
        pause = min(pause * 1.5, LARGEST)
