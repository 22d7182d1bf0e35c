"""Remove units, paths, packages, masks and users of rancherctl.

Every step is tried, and all failures are reported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rancherctl.hosts.remote import disk
from rancherctl.hosts.remote import packages as apt
from rancherctl.hosts.remote.apply import absent
from rancherctl.hosts.remote.exclusive import PATIENCE, exclusive
from rancherctl.hosts.remote.observe import users as known_users
from rancherctl.hosts.remote.run import run, run_checked

FORBIDDEN = frozenset(
    {
        "/usr/bin",
        "/usr/lib",
        "/usr/sbin",
        "/usr/share",
        "/var/lib",
        "/var/log",
        "/etc/apt",
        "/etc/ssh",
        "/etc/systemd",
        "/etc/systemd/system",
    }
)
"""Never removed, like everything directly below the root, whatever the request."""
STOP_LIMIT = 180.0


def remove(request: dict[str, Any]) -> dict[str, Any]:
    """Answer ``{"done": [lines], "failed": {what: message}}``.

    The request has ``units`` (names or globs), ``paths``, and ``packages`` and ``users`` (booleans).
    """
    with exclusive(request.get("patience", PATIENCE)):
        return _remove(request)


def _remove(request: dict[str, Any]) -> dict[str, Any]:
    done: list[str] = []
    failed: dict[str, str] = {}

    def step(what: str, function: Callable[[], list[str]]) -> None:
        try:
            done.extend(function())
        except (OSError, disk.StepError) as error:
            failed[what] = str(error)

    if request.get("units"):
        step("units", lambda: units(request["units"]))
    if request.get("packages"):
        # before the paths: the record of installed packages is one of them
        step("packages", packages)
    if request.get("users"):
        step("users", users)
    for path in request.get("paths", []):
        step(path, lambda path=path: one_path(path))  # type: ignore[misc]
    return {"done": done, "failed": failed}


def units(patterns: list[str]) -> list[str]:
    """Stop and disable matching units, and remove their files in /etc/systemd/system."""
    listed = run_checked("systemctl", "list-units", "--all", "--plain", "--no-legend", "--", *patterns)
    names = {line.split()[0] for line in listed.splitlines() if line.strip()}
    folder = disk.at("/etc/systemd/system")
    files = sorted({place for pattern in patterns for place in folder.glob(pattern)})
    names |= {place.name for place in files}
    ordered = sorted(names)
    if ordered:
        run("systemctl", "stop", *ordered, timeout=STOP_LIMIT)
        for name in sorted(place.name for place in files):
            run("systemctl", "disable", name)
    for place in files:
        absent({"path": f"/etc/systemd/system/{place.name}"})
        if disk.at(f"/etc/systemd/system/{place.name}.d").is_dir():
            absent({"path": f"/etc/systemd/system/{place.name}.d"})
    run_checked("systemctl", "daemon-reload")
    if ordered:
        run("systemctl", "reset-failed", *ordered)
        left = run_checked(
            "systemctl",
            "list-units",
            "--plain",
            "--no-legend",
            "--state=active,activating,deactivating",
            "--",
            *patterns,
        ).split("\n")
        if any(line.strip() for line in left):
            raise disk.StepError(f"still running: {', '.join(line.split()[0] for line in left if line.strip())}")
    return [f"unit {name}" for name in ordered]


def packages() -> list[str]:
    """Purge the packages that rancherctl installed, unmask the units that it masked."""
    result = apt.purge()
    kept = [f"kept package {name}: other packages depend on it" for name in result["kept"]]
    return (
        [f"package {name}" for name in result["packages"]] + [f"unmasked {name}" for name in result["unmasked"]] + kept
    )


def users() -> list[str]:
    """Delete the users that rancherctl created."""
    owned = apt.settle()
    names = owned.get("users", [])
    gone = []
    for name in sorted(known_users(names)) if names else ():
        run_checked("userdel", name)
        gone.append(f"user {name}")
    if owned.pop("users", None) is not None:
        disk.write_state("owned.json", owned)
    return gone


def one_path(path: str) -> list[str]:
    """Delete a path of rancherctl; system folders are refused."""
    if path.rstrip("/") in FORBIDDEN or path.count("/") < 2:
        raise disk.StepError(f"refused to remove {path}: it is a system folder")
    if not disk.at(path).exists() and not disk.at(path).is_symlink():
        return []
    absent({"path": path})
    return [f"path {path}"]


OPERATIONS = {"remove": remove}
