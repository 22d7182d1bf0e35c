"""Run a program of the machine: time limit, captured output, failures as LabError with the program's own last line.

Programs end with the process that runs them: a killed `lab up` must not keep copying files while the next one removes
them.

Contains calls of ip, mount, apt and similar. Not here: commands on hosts (they use ssh, like the product's).
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from rancherctl.errors import RancherctlError, TimeoutExceededError

WITH_PARENT = ("setpriv", "--pdeathsig", "KILL")
SHORT = 120.0  # seconds: the kernel makes ip wait while it clears namespaces away, for long on a busy machine


class LabError(RancherctlError):
    """A step of building, starting or removing a lab failed on this machine."""


def run(
    argv: Sequence[str],
    *,
    timeout: float = SHORT,
    stdin: str = "",
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    name: str = "",
) -> str:
    """Run ``argv`` and return its stdout. ``timeout`` in seconds; with ``log`` stdout and stderr are appended to it.

    ``name`` is what errors call it, where its first word is a program that only runs another one.

    LabError when it cannot be started or fails, TimeoutExceededError when it takes too long (it is killed then).
    """
    name = name or argv[0]
    if shutil.which(argv[0]) is None:
        raise LabError(f"cannot run {name}", why=f"{argv[0]} is not installed")
    try:
        if log is None:
            done = subprocess.run(
                [*WITH_PARENT, *argv],
                input=stdin,
                capture_output=True,
                text=True,
                timeout=timeout,
                env=env,
                check=False,
            )
            output = done.stderr or done.stdout
        else:
            with log.open("a", encoding="utf-8") as sink:
                done = subprocess.run(
                    [*WITH_PARENT, *argv],
                    input=stdin,
                    stdout=sink,
                    stderr=subprocess.STDOUT,
                    text=True,
                    timeout=timeout,
                    env=env,
                    check=False,
                )
            output = log.read_text(encoding="utf-8", errors="replace")
    except subprocess.TimeoutExpired as error:
        raise TimeoutExceededError(f"{name} did not end within {timeout:.0f} s", why=" ".join(argv)) from error
    except OSError as error:
        raise LabError(f"cannot run {name}", why=str(error)) from error
    if done.returncode != 0:
        lines = [line for line in output.splitlines() if line.strip()]
        hint = f"the whole output is in {log}" if log else f"the command was: {' '.join(argv)}"
        raise LabError(
            f"{name} failed with status {done.returncode}", why=lines[-1] if lines else "it printed nothing", hint=hint
        )
    return done.stdout or ""
