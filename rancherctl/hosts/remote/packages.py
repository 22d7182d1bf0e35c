"""Install distribution packages with apt, and later remove exactly those again.

``owned.json`` under STATE records what rancherctl did: ``packages`` (names installed, with dependencies), ``masked``
(units), ``users`` (created), and ``before`` (names that were installed when an install began; only while it runs or
after an interruption).
"""

from __future__ import annotations

import fcntl
import os
from typing import Any

from rancherctl.hosts.remote import bundled as bundled_packages
from rancherctl.hosts.remote.aptget import apt_get, configure
from rancherctl.hosts.remote.disk import StepError, at, read_state, write_state
from rancherctl.hosts.remote.exclusive import limit
from rancherctl.hosts.remote.observe import packages as installed_of
from rancherctl.hosts.remote.observe import units
from rancherctl.hosts.remote.run import has_program, last_lines, run, run_checked

LISTS_LIMIT = 120


def installed() -> set[str]:
    """Names of all installed packages."""
    rows = [
        line.split("\t")
        for line in run_checked("dpkg-query", "-W", "-f", "${Package}\t${db:Status-Status}\n").splitlines()
    ]
    return {name for name, status in rows if status not in {"not-installed", "config-files"}}


def settle() -> dict[str, Any]:
    """The records. An interrupted install is settled first.

    What is installed now and was not before belongs to rancherctl.
    """
    owned = read_state("owned.json")
    if "before" in owned:
        came = installed() - set(owned.pop("before"))
        owned["packages"] = sorted(set(owned.get("packages", [])) | came)
        write_state("owned.json", owned)
    return owned


def mask(names: list[str]) -> list[str]:
    """Mask units; returns those that were not masked yet."""
    if not names:
        return []
    todo = [name for name, fields in units(names).items() if fields.get("UnitFileState") != "masked"]
    if todo:
        owned = settle()
        owned["masked"] = sorted(set(owned.get("masked", [])) | set(todo))
        write_state("owned.json", owned)
        run_checked("systemctl", "mask", *todo)
    return todo


def install(wanted: list[dict[str, Any]], bundled: dict[str, Any] | None = None) -> None:
    """Mask units, install missing packages, and record everything that was installed.

    With ``bundled`` (``folder``, ``debs``) only from these files. A ``dependency_only`` package is not requested by
    name.
    """
    if not has_program("apt-get"):
        raise StepError("apt-get is not installed, so packages cannot be installed")
    mask(sorted({unit for package in wanted for unit in package["mask"]}))
    names = sorted(package["name"] for package in wanted if not package.get("dependency_only"))
    have = installed_of(names)
    missing = [name for name in names if name not in have]
    if not missing:
        bundled_packages.remove_uploaded(bundled)  # the previous run was interrupted after its install
        return
    owned = settle()
    write_state("owned.json", {**owned, "before": sorted(installed())})
    try:
        if bundled is not None:
            bundled_packages.install(missing, bundled)
        else:
            _from_mirrors(missing)
    finally:
        settle()


def _from_mirrors(missing: list[str]) -> None:
    """Install from mirrors; fetch package lists only if the first attempt fails."""
    done = apt_get("install", "--no-install-recommends", *missing)
    if done.returncode == 0:
        return
    repaired = configure()
    _wait_for_lists()
    lists = apt_get("update")
    done = apt_get("install", "--no-install-recommends", *missing)
    if done.returncode != 0:
        parts = [("apt-get install", done), ("apt-get update", lists), ("dpkg --configure -a", repaired)]
        raise StepError("; ".join(f"{what}: {last_lines(one, 2)}" for what, one in parts if one.returncode != 0))


def _wait_for_lists() -> None:
    """Wait while another process fetches package lists (as new machines do at boot).

    Apt fails at once if that lock is taken.
    """
    place = at("/var/lib/apt/lists/lock")
    if not place.exists():
        return
    fd = os.open(place, os.O_RDWR | os.O_CLOEXEC)
    try:
        with limit(LISTS_LIMIT, "another process has been fetching package lists for"):
            fcntl.lockf(fd, fcntl.LOCK_EX)
    finally:
        os.close(fd)


def purge() -> dict[str, list[str]]:
    """Purge the recorded packages and unmask units.

    A package that others now depend on stays and is listed in ``kept``.
    """
    owned = settle()
    ours = set(owned.get("packages", []))
    gone: list[str] = []
    kept: list[str] = []
    todo = sorted(ours & installed()) if ours else []
    while todo:
        rehearsal = apt_get("-s", "purge", *todo)
        if rehearsal.returncode != 0:
            # an interrupted install is finished first
            configure()
            rehearsal = apt_get("-s", "purge", *todo)
        if rehearsal.returncode != 0:
            raise StepError(f"apt-get -s purge: {last_lines(rehearsal)}")
        removed = {
            line.split()[1].split(":")[0]
            for line in rehearsal.stdout.splitlines()
            if line.startswith(("Purg ", "Remv "))
        }
        foreign = removed - ours
        if not foreign:
            done = apt_get("purge", *todo)
            if done.returncode != 0:
                raise StepError(f"apt-get purge: {last_lines(done)}")
            gone = sorted(todo)
            break
        needed = _needed_by(sorted(foreign)) & set(todo)
        if not needed:
            raise StepError(
                f"apt-get would also remove {', '.join(sorted(foreign)[:5])}, which rancherctl did not install"
            )
        kept = sorted(set(kept) | needed)
        todo = [name for name in todo if name not in needed]
    masked = sorted(owned.get("masked", []))
    if masked:
        run_checked("systemctl", "unmask", *masked)
    if ours or masked:
        write_state("owned.json", {name: value for name, value in owned.items() if name not in {"packages", "masked"}})
    return {"packages": gone, "kept": kept, "unmasked": masked}


def _needed_by(names: list[str]) -> set[str]:
    """All installed packages that the named ones depend on, without themselves."""
    excluded = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
    options = ("--recurse", "--installed", *(f"--no-{kind}" for kind in excluded))
    done = run("apt-cache", "depends", *options, *names)
    return {line.strip() for line in done.stdout.splitlines() if line and not line.startswith((" ", "<"))} - set(names)
