"""Run programs of the host with a time limit and English messages."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping

from rancherctl.hosts.remote.disk import StepError


def run(*argv: str, timeout: float = 60, extra: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The finished process, output as text; StepError if the program is missing or exceeds the time limit."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8", **(extra or {})}
    try:
        return subprocess.run(
            argv,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            env=environment,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except FileNotFoundError as error:
        raise StepError(f"{argv[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise StepError(f"{' '.join(argv)[:200]} did not finish within {timeout:.0f} s") from error


def run_checked(*argv: str, timeout: float = 60, extra: Mapping[str, str] | None = None) -> str:
    """Standard output; StepError with the last lines of output if the program fails."""
    done = run(*argv, timeout=timeout, extra=extra)
    if done.returncode != 0:
        raise StepError(f"{' '.join(argv)[:200]}: {last_lines(done)}")
    return done.stdout


def last_lines(done: subprocess.CompletedProcess[str], lines: int = 3) -> str:
    """The last lines of a failed program's output, as one line."""
    text = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return " / ".join(line.strip() for line in text[-lines:]) or f"exit status {done.returncode}"


def has_program(name: str) -> bool:
    """Whether the program is in PATH."""
    return any(os.access(os.path.join(folder, name), os.X_OK) for folder in os.environ.get("PATH", "").split(":"))  # noqa: PTH118
