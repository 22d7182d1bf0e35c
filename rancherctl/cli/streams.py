"""The three standard streams, also if the caller closed some. Few imports: it runs before the fast paths."""

from __future__ import annotations

import codecs
import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import IO, Any


def open_missing() -> None:
    """Open the standard streams that the caller closed; files opened later would get their numbers.

    Writing to a standard output that was closed fails like writing to a closed pipe.
    """
    if sys.stdin is None:
        sys.stdin = _open(0, os.open(os.devnull, os.O_RDONLY), "r")
    if sys.stdout is None:
        reader, writer = os.pipe()
        os.close(reader)
        sys.stdout = _open(1, writer, "w")
    if sys.stderr is None:
        sys.stderr = _open(2, os.open(os.devnull, os.O_WRONLY), "w")


def encode_any_text() -> None:
    """Let both output streams write any character: what their encoding lacks is written in ASCII.

    Encodings chosen with an error handler of their own (``PYTHONIOENCODING=latin-1:replace``) keep it.
    """
    codecs.register_error("rancherctl", _in_ascii)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "backslashreplace"):
            stream.reconfigure(errors="rancherctl")


_ASCII = {"…": "...", "→": "->", "—": "-", "“": '"', "”": '"', "·": "*", "✓": "ok", "✗": "x"}


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    """A codec error handler: typographic characters become similar ones, others their escape (``\\u4e2d``)."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    return "".join(_ASCII.get(c) or c.encode("ascii", "backslashreplace").decode() for c in characters), error.end


def _open(number: int, handle: int, mode: str) -> IO[Any]:
    if handle != number:
        os.dup2(handle, number)
        os.close(handle)
    os.set_inheritable(number, True)
    return os.fdopen(number, mode, encoding="utf-8", closefd=False)


def out(text: str) -> None:
    """Write data to standard output. RancherctlError for a full disk; BrokenPipeError passes through."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        from rancherctl.errors import RancherctlError

        discard(1)
        raise RancherctlError(
            "cannot write to standard output", why=error.strerror or str(error), hint="free some disk space"
        ) from error


def discard(number: int) -> None:
    """Redirect a broken stream to /dev/null.

    Python would otherwise flush it at exit and fail with its own exit code.
    """
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, number)
    os.close(null)
