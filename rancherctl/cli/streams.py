"""The three standard streams, whatever the caller left of them. Imports next to nothing: it runs before the fast paths."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import IO, Any


def complete() -> None:
    """Give a process that was started with closed streams whole ones: files opened later would take their numbers, and Python has none to write to.

    Nobody reads a closed standard output: writing to it fails as a closed pipe does.
    """
    if sys.stdin is None:
        sys.stdin = _open(0, os.open(os.devnull, os.O_RDONLY), "r")
    if sys.stdout is None:
        reader, writer = os.pipe()
        os.close(reader)
        sys.stdout = _open(1, writer, "w")
    if sys.stderr is None:
        sys.stderr = _open(2, os.open(os.devnull, os.O_WRONLY), "w")


def _open(number: int, handle: int, mode: str) -> IO[Any]:
    if handle != number:
        os.dup2(handle, number)
        os.close(handle)
    os.set_inheritable(number, True)
    return os.fdopen(number, mode, encoding="utf-8", closefd=False)


def out(text: str) -> None:
    """Write data to standard output; a full disk behind it is told as that (a closed pipe goes on up)."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        from rancherctl.errors import RancherctlError

        drop(1)
        raise RancherctlError(
            "cannot write to standard output", why=error.strerror or str(error), hint="is there room where it goes?"
        ) from error


def drop(number: int) -> None:
    """Point a stream that takes no more elsewhere, or Python tries what is left once more while it exits, with an exit code of its own."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, number)
    os.close(null)
