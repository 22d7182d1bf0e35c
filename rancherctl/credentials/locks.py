"""Locks between processes of one machine, released when their holder exits. Standard library only."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from rancherctl.errors import TimeoutExceededError


@contextlib.contextmanager
def locked(path: Path, seconds: float) -> Iterator[None]:
    """Hold an exclusive lock between processes; TimeoutExceededError after ``seconds``."""
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle = _wait_for(path, handle, seconds)
    try:
        yield
    finally:
        os.close(handle)


def _wait_for(path: Path, handle: int, seconds: float) -> int:
    """flock has no time limit: a thread waits in it, and closes the file if the caller has given up."""
    import fcntl

    guard, got = threading.Lock(), threading.Event()
    given_up = False

    def wait() -> None:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with guard:
            if given_up:
                os.close(handle)
            else:
                got.set()

    threading.Thread(target=wait, name="lock", daemon=True).start()
    got.wait(seconds)
    with guard:
        if got.is_set():
            return handle
        given_up = True
    raise TimeoutExceededError(
        f"{path} is locked by another process",
        why=f"for more than {seconds:.0f} s",
        hint="wait for that process to end, then try again",
    )
