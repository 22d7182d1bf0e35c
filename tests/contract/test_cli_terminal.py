"""Lines typed on a pseudo terminal."""

from __future__ import annotations

import os
import pty
import select
import signal

import pytest

PROGRAM = """
import sys, threading
from rancherctl.cli.terminal import read_line
got = []
done = threading.Event()
def read():
    got.append(read_line("? ", hidden=HIDDEN))
    done.set()
try:
    threading.Thread(target=read).start()
    done.wait()
    print(ascii(got[0]))
except KeyboardInterrupt:
    # an Event, not join: Python 3.11 takes a thread whose join was interrupted for ended
    print("interrupted", done.wait(60), got)
"""


def typed(keys: bytes, *, hidden: bool) -> str:
    """The terminal output of a program that prompts for a line in a thread and prints it."""
    import sys

    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", PROGRAM.replace("HIDDEN", str(hidden))])
    seen = b""
    try:
        while True:
            there, _, _ = select.select([terminal], [], [], 90)
            assert there, seen
            try:
                data = os.read(terminal, 1000)
            except OSError:  # the other end is closed
                break
            if not data:
                break
            seen += data
            if keys and b"? " in seen:
                os.write(terminal, keys)
                keys = b""
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(terminal)
    return seen.decode()


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (b"pw\r", "'pw'"),
        (b"px\x7fw\n", "'pw'"),
        ("pö\x7fw\r".encode(), "'pw'"),
        (b"oops\x15pw\r", "'pw'"),
        (b"\r", "''"),
        (b"\x04", "None"),
    ],
)
def test_a_typed_line_is_returned_with_editing_applied(keys: bytes, answer: str) -> None:
    shown = typed(keys, hidden=True)
    assert answer in shown
    assert "pw" not in shown.replace(answer, "")


def test_a_visible_line_is_shown() -> None:
    assert "? yes\r\n'yes'" in typed(b"yes\r", hidden=False)


def test_ctrl_c_ends_the_prompt_and_the_run() -> None:
    assert "? \r\ninterrupted True [None]" in typed(b"half\x03", hidden=True)
