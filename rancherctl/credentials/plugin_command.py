"""The exec plug-in's command line beyond a cached token: renewal, ``--refresh`` and ``--revoke``."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import Final

from rancherctl import children
from rancherctl.credentials.user_stores import user_renewal
from rancherctl.errors import RancherctlError
from rancherctl.settings import complete_login, dirs

USAGE: Final = "usage: rancherctl-credential --env NAME [--refresh | --revoke]\n"


def run_command(words: Sequence[str], *, refused: bool = False) -> int:
    """Run one command line and return its exit code; an error is written to standard error in up to three lines.

    ``refused``: the API has refused the cached token.
    """
    known = {"--refresh", "--revoke"}
    flags = [w for w in words if w in known]
    rest = [w for w in words if w not in known]
    if len(rest) == 1 and rest[0].startswith("--env="):
        rest = ["--env", rest[0].removeprefix("--env=")]
    if len(rest) != 2 or rest[0] != "--env" or len(flags) > 1:
        help_requested = rest in (["-h"], ["--help"])
        (sys.stdout if help_requested else sys.stderr).write(USAGE)
        return 0 if help_requested else 2
    complete_login(os.environ)
    _watch_parent()
    renewal = user_renewal(
        dirs(os.environ),
        lambda line: print(f"rancherctl-credential: {line}", file=sys.stderr),
        os.environ.get("KUBERNETES_EXEC_INFO", ""),
    )
    try:
        if "--revoke" in flags:
            renewal.revoke(rest[1])
            sys.stderr.write(f"session of this machine in {rest[1]} revoked\n")
        elif refused:
            sys.stdout.write(renewal.replaced(rest[1]))
        else:
            sys.stdout.write(renewal.document(rest[1], force="--refresh" in flags))
    except RancherctlError as e:
        lines = [e.what, e.why, e.hint]
        sys.stderr.write("".join(f"rancherctl-credential: {line}\n" for line in lines if line))
        return e.exit_code
    except Exception as e:  # noqa: BLE001  (the border: kubectl shows this text to a person, whom a traceback does not help)
        sys.stderr.write(f"rancherctl-credential: unexpected failure\nrancherctl-credential: {type(e).__name__}: {e}\n")
        return 1
    return 0


def _watch_parent() -> None:
    """Let SIGTERM, SIGHUP and the end of the client that runs this interrupt the run like Ctrl-C, which ends ssh."""

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, stop)
    if "KUBERNETES_EXEC_INFO" in os.environ:
        children.end_with_parent()
