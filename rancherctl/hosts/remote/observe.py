"""Observe paths, packages, users and units.

Writes only the cache of hashes, and only on hosts of an environment.
"""

from __future__ import annotations

import stat
import time
from pathlib import Path
from typing import Any

from rancherctl.hosts.remote import disk
from rancherctl.hosts.remote.run import has_program, last_lines, run

TEXT_LIMIT = 256 * 1024
UNIT_FIELDS = (
    "Id,LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload,Result,ExecMainStatus,NRestarts,"
    "ActiveEnterTimestampMonotonic"
)


def observe(request: dict[str, Any]) -> dict[str, Any]:
    """Answer ``{paths, packages, users, units, ran_with, errors}`` for the requested names.

    Unreadable parts are in ``errors``.
    """
    errors: dict[str, str] = {}
    stamps = disk.Stamps()
    answer: dict[str, Any] = {"paths": {}, "errors": errors, "ran_with": {}}
    for path, how in request.get("paths", {}).items():
        try:
            answer["paths"][path] = read_path(path, stamps, how)
        except (OSError, disk.StepError) as error:
            errors[path] = str(error)
    stamps.save()
    for part, function in (("packages", packages), ("users", users), ("units", units)):
        answer[part] = {}
        names = request.get(part, [])
        if names:
            try:
                answer[part] = function(names)
            except (OSError, disk.StepError) as error:
                errors[part] = str(error)
    kept = disk.read_state("units.json")
    answer["ran_with"] = {name: kept[name] for name in request.get("units", []) if name in kept}
    return answer


def read_path(path: str, stamps: disk.Stamps, how: dict[str, Any]) -> dict[str, Any]:
    """Type, mode, owner and size of a path.

    A file's hash, and its text if ``how.text`` and the hash differs from ``how.sha256``. ``files`` of a directory: the
    owners of its regular files named in ``how.files``.
    """
    place = disk.at(path)
    try:
        info = place.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return {"type": "absent"}
    out: dict[str, Any] = {
        "mode": stat.S_IMODE(info.st_mode),
        "owner": disk.owner_of(info.st_uid, info.st_gid),
        "size": info.st_size,
    }
    if stat.S_ISLNK(info.st_mode):
        return {**out, "type": "link", "target": str(place.readlink())}
    if stat.S_ISDIR(info.st_mode):
        return {**out, "type": "directory", "files": owners(place, how.get("files", []))}
    if not stat.S_ISREG(info.st_mode):
        return {**out, "type": "other"}
    out["type"] = "file"
    size = how.get("size")
    if size is not None and size != info.st_size:
        # of another size, so it will be sent anyway: no need to hash it
        return {**out, "sha256": f"size-{info.st_size}"}
    out["sha256"] = stamps.sha256(path, info)
    if how.get("text") and out["sha256"] != how.get("sha256") and info.st_size <= TEXT_LIMIT:
        try:
            out["text"] = place.read_bytes().decode()
        except UnicodeDecodeError:
            out["binary"] = True
    return out


def owners(folder: Path, names: list[str]) -> dict[str, str]:
    """Name → owner of those that are regular files in the folder. Links are not followed."""
    found = {}
    for name in names:
        try:
            info = (folder / name).lstat()
        except FileNotFoundError:
            continue
        if stat.S_ISREG(info.st_mode):
            found[name] = disk.owner_of(info.st_uid, info.st_gid)
    return found


def fingerprint(path: str, stamps: disk.Stamps) -> str:
    """Fingerprint of a path that a unit depends on: a file's hash, a link's target, or the type."""
    seen = read_path(path, stamps, {})
    if seen["type"] == "file":
        return str(seen["sha256"])
    return f"link:{seen['target']}" if seen["type"] == "link" else str(seen["type"])


def packages(names: list[str]) -> dict[str, Any]:
    """Name → installed version, for installed packages."""
    if not has_program("dpkg-query"):
        raise disk.StepError("dpkg-query is not installed, so packages cannot be read")
    done = run("dpkg-query", "-W", "-f", "${Package}\t${db:Status-Status}\t${Version}\n", *names)
    if done.returncode not in (0, 1):  # 1: some of the names are unknown
        raise disk.StepError(f"dpkg-query: {last_lines(done)}")
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    return {row[0]: row[2] for row in rows if len(row) == 3 and row[1] == "installed"}


def users(names: list[str]) -> dict[str, Any]:
    """Name → home, for existing users."""
    rows = [line.split(":") for line in run("getent", "passwd", *names).stdout.splitlines()]
    return {row[0]: row[5] for row in rows if len(row) > 5}


def units(names: list[str]) -> dict[str, Any]:
    """Name → selected fields of ``systemctl show``, and ``age``: seconds since a running unit became active.

    A unit that does not exist has LoadState ``not-found``.
    """
    done = run("systemctl", "show", "--no-pager", f"--property={UNIT_FIELDS}", "--", *names)
    if done.returncode != 0:
        raise disk.StepError(f"systemctl show: {done.stderr.strip() or done.returncode}")
    blocks = [
        dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        for block in done.stdout.strip().split("\n\n")
    ]
    # the answer is in the order of the request; Id differs from the requested name of an alias
    if len(blocks) != len(names):
        raise disk.StepError(f"systemctl show answered {len(blocks)} units for {len(names)}")
    now = time.clock_gettime(time.CLOCK_MONOTONIC)  # the clock of systemd's stamps
    for block in blocks:
        came_up = int(block.get("ActiveEnterTimestampMonotonic") or 0)
        if came_up and block.get("ActiveState") in ("active", "reloading"):
            block["age"] = f"{now - came_up / 1e6:.1f}"
    return dict(zip(names, blocks, strict=True))


OPERATIONS = {"observe": observe}
