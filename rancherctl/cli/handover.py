"""Another program takes this one's place: terminal, signals and exit code are its own from then on."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

from rancherctl.errors import NotFoundError, RancherctlError


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
        raise NotFoundError(f"{argv[0]} is not installed here", hint="install it, or put it anywhere on PATH") from error
    except OSError as error:
        raise RancherctlError(f"cannot run {argv[0]}", why=error.strerror or str(error)) from error
