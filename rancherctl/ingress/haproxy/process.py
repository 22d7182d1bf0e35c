"""What the kernel says about HAProxy's processes, and whether its program file was replaced."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

PROGRAM: Final = Path("/usr/sbin/haproxy")


def finishing(worker: int) -> int:
    """How many earlier workers still finish their connections, beside ``worker``; 0 if that is unknown."""
    try:
        master = _stat(worker)[1]
        children = Path(f"/proc/{master}/task/{master}/children").read_text("ascii").split()
    except (OSError, IndexError):
        return 0
    return max(0, len(children) - 1)


def memory(worker: int) -> int:
    """Bytes that a worker uses; 0 = unknown."""
    try:
        status = Path(f"/proc/{worker}/status").read_text("ascii")
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmRSS:")), 0)


def _stat(process: int) -> list[str]:
    """The fields of /proc/PID/stat after the name: state, parent and so on."""
    return Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()


def started(process: int) -> float:
    """When a process started, in seconds since 1970; infinity if that is unknown."""
    try:
        ticks = int(_stat(process)[19])
    except (OSError, IndexError, ValueError):
        return float("inf")
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")


class Program:
    """The program file: an upgrade of the package replaces it, and the running processes go on with the former one.

    A reload makes the master execute the new one. Each file counts once, whatever the clock says.
    """

    def __init__(self, path: Path = PROGRAM) -> None:
        self._path = path
        self._known: tuple[int, int, int] | None = None

    def replaced(self, worker: int) -> bool:
        """Whether the file was replaced since the last call; at the first one, since ``worker`` started."""
        try:
            found = self._path.stat()
        except OSError:  # an upgrade is in progress, or it was removed
            return False
        stamp = (found.st_dev, found.st_ino, found.st_ctime_ns)
        before, self._known = self._known, stamp
        return found.st_ctime > started(worker) if before is None else stamp != before
