"""Locks of a host that are waited for, but not for ever."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from rancherctl.hosts.remote.disk import StepError, at

FOLDER = "/run/rancherctl"
PATIENCE = 300.0
"""Seconds: less than any caller waits for its answer, so that this is what it is told."""


@contextmanager
def exclusive(patience: float = PATIENCE) -> Iterator[None]:
    """No other program of ours changes this host meanwhile: that of a run that was killed goes on until its step is done.

    The lock is on a file that only root can open: one that others can read, they could lock for ever. It goes with the host's uptime.
    """
    folder = at(FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    fd = os.open(folder / ".step.guard", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        with limit(patience, "an earlier step of ours is still at work here; waited"):
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


@contextmanager
def limit(seconds: float, what: str) -> Iterator[None]:
    """A wait that ends: StepError ``what … s`` when it takes longer."""

    def give_up(*_: object) -> None:
        raise StepError(f"{what} {seconds:g} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
