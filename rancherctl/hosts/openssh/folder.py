"""A private folder for the files of one master, with a path short enough for the address of a socket in it."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rancherctl.errors import RancherctlError

CONTROL: Final = "c"
"""The control socket."""
LOG: Final = "log"
"""A pipe for ssh's log."""
LONGEST: Final = 104
"""Bytes of a socket's path on macOS and the BSDs, with the zero at its end; Linux has 108."""
_SUFFIX: Final = len("/c.") + 16
"""ssh creates ``c.`` with 16 random characters and renames it."""
_PREFIX: Final = "rctl-"
_MADE: Final = len(_PREFIX) + 8
_PLAIN = re.compile(r"[\w/.,+@-]+")
"""Paths that ssh and a shell take literally."""


def create(environ: Mapping[str, str] | None = None) -> Path:
    """A new folder of mode 0700 in the first suitable place; RancherctlError if there is none."""
    environ = os.environ if environ is None else environ
    problems = []
    for place in _places(environ):
        if not suitable(place):
            problems.append(f"{place}: its path is too long or has special characters")
            continue
        try:
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
        except OSError as error:
            problems.append(f"{place}: {error.strerror or error}")
            continue
        if _can_run_programs(folder):
            return folder
        remove(folder)
        problems.append(f"{place}: mounted with noexec")
    raise RancherctlError(
        "no folder for the sockets of ssh", why="; ".join(problems), hint="set TMPDIR to a short path that is writable"
    )


def suitable(place: str) -> bool:
    """Whether the control socket's path in a folder below ``place`` fits, and needs no quoting."""
    return bool(_PLAIN.fullmatch(place)) and len(place.encode()) + 1 + _MADE + _SUFFIX < LONGEST


def remove(folder: Path) -> None:
    """Remove the folder and what is in it; absent is fine."""
    shutil.rmtree(folder, ignore_errors=True)


def _can_run_programs(folder: Path) -> bool:
    probe = folder / "probe"
    probe.touch(0o700)
    try:
        return os.access(probe, os.X_OK)
    finally:
        probe.unlink()


def _places(environ: Mapping[str, str]) -> list[str]:
    """TMPDIR if the user set it, the session's own folder, the system's, the user's cache."""
    wanted = [environ.get("TMPDIR", ""), environ.get("XDG_RUNTIME_DIR", "")]
    wanted += ["/tmp", "/var/tmp"]  # noqa: S108 - what is made there has mode 0700
    wanted.append(environ.get("XDG_CACHE_HOME") or f"{environ.get('HOME', '')}/.cache")
    return [place.rstrip("/") for place in dict.fromkeys(wanted) if place.startswith("/")]
