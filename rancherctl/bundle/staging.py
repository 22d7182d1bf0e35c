"""The folder in which a bundle is assembled before it is published atomically; removal of abandoned ones.

The process that fills one holds a lock on it, which ends with the process: a folder that can be locked is abandoned.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PREFIX: Final = ".rancherctl-bundle-"


@contextlib.contextmanager
def staging(parent: Path) -> Iterator[Path]:
    """A new folder in ``parent``, removed after the block unless renamed; first removes abandoned folders."""
    parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        with _lock(parent, wait=True):  # other runs must not mistake a new folder for an abandoned one
            _sweep(parent)
            folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            stack.enter_context(_lock(folder, wait=True))
        yield folder


def _sweep(parent: Path) -> None:
    for left in parent.glob(f"{PREFIX}*"):
        with _lock(left, wait=False) as ours:
            if ours:
                shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def _lock(folder: Path, *, wait: bool) -> Iterator[bool]:
    """Whether the folder is locked for the block. Some network file systems know no locks: nothing is swept there."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
