"""Running a long command and reading its output while it runs."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path


def run_streaming(argv: list[str], folder: Path, limit: float, on_line: Callable[[str], None]) -> int:
    """Run ``argv`` in ``folder`` and hand on its output line by line; the exit code, negative for a signal.

    The command and its children are killed when ``limit`` seconds pass, and when the caller is interrupted.
    """
    process = subprocess.Popen(
        argv,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    timer = threading.Timer(limit, _kill, (process,))
    timer.daemon = True
    timer.start()
    try:
        assert process.stdout is not None, "a pipe was asked for"
        with process.stdout as lines:
            for line in lines:
                on_line(line.rstrip())
        return process.wait()
    finally:
        timer.cancel()
        _kill(process)
        process.wait()


def _kill(process: subprocess.Popen[str]) -> None:
    """End the whole group, while its leader has not been waited for: afterwards the number may be somebody else's."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
