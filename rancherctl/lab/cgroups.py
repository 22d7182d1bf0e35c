"""A control group per host: it outlives the command that started the host, and lists every process to kill."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

from rancherctl.lab.command import LabError
from rancherctl.lab.machine import Cgroups

TOP = "rancherctl-lab"
REMOVE_LIMIT = 30.0  # seconds; the kernel unlinks a dead process from its group a moment after it is gone


def folders(cgroups: Cgroups, lab: str, *below: str) -> tuple[Path, ...]:
    """The folder of a lab, or of a host and what is ``below``, in every mounted hierarchy."""
    return tuple(mount.path.joinpath(TOP, lab, *below) for mount in cgroups.mounts)


def create(cgroups: Cgroups, lab: str, *below: str) -> tuple[Path, ...]:
    """Create the group of a lab, or of a host and ``below``, ready for processes, in every hierarchy.

    Two settings must be copied from the parents: v1 cpusets start empty and accept no process; v2 controllers start
    disabled.
    """
    for mount in cgroups.mounts:
        above = mount.path
        for part in (TOP, lab, *below):
            if cgroups.mode == "v2":
                enable_controllers(above)
            child = above / part
            child.mkdir(exist_ok=True)
            if "cpuset" in mount.controllers:
                for name in ("cpuset.cpus", "cpuset.mems"):
                    (child / name).write_text((above / name).read_text(encoding="ascii"), encoding="ascii")
            above = child
    return folders(cgroups, lab, *below)


def enable_controllers(folder: Path) -> None:
    """Pass every controller that a v2 group has on to its children."""
    names = (folder / "cgroup.controllers").read_text(encoding="ascii").split()
    (folder / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in names), encoding="ascii")


def processes(cgroups: Cgroups, lab: str, *below: str) -> frozenset[int]:
    """Pids in the groups of a host (of the lab without one) and all groups below, of every hierarchy."""
    found: set[int] = set()
    for top in folders(cgroups, lab, *below):
        for folder in tree_of(top):
            found.update(read_pids(folder / "cgroup.procs"))
    return frozenset(found - {0})


def tree_of(top: Path) -> list[Path]:
    """A group and all groups below it, parents first; groups that vanish meanwhile are missing or empty."""
    return [Path(path) for path, _folders, _files in os.walk(top)]


def read_pids(procs: Path) -> list[int]:
    """The pids listed in one file; none where its group vanished while it was read (ENOENT or ENODEV)."""
    try:
        return [int(line) for line in procs.read_text(encoding="ascii").split()]
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENODEV}:
            return []
        raise


def remove(cgroups: Cgroups, lab: str, *below: str) -> None:
    """Remove the groups of a host (of the lab without one), deepest first. LabError if one still has a process."""
    for top in folders(cgroups, lab, *below):
        for folder in reversed(tree_of(top)):
            remove_one(folder)


def remove_one(folder: Path) -> None:
    """Remove one empty group; tries again for REMOVE_LIMIT while the kernel still counts somebody in it."""
    until = time.monotonic() + REMOVE_LIMIT
    pause = 0.005
    while True:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > until:
                raise LabError(
                    f"control group {folder} could not be removed", why=str(error), hint="something still runs in it"
                ) from error
            time.sleep(pause)
            pause = min(pause * 2, 0.2)
        else:
            return


def remove_top(cgroups: Cgroups) -> None:
    """Remove the folder of all labs if it is empty. The caller (ops) holds the lock that creation needs."""
    for mount in cgroups.mounts:
        top = mount.path / TOP
        if top.is_dir() and not any(entry.is_dir() for entry in top.iterdir()):
            remove_one(top)
