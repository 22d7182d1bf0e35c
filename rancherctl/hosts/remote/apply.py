"""Apply resources: packages, users, folders, files, links, removals, then units.

A failed part ends the run before the next.
"""

from __future__ import annotations

import base64
import errno
import os
import stat
from typing import Any

from rancherctl.hosts.remote import disk, services
from rancherctl.hosts.remote import packages as apt
from rancherctl.hosts.remote.exclusive import PATIENCE, exclusive
from rancherctl.hosts.remote.observe import users as known_users
from rancherctl.hosts.remote.run import run_checked


def apply(request: dict[str, Any]) -> dict[str, Any]:
    """Answer ``{"done": [keys], "failed": {key: message}}``; parts are applied in a fixed order."""
    with exclusive(request.get("patience", PATIENCE)):
        return _apply(request)


def _apply(request: dict[str, Any]) -> dict[str, Any]:
    done: list[str] = []
    failed: dict[str, str] = {}
    if request.get("packages"):
        keys = [package["key"] for package in request["packages"]]
        try:
            apt.install(request["packages"], request.get("bundled"))
            done += keys
        except (OSError, disk.StepError) as error:
            failed.update(dict.fromkeys(keys, str(error)))
            return {"done": done, "failed": failed}
    for part, function in (
        ("users", user),
        ("directories", directory),
        ("files", file),
        ("links", link),
        ("absent", absent),
    ):
        for item in request.get(part, []):
            try:
                function(item)
                done.append(item["key"])
            except (OSError, disk.StepError) as error:
                failed[item["key"]] = disk.reason(error)
        if failed:
            # later parts may need what failed: a unit is never started on incomplete files
            return {"done": done, "failed": failed}
    wanted = request.get("units", [])
    if wanted or any(
        item["path"].startswith("/etc/systemd/") for item in request.get("files", []) + request.get("absent", [])
    ):
        by_name: dict[str, str] = {}
        try:
            services.settle(wanted, by_name)
        except (OSError, disk.StepError) as error:
            by_name = {unit["name"]: disk.reason(error) for unit in wanted} or {"systemd": disk.reason(error)}
        failed.update({unit["key"]: by_name[unit["name"]] for unit in wanted if unit["name"] in by_name})
        failed.update({name: text for name, text in by_name.items() if name == "systemd"})
        done += [unit["key"] for unit in wanted if unit["name"] not in by_name]
    return {"done": done, "failed": failed}


def user(item: dict[str, Any]) -> None:
    """Create a system user without login and its group; a user that exists by now stays unchanged."""
    if known_users([item["name"]]):
        return
    owned = apt.settle()
    owned["users"] = sorted({*owned.get("users", []), item["name"]})
    disk.write_state("owned.json", owned)
    run_checked(
        "useradd",
        "--system",
        "--user-group",
        "--no-create-home",
        "--home-dir",
        item["home"],
        "--shell",
        "/usr/sbin/nologin",
        item["name"],
    )


def directory(item: dict[str, Any]) -> None:
    """Create a folder with mode and owner, and give the owner the files that it writes.

    Missing parents get mode 0755.
    """
    place = disk.at(item["path"])
    if place.is_symlink() or (place.exists() and not place.is_dir()):
        raise disk.StepError(f"{item['path']} exists and is not a directory")
    place.mkdir(parents=True, exist_ok=True)
    fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        disk.own(fd, item["owner"])
        os.fchmod(fd, item["mode"])
        for name in item.get("written", ()):
            hand_over(fd, item["path"], name, item["owner"])
    finally:
        os.close(fd)


def hand_over(folder: int, path: str, name: str, owner: str) -> None:
    """Give a regular file in an open folder to ``owner``; links are not followed, their targets may be foreign."""
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        return
    try:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            return
        if info.st_nlink > 1 and disk.ids(owner) != (info.st_uid, info.st_gid):
            links = f"{info.st_nlink} hard links, and all would change their owner to {owner}"
            raise disk.StepError(f"{path}/{name} has {links}: move it elsewhere")
        disk.own(fd, owner)
    finally:
        os.close(fd)


def file(item: dict[str, Any]) -> None:
    """Write a file; if ``content`` is None, only set its mode and owner."""
    if item["content"] is not None:
        disk.write(item["path"], base64.b64decode(item["content"]), item["mode"], item["owner"])
        return
    fd = os.open(disk.at(item["path"]), os.O_RDONLY | os.O_NOFOLLOW)
    try:
        disk.own(fd, item["owner"])
        os.fchmod(fd, item["mode"])
    finally:
        os.close(fd)


def link(item: dict[str, Any]) -> None:
    """Create or replace a symbolic link."""
    disk.link(item["path"], item["target"])


def absent(item: dict[str, Any]) -> None:
    """Remove a path: a link itself, a folder recursively. A folder with mounts in it is not touched."""
    place = disk.at(item["path"])
    try:
        info = place.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISDIR(info.st_mode):
        if os.path.ismount(place):
            raise disk.StepError(f"{item['path']} is a mount point")
        if mounted := disk.mounts_in(place):
            raise disk.StepError(f"{mounted[0]} is mounted below it; unmount it first, it may hold foreign data")
        import shutil

        shutil.rmtree(place)
    else:
        place.unlink()
    disk.sync_directory(place.parent)


OPERATIONS = {"apply": apply}
