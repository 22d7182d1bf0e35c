"""apt-get and dpkg of a host: never asking, waiting for the lock of others, and their reasons in few words."""

from __future__ import annotations

import subprocess

from rancherctl.hosts.remote.run import tail, tool

APT = {"DEBIAN_FRONTEND": "noninteractive", "APT_LISTCHANGES_FRONTEND": "none", "NEEDRESTART_SUSPEND": "1", "NEEDRESTART_MODE": "l"}
OPTIONS = ("-y", "-q", "-o", "DPkg::Lock::Timeout=120", "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold")
TIMEOUT = 900.0
_UNMET = "The following packages have unmet dependencies:"


def apt_get(verb: str, *words: str) -> subprocess.CompletedProcess[str]:
    """``apt-get VERB WORDS``; it may fail."""
    return tool("apt-get", *OPTIONS, verb, *words, timeout=TIMEOUT, extra=APT)


def configure() -> subprocess.CompletedProcess[str]:
    """Bring to an end what dpkg was cut off in."""
    return tool("dpkg", "--configure", "-a", timeout=TIMEOUT, extra=APT)


def reasons(done: subprocess.CompletedProcess[str]) -> str:
    """Why apt-get failed, in its own words: unmet dependencies, what dpkg could not do, its errors."""
    out = done.stdout.splitlines()
    unmet = out[out.index(_UNMET) + 1 :] if _UNMET in out else []
    lines = [" ".join(line.split()) for line in unmet if line.startswith(" ")]
    errors = [line.strip() for line in done.stderr.splitlines() if line.startswith(("E: ", "dpkg: error")) or "No space left" in line]
    return " / ".join([*lines[:6], *errors[:4]]) or tail(done)
