"""Locks of a host, with a limited wait."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from rancherctl.hosts.remote.disk import StepError, at

FOLDER = "/run/rancherctl"
PATIENCE = 300.0
"""Seconds; less than any caller waits for its answer, so that the caller sees this error and not its own time limit."""


@contextmanager
def exclusive(patience: float = PATIENCE) -> Iterator[None]:
    """Keep other rancherctl programs from changing this host.

    The program of a killed run continues until its step is done.

    The lock file can be opened by root only (a file that others can read, they could lock forever) and ends with the
    uptime.
    """
    folder = at(FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    fd = os.open(folder / ".step.guard", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        with limit(patience, "an earlier rancherctl step is still running on this host; waited"):
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


@contextmanager
def limit(seconds: float, what: str) -> Iterator[None]:
    """Limit a wait: StepError ``what … s`` if the block takes longer."""

    def expire(*_: object) -> None:
        raise StepError(f"{what} {seconds:g} s")

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
