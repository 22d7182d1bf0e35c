"""Who holds a lock.

A process on one machine, recognised again after it has died or its process id was reused.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Owner:
    """Owner of a lock: ``name`` (user@machine) for people.

    Machine, process id and process start identify the process.
    """

    name: str
    machine: str
    pid: int
    started: str


def this_process(name: str) -> Owner:
    """This process as an owner; ``name`` is ``user@machine`` for people."""
    return Owner(name, _machine(), os.getpid(), _start_of(os.getpid()))


def is_alive(owner: Owner) -> bool:
    """Whether the owner's process may still run; False only if it ran on this machine and has ended."""
    if owner.machine != _machine() or owner.started == "":
        return True
    started = _start_of(owner.pid)
    return started == owner.started if started else _exists(owner.pid)


def _machine() -> str:
    """This machine and its process namespace.

    Containers of one image may share a machine id, but not their processes.
    """
    try:
        name = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except OSError:
        name = socket.gethostname()
    try:
        return f"{name} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return name


def _exists(pid: int) -> bool:
    """Whether the process exists, even if /proc hides the processes of other users (hidepid)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _start_of(pid: int) -> str:
    """When a process started, in ticks since boot, and the boot id; "" if it does not exist or cannot be read."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return f"{fields[19]} {Path('/proc/sys/kernel/random/boot_id').read_text(encoding='ascii').strip()}"
    except (OSError, IndexError):
        return ""
