"""Locks of a host that are waited for, but not for ever."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from rancherctl.hosts.remote.disk import STATE, StepError, at

ALONE_LIMIT = 900


@contextmanager
def alone() -> Iterator[None]:
    """No other program of ours changes this host meanwhile: that of a run that was killed goes on until its step is done.

    The lock is on the folder of our records, so it leaves nothing; a host without that folder has never been changed.
    """
    folder = at(STATE)
    if not folder.is_dir():
        yield
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with limit(ALONE_LIMIT, "the step of an earlier run has been going on here for"):
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


@contextmanager
def limit(seconds: int, what: str) -> Iterator[None]:
    """A wait that ends: StepError ``what … s`` when it takes longer."""

    def give_up(*_: object) -> None:
        raise StepError(f"{what} {seconds} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
