"""The systems that bundles may have packages for, and which packages. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rancherctl.errors import UsageError

SUITES: Final = {"debian12": "bookworm", "debian13": "trixie"}
"""Systems whose packages apt can collect anywhere: Debian's keyring knows the keys of all its releases."""
SYSTEMS: Final = (*SUITES, "ubuntu24.04")

WANTED: Final = ("haproxy", "bind9", "runc", "conntrack", "nftables", "iproute2", "procps", "openssl")
"""Packages that environments need; python3 is not listed because preflight itself needs it on the host."""
NOWHERE_YET: Final = WANTED[:5]
"""Those that no minimal install has: a directory of .debs must have them."""
HAVE: Final = ("?essential", "?priority(required)", "apt", "python3", "systemd-sysv")
"""What every host has, as apt's patterns and names: this and all it needs is left out."""
LEAST: Final = {"haproxy": (2, 6), "bind9": (9, 18), "runc": (1, 1)}
"""The least versions that our configurations are for."""


@dataclass(frozen=True, slots=True)
class Choice:
    """``--packages``: a system, and the directory its .debs are in (None = apt collects them)."""

    system: str
    folder: Path | None = None


def choice(text: str) -> Choice:
    """``SYSTEM`` or ``SYSTEM=DIR`` as a value. Raises UsageError with the known systems."""
    system, equals, folder = text.partition("=")
    if system not in SYSTEMS:
        raise UsageError(
            f"unknown system {system!r} for packages",
            why=f"known are {', '.join(SYSTEMS)}",
            hint="--packages SYSTEM or SYSTEM=DIR",
        )
    if equals and not folder:
        raise UsageError(f"--packages {text}: the directory is missing", hint=f"--packages {system}=DIR")
    if not equals and system not in SUITES:
        raise UsageError(
            f"packages of {system} cannot be collected here",
            why="this is known for Debian's archives only",
            hint=f"collect them there ({collecting()}) and say --packages {system}=DIR",
        )
    return Choice(system, Path(folder).expanduser() if equals else None)


def choices(texts: tuple[str, ...]) -> tuple[Choice, ...]:
    """All of them; a system may be named once."""
    found = tuple(choice(text) for text in texts)
    twice = {one.system for one in found if [o.system for o in found].count(one.system) > 1}
    if twice:
        raise UsageError(f"--packages names {', '.join(sorted(twice))} twice", hint="once for each system")
    return found


def collecting() -> str:
    """The command that collects .debs on a host of the system."""
    return (
        f"apt-get install --download-only --no-install-recommends -o Dir::Cache::archives=DIR {' '.join(NOWHERE_YET)}"
    )


def too_old(name: str, version: str) -> str:
    """Why this package version is unusable ("" if it is not): ``1:9.16.50-1`` of bind9 is older than 9.18.

    A version that does not start with a number is accepted.
    """
    least = LEAST.get(name)
    found = re.match(r"(?:\d+:)?(\d+)\.(\d+)", version)
    if least is None or found is None or (int(found[1]), int(found[2])) >= least:
        return ""
    return f"{name} is {version}, {'.'.join(map(str, least))} or newer is needed"
