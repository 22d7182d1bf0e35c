"""Run a program of the operator's machine: time limit, failures with the program's own words."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from rancherctl.errors import RancherctlError, TimeoutExceededError

SHORT = 30.0
WORDS = 600


def run(
    argv: Sequence[str], *, timeout: float = SHORT, cwd: Path | None = None, extra: Mapping[str, str] | None = None
) -> str:
    """Standard output of ``argv``. ``timeout`` in seconds; ``extra`` are more environment variables.

    RancherctlError if it cannot be started or fails (with its output), TimeoutExceededError if it is killed for time.
    """
    environment = {**os.environ, "LC_ALL": "C.UTF-8", **(extra or {})}
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, cwd=cwd, env=environment, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutExceededError(
            f"{argv[0]} did not end within {timeout:.0f} s", why=" ".join(argv)[:WORDS]
        ) from error
    except OSError as error:
        raise RancherctlError(f"cannot run {argv[0]}", why=str(error)) from error
    if done.returncode != 0:
        said = [
            line.strip()
            for line in (done.stderr or done.stdout).decode("utf-8", "replace").splitlines()
            if line.strip()
        ]
        raise RancherctlError(
            f"{argv[0]} failed", why=(" / ".join(said[-6:]) or f"exit status {done.returncode}")[:WORDS]
        )
    return done.stdout.decode("utf-8", "replace")
