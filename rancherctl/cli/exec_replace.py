"""Another program takes this one's place, or works while this one holds a door open for it: terminal, signals and exit code are its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn

from rancherctl.errors import NotFoundError, RancherctlError

GRACE: Final = 5.0
"""Seconds for a program that was asked to end."""


def become(argv: Sequence[str], environ: Mapping[str, str] | None = None) -> NoReturn:
    """Run ``argv`` (its first word is looked up on PATH) instead of this program. NotFoundError where it is not there."""
    sys.stdout.flush()
    sys.stderr.flush()
    # Python ignores these, and what is ignored stays so in the other program: it would not notice that nobody reads its output any more.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execvpe(argv[0], list(argv), os.environ if environ is None else environ)  # noqa: S606  # that is what this function is for
    except FileNotFoundError as error:
        raise NotFoundError(
            f"{argv[0]} is not installed here", hint="install it, or put it anywhere on PATH"
        ) from error
    except OSError as error:
        raise RancherctlError(
            f"cannot run {argv[0]}", why=error.strerror or str(error), hint="is it a program, and one for this machine?"
        ) from error


def attend(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run ``argv`` and wait for it; its exit code. Ctrl-C is for it to decide; what ends this program ends it, too (KeyboardInterrupt after it)."""
    asked: list[int] = []
    child: subprocess.Popen[bytes] | None = None

    def pass_on(number: int, _frame: object) -> None:
        asked.append(number)
        if child is not None:
            _ask(child)

    # handlers that do nothing instead of SIG_IGN, which would hold in the other program as well
    handlers = {signal.SIGINT: lambda _number, _frame: None, signal.SIGTERM: pass_on}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        handlers[signal.SIGHUP] = pass_on
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        with subprocess.Popen(argv, env=environ) as child:
            if asked:  # while it was being started
                _ask(child)
            status = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if asked:
        raise KeyboardInterrupt
    return status if status >= 0 else 128 - status


def _ask(child: subprocess.Popen[bytes]) -> None:
    """Not killed at once: it may have put the terminal into a mode of its own."""
    child.terminate()
    patience = threading.Timer(GRACE, child.kill)
    patience.daemon = True
    patience.start()
