"""Processes by pid and start time, so that a reused pid is never killed; exits are awaited on pidfds, not polled."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rancherctl.errors import TimeoutExceededError
from rancherctl.lab.command import LabError

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """``started`` is field 22 of /proc/PID/stat: clock ticks after the machine's boot."""

    pid: int
    started: int

    def alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        fields = stat(self.pid)
        return fields is not None and int(fields[19]) == self.started and fields[0] not in {"Z", "X"}


def stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the name (state first), None if the process does not exist."""
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(") ")[2].split()


def identify(pid: int) -> Process | None:
    """The process of that pid now, None where there is none."""
    fields = stat(pid)
    return None if fields is None else Process(pid, int(fields[19]))


def child_of(pid: int) -> Process | None:
    """The oldest child of a process, None where it has none."""
    children: list[Process] = []
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            fields = stat(int(entry.name))
            if fields is not None and int(fields[1]) == pid and fields[0] != "Z":
                children.append(Process(int(entry.name), int(fields[19])))
    return min(children, key=lambda child: (child.started, child.pid), default=None)


def kill(pids: Iterable[int], timeout: float) -> None:
    """SIGKILL every process and wait until all are gone; LabError where one stays longer than ``timeout`` seconds."""
    with handles(pids) as found:
        for fd in found.values():
            with suppress(ProcessLookupError):  # it ended by itself
                signal.pidfd_send_signal(fd, signal.SIGKILL)
        left = wait_closed(found, timeout)
    if left:
        raise LabError(
            f"processes {', '.join(map(str, left))} do not end",
            why=f"killed {timeout:.0f} s ago",
            hint="look at their state with ps",
        )


def await_end(pids: Iterable[int], timeout: float) -> list[int]:
    """Wait until all processes have ended; the pids that are left after ``timeout`` seconds."""
    with handles(pids) as found:
        return wait_closed(found, timeout)


@contextmanager
def handles(pids: Iterable[int]) -> Iterator[dict[int, int]]:
    """pid → pidfd of the processes that still are; closed after the block."""
    with ExitStack() as stack:
        found: dict[int, int] = {}
        for pid in sorted(set(pids)):
            fd = open_pidfd(pid)
            if fd is not None:
                stack.callback(os.close, fd)
                found[pid] = fd
        yield found


def open_pidfd(pid: int) -> int | None:
    """A handle that becomes readable when the process ends; None where it is gone already."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def wait_closed(found: dict[int, int], timeout: float) -> list[int]:
    """Wait for the ends of all processes (pid → pidfd); the pids that are left after ``timeout`` seconds."""
    poll = select.poll()
    left = dict(found)
    by_fd = {fd: pid for pid, fd in found.items()}
    for fd in found.values():
        poll.register(fd, select.POLLIN)
    until = time.monotonic() + timeout
    while left and (rest := until - time.monotonic()) > 0:
        for fd, _event in poll.poll(rest * 1000):
            poll.unregister(fd)
            del left[by_fd[fd]]
    return sorted(left)


def wait_first(fds: Iterable[int], timeout: float, what: str) -> int:
    """The first descriptor that becomes readable; TimeoutExceededError naming ``what`` after ``timeout`` seconds."""
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    ready = poll.poll(timeout * 1000)
    if not ready:
        raise TimeoutExceededError(f"{what} did not happen within {timeout:.0f} s")
    return ready[0][0]
