"""Distribution packages by apt: masked first, installed, and remembered with all they pulled in, so that removal is exact.

``owned.json`` under STATE: ``packages`` (names that came by us), ``masked`` (units masked by us), ``users`` (created by us), ``before``
(names that were there when an install of ours began; only present while it runs or after it was cut off).
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from typing import Any

from rancherctl.hosts.remote.disk import StepError, at, read_state, write_state
from rancherctl.hosts.remote.look import packages as installed_of
from rancherctl.hosts.remote.look import units
from rancherctl.hosts.remote.run import has, must, tail, tool

APT = {"DEBIAN_FRONTEND": "noninteractive", "APT_LISTCHANGES_FRONTEND": "none", "NEEDRESTART_SUSPEND": "1", "NEEDRESTART_MODE": "l"}
OPTIONS = ("-y", "-q", "-o", "DPkg::Lock::Timeout=120", "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold")
TIMEOUT = 900.0
LISTS_LIMIT = 120


def installed() -> set[str]:
    """Names of all installed packages."""
    rows = [line.split("\t") for line in must("dpkg-query", "-W", "-f", "${Package}\t${db:Status-Status}\n").splitlines()]
    return {name for name, status in rows if status not in {"not-installed", "config-files"}}


def settle() -> dict[str, Any]:
    """Our records; an install that was cut off is counted first: what is there now and was not before came by us."""
    owned = read_state("owned.json")
    if "before" in owned:
        came = installed() - set(owned.pop("before"))
        owned["packages"] = sorted(set(owned.get("packages", [])) | came)
        write_state("owned.json", owned)
    return owned


def mask(names: list[str]) -> list[str]:
    """Mask the units that are not masked yet; which they were."""
    if not names:
        return []
    todo = [name for name, fields in units(names).items() if fields.get("UnitFileState") != "masked"]
    if todo:
        owned = settle()
        owned["masked"] = sorted(set(owned.get("masked", [])) | set(todo))
        write_state("owned.json", owned)
        must("systemctl", "mask", *todo)
    return todo


def install(wanted: list[dict[str, Any]]) -> None:
    """Mask, install what is missing, remember what came. The package lists are fetched only when the first try shows the need."""
    if not has("apt-get"):
        raise StepError("apt-get is not installed: packages of this system cannot be installed")
    mask(sorted({unit for package in wanted for unit in package["mask"]}))
    names = sorted(package["name"] for package in wanted)
    have = installed_of(names)
    missing = [name for name in names if name not in have]
    if not missing:
        return
    owned = settle()
    write_state("owned.json", {**owned, "before": sorted(installed())})
    try:
        done = _apt("install", "--no-install-recommends", *missing)
        if done.returncode != 0:
            repaired = tool("dpkg", "--configure", "-a", timeout=TIMEOUT, extra=APT)
            _wait_for_lists()
            lists = _apt("update")
            done = _apt("install", "--no-install-recommends", *missing)
            if done.returncode != 0:
                parts = [("apt-get install", done), ("apt-get update", lists), ("dpkg --configure -a", repaired)]
                raise StepError("; ".join(f"{what}: {tail(one, 2)}" for what, one in parts if one.returncode != 0))
    finally:
        settle()


def _wait_for_lists() -> None:
    """Wait until nobody fetches package lists (a fresh machine does that at boot): apt gives up at once where that lock is taken."""
    place = at("/var/lib/apt/lists/lock")
    if not place.exists():
        return

    def give_up(*_: object) -> None:
        raise StepError(f"somebody else has been fetching package lists for {LISTS_LIMIT} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(LISTS_LIMIT)
    fd = os.open(place, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX)
    finally:
        os.close(fd)
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _apt(verb: str, *words: str) -> subprocess.CompletedProcess[str]:
    return tool("apt-get", *OPTIONS, verb, *words, timeout=TIMEOUT, extra=APT)


def purge() -> dict[str, list[str]]:
    """Remove the packages that came by us and unmask; a package that others now need stays and is named in ``kept``."""
    owned = settle()
    ours = set(owned.get("packages", []))
    gone: list[str] = []
    kept: list[str] = []
    todo = sorted(ours & installed()) if ours else []
    while todo:
        rehearsal = _apt("-s", "purge", *todo)
        if rehearsal.returncode != 0:
            # an install that was cut off is brought to an end first
            tool("dpkg", "--configure", "-a", timeout=TIMEOUT, extra=APT)
            rehearsal = _apt("-s", "purge", *todo)
        if rehearsal.returncode != 0:
            raise StepError(f"apt-get -s purge: {tail(rehearsal)}")
        removed = {line.split()[1].split(":")[0] for line in rehearsal.stdout.splitlines() if line.startswith(("Purg ", "Remv "))}
        foreign = removed - ours
        if not foreign:
            done = _apt("purge", *todo)
            if done.returncode != 0:
                raise StepError(f"apt-get purge: {tail(done)}")
            gone = sorted(todo)
            break
        needed = _needed_by(sorted(foreign)) & set(todo)
        if not needed:
            raise StepError(f"apt-get would also remove {', '.join(sorted(foreign)[:5])}, which came from somebody else")
        kept = sorted(set(kept) | needed)
        todo = [name for name in todo if name not in needed]
    masked = sorted(owned.get("masked", []))
    if masked:
        must("systemctl", "unmask", *masked)
    if ours or masked:
        write_state("owned.json", {name: value for name, value in owned.items() if name not in {"packages", "masked"}})
    return {"packages": gone, "kept": kept, "unmasked": masked}


def _needed_by(names: list[str]) -> set[str]:
    """All installed packages that the named ones depend on, themselves left out."""
    done = tool("apt-cache", "depends", "--recurse", "--installed", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks",
                "--no-replaces", "--no-enhances", *names)  # fmt: skip
    return {line.strip() for line in done.stdout.splitlines() if line and not line.startswith((" ", "<"))} - set(names)
