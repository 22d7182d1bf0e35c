"""Is there room for hosts in the machine's limit of inotify instances? All labs share it with root's other programs.

A host without free instances fails in odd places (kubelet, systemd: "too many open files"). The lab warns and
leaves the setting alone: it is the machine's, and what it is set to is for the machine's owner to decide.
"""

from __future__ import annotations

from pathlib import Path

LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
PER_HOST = 13  # measured: systemd 4, kubelet 5, containerd 2, D-Bus 1, kube-proxy 1
CONTROL_PLANE = 15  # measured: kube-apiserver 7, kube-controller-manager 6, kube-scheduler 2
PER_IDLE_HOST = 5  # systemd and D-Bus, which a running host without an environment has taken already


def shortage(limit: int, used: int, hosts: int) -> str:
    """One line with the numbers where an environment on ``hosts`` idle hosts may not fit, else ""."""
    more = hosts * (PER_HOST - PER_IDLE_HOST) + CONTROL_PLANE
    if used + more <= limit:
        return ""
    wanted = max(512, 2 * (used + more))
    return (
        f"inotify instances may run out: {used} of {limit} in use, "
        f"an environment on these {hosts} hosts needs {more} more; "
        f"take another lab down, or raise the limit of this machine: sysctl -w fs.inotify.max_user_instances={wanted}"
    )


def limit() -> int:
    """The machine's limit per user."""
    return int(LIMIT.read_text(encoding="ascii"))


def in_use(proc: Path = Path("/proc")) -> int:
    """Instances that root's processes hold open, in hosts and outside.

    Processes that end meanwhile, or that even root may not read (a sandbox's init), do not count.
    """
    count = 0
    for process in proc.iterdir():
        if not process.name.isdigit():
            continue
        try:
            if process.stat().st_uid == 0:
                count += sum(1 for fd in (process / "fd").iterdir() if _is_inotify(fd))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return count


def _is_inotify(fd: Path) -> bool:
    try:
        return str(fd.readlink()) == "anon_inode:inotify"
    except FileNotFoundError:  # closed since it was listed
        return False
