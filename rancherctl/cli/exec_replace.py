"""Run another program: in place of this one (exec), or as a child while this one keeps a tunnel open for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn

from rancherctl.children import ends_with_parent
from rancherctl.errors import NotFoundError, RancherctlError

GRACE: Final = 5.0
"""Seconds between SIGTERM and SIGKILL."""


def exec_replace(argv: Sequence[str], environ: Mapping[str, str] | None = None) -> NoReturn:
    """Replace this process by ``argv``, whose first word is looked up on PATH. NotFoundError if it is not installed."""
    sys.stdout.flush()
    sys.stderr.flush()
    # Python ignores both signals, and ignored signals are inherited: the other program would not notice a closed pipe.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execvpe(argv[0], list(argv), os.environ if environ is None else environ)  # noqa: S606  # the purpose of this function
    except FileNotFoundError as error:
        raise NotFoundError(f"{argv[0]} is not installed", hint="install it in a folder of PATH") from error
    except OSError as error:
        hint = "check that it is a program for this machine's architecture"
        raise RancherctlError(f"cannot run {argv[0]}", why=error.strerror or str(error), hint=hint) from error


def run_child(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run ``argv`` as a child on the same terminal and return its exit code, 128 + N if signal N ended it.

    Ctrl-C reaches the child from the terminal, and the child decides what it means. SIGTERM and SIGHUP are passed on;
    after the child has ended they raise KeyboardInterrupt.
    """
    received: list[int] = []
    child: subprocess.Popen[bytes] | None = None

    def pass_on(number: int, _frame: object) -> None:
        received.append(number)
        if child is not None:
            _terminate(child)

    # Handlers without effect instead of SIG_IGN, which the child would inherit.
    handlers = {signal.SIGINT: lambda _number, _frame: None, signal.SIGTERM: pass_on}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        handlers[signal.SIGHUP] = pass_on
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        bound = ends_with_parent()
        with subprocess.Popen(argv, env=environ, preexec_fn=bound) as child:  # noqa: PLW1509  # it calls the kernel only
            if received:  # while it was being started
                _terminate(child)
            status = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received:
        raise KeyboardInterrupt
    return status if status >= 0 else 128 - status


def _terminate(child: subprocess.Popen[bytes]) -> None:
    """Send SIGTERM, and SIGKILL after ``GRACE``: the child may have to restore the mode of the terminal."""
    child.terminate()
    kill_timer = threading.Timer(GRACE, child.kill)
    kill_timer.daemon = True
    kill_timer.start()
