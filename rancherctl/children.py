"""Child processes that do not outlive this one. Standard library only.

A parent that is interrupted ends its children by itself; one that is killed (SIGKILL, out of memory) cannot. On Linux
the kernel then sends them SIGTERM.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

PR_SET_PDEATHSIG: Final = 1
END_SECONDS: Final = 2.0
"""How long the processes of a child have to end after SIGTERM, before they are killed."""


@functools.cache
def _prctl() -> Callable[..., int] | None:
    """The system call's function, loaded before a fork; None where the system does not have it."""
    if sys.platform != "linux":
        return None
    import ctypes

    with contextlib.suppress(OSError, AttributeError):  # a C library without it: as on other systems
        found: Callable[..., int] = ctypes.CDLL(None).prctl
        return found
    return None


def ends_with_parent() -> Callable[[], None]:
    """A ``preexec_fn``: the child gets SIGTERM when the thread that started it ends."""
    prctl, parent = _prctl(), os.getpid()

    def ask_kernel() -> None:
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:  # it has ended meanwhile
                os._exit(1)

    return ask_kernel


def end_with_parent() -> None:
    """Let this process get SIGTERM when its parent ends."""
    prctl, parent = _prctl(), os.getppid()
    if prctl is not None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            raise KeyboardInterrupt


def run(
    argv: Sequence[str],
    *,
    timeout: float,
    env: Mapping[str, str] | None = None,
    stdin: int | None = subprocess.DEVNULL,
    stderr: int | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end and return its status and output.

    After ``timeout`` seconds (subprocess.TimeoutExpired) or an interruption, it and the processes that it has started
    are ended. With ``stdin`` None it may use the terminal; else it has none, so that it cannot wait for an answer.
    """
    alone = stdin is not None
    with subprocess.Popen(
        argv,
        env=env,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=stderr,
        preexec_fn=ends_with_parent(),  # noqa: PLW1509  # it calls the kernel only
        start_new_session=alone,
    ) as child:
        try:
            out, errors = child.communicate(timeout=timeout)
        except BaseException:
            end(child, whole_group=alone)
            raise
    return subprocess.CompletedProcess(argv, child.returncode, out, errors)


def end(child: subprocess.Popen[bytes], *, whole_group: bool, seconds: float = END_SECONDS) -> None:
    """End a child, or its whole process group: SIGTERM, and SIGKILL for what is left after ``seconds``."""

    def send(number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            if whole_group:
                os.killpg(child.pid, number)
            else:
                child.send_signal(number)

    send(signal.SIGTERM)
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):  # it ignores SIGTERM
            child.wait(seconds)
    finally:
        send(signal.SIGKILL)
        child.wait()
