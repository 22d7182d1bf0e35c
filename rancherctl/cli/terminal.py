"""Reads a line from the terminal in any thread.

Ctrl-C ends it: a plain read in a worker thread would block the whole run.
"""

from __future__ import annotations

import os
import signal
import sys
import termios

CTRL_C, CTRL_D, CTRL_U = b"\x03", b"\x04", b"\x15"
BACKSPACE = (b"\x7f", b"\x08")
END = (b"\n", b"\r")


def read_line(prompt: str, *, hidden: bool = False) -> str | None:
    """The line without its end; None for Ctrl-D in an empty line, and for Ctrl-C, which also interrupts the run."""
    terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    try:
        before = termios.tcgetattr(terminal)
        characters = [*before]
        characters[3] &= ~(termios.ECHO | termios.ICANON | termios.ISIG)
        try:
            termios.tcsetattr(terminal, termios.TCSADRAIN, characters)
            os.write(terminal, prompt.encode())
            return _read(terminal, hidden=hidden)
        finally:
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)
            os.write(terminal, b"\n")
    except _InterruptedError:
        # Only after the terminal is restored: the interrupted process may exit before this thread continues.
        os.kill(os.getpid(), signal.SIGINT)
        return None
    finally:
        os.close(terminal)


class _InterruptedError(Exception):
    """Ctrl-C was typed."""


def _read(terminal: int, *, hidden: bool) -> str | None:
    got = b""
    while True:
        byte = os.read(terminal, 1)
        if byte == CTRL_C:
            raise _InterruptedError
        if byte in (b"", CTRL_D) and not got:
            return None
        if byte in (b"", CTRL_D, *END):
            return got.decode(sys.getfilesystemencoding(), "surrogateescape")
        if byte in BACKSPACE:
            # a character may have several bytes
            kept = got.decode("utf-8", "surrogateescape")[:-1].encode("utf-8", "surrogateescape")
            if not hidden and got:
                os.write(terminal, b"\b \b")
            got = kept
        elif byte == CTRL_U:
            if not hidden:
                os.write(terminal, b"\b \b" * len(got.decode("utf-8", "replace")))
            got = b""
        else:
            got += byte
            if not hidden:
                os.write(terminal, byte)
