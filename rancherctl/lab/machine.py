"""Facts of the machine that carries labs: may it, which programs are missing, how are its control groups mounted."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rancherctl.errors import PreflightError, UsageError

CgroupMode = Literal["v1", "v2"]

PROGRAMS = {
    "apt-get": "apt",
    "apt-ftparchive": "apt-utils",
    "ip": "iproute2",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "ssh": "openssh-client",
    "systemd-nspawn": "systemd-container",
}
# Devices and folders of the machine that hosts see where they exist: kubelet reads kmsg, VPN tools want tun.
SHARED = (Path("/dev/kmsg"), Path("/dev/net/tun"), Path("/dev/fuse"))
SHARED_READ_ONLY = (Path("/lib/modules"),)


PLAIN_OPTIONS = frozenset({"rw", "ro", "relatime", "noatime", "nosuid", "nodev", "noexec", "xattr"})


@dataclass(frozen=True, slots=True)
class CgroupMount:
    """A mounted control group hierarchy: ``controllers`` as in its mount options, empty for v2."""

    path: Path
    controllers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cgroups:
    """How the machine's control groups are mounted: ``v1`` when a v1 hierarchy carries the memory controller."""

    mode: CgroupMode
    mounts: tuple[CgroupMount, ...]


@dataclass(frozen=True, slots=True)
class Machine:
    """What starting a host depends on. ``shared`` and ``shared_read_only`` are the paths of SHARED that exist."""

    cgroups: Cgroups
    shared: tuple[Path, ...]
    shared_read_only: tuple[Path, ...]


def parse_cgroups(mounts: str) -> Cgroups:
    """Control groups out of the text of /proc/mounts; PreflightError where there are none to use."""
    one: list[CgroupMount] = []
    two: list[CgroupMount] = []
    for line in mounts.splitlines():
        _source, target, kind, options = line.split(" ")[:4]
        if kind == "cgroup":
            one.append(
                CgroupMount(Path(target), tuple(option for option in options.split(",") if option not in PLAIN_OPTIONS))
            )
        elif kind == "cgroup2":
            two.append(CgroupMount(Path(target), ()))
    if any("memory" in mount.controllers for mount in one):
        return Cgroups("v1", (*one, *two))
    if two:
        return Cgroups("v2", (two[0],))
    raise PreflightError(
        "this machine cannot carry a lab",
        ["no control groups are mounted"],
        hint="mount a cgroup2 file system on /sys/fs/cgroup",
    )


def require_root() -> None:
    """UsageError in one line where a lab is impossible: another system than Linux, or not root."""
    if sys.platform != "linux":
        raise UsageError(
            "a lab needs Linux",
            why=f"this is {sys.platform}",
            hint="run it on a Linux machine, or use hosts of your own",
        )
    if os.geteuid() != 0:
        raise UsageError(
            "a lab needs root",
            why="it makes network namespaces, mounts and containers",
            hint="run the same command with sudo",
        )


def inspect() -> Machine:
    """Facts of this machine; UsageError or PreflightError (all missing programs at once) if it cannot run a lab."""
    require_root()
    missing = {program: package for program, package in PROGRAMS.items() if shutil.which(program) is None}
    if missing:
        raise PreflightError(
            "this machine lacks programs for a lab",
            [f"{program} (package {package})" for program, package in missing.items()],
            hint=f"apt-get install {' '.join(sorted(set(missing.values())))}",
        )
    return Machine(
        parse_cgroups(Path("/proc/mounts").read_text(encoding="utf-8")),
        tuple(path for path in SHARED if path.exists()),
        tuple(path for path in SHARED_READ_ONLY if path.is_dir()),
    )
