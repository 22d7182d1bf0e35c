"""Reading the file with an environment's cached token; ``token_cache_writer`` describes its format and writes it.

This module is on the exec plug-in's way to a cached token (40 ms budget): it imports ``os`` and ``time``. It is
therefore the one place beside settings that reads environment variables; a contract test compares both.
"""

from __future__ import annotations

import os
import time


def cache_file(name: str) -> str:
    """Path of an environment's cached token."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not base.startswith("/"):
        home = os.environ.get("HOME") or os.path.expanduser("~")  # noqa: PTH111  # pathlib costs 5 ms
        base = f"{'/proc/nonexistent' if home in ('~', '/nonexistent') else home}/.cache"  # as settings.home
    return f"{base}/rancherctl/credentials/{name}"


RENEWED_SECONDS = 10.0
"""A token that is younger is not replaced again, however often programs ask for it."""
MOST_CALLERS = 1 << 16
"""Bytes of the list of callers; a full list is started again."""


def caller() -> str:
    """The process that runs the plug-in: its id and, on Linux, start time and program; "" if it is not a client.

    Clients set KUBERNETES_EXEC_INFO. The program counts, because a kubectl may ask for the server's version and then
    replace itself by the kubectl of that version.
    """
    if "KUBERNETES_EXEC_INFO" not in os.environ:
        return ""
    parent = os.getppid()
    try:
        with open(f"/proc/{parent}/stat", encoding="utf-8", errors="replace") as f:  # noqa: PTH123  # as above
            start = f.read().rpartition(")")[2].split()[19]
        return f"{parent}:{start}:{os.stat(f'/proc/{parent}/exe').st_ino}"  # noqa: PTH116  # as above
    except (OSError, IndexError):
        return f"{parent}:-"


def refused(path: str, who: str, wall: float) -> bool:
    """Whether the API refuses the cached token: a client keeps a token, and runs the plug-in again after a 401 only.

    Otherwise the caller is added to the list of those that have the token (``PATH.callers``).
    """
    if not who:
        return False
    callers = f"{path}.callers"
    try:
        with open(callers, encoding="ascii", errors="replace") as f:  # noqa: PTH123  # as above
            known = f.read(MOST_CALLERS)
    except OSError:
        known = ""
    try:
        age = wall - os.stat(path).st_mtime  # noqa: PTH116  # as above
        if f"{who}\n" in known.splitlines(keepends=True):
            return age > RENEWED_SECONDS
        flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if len(known) == MOST_CALLERS else os.O_APPEND)
        handle = os.open(callers, flags, 0o600)
        try:
            os.write(handle, f"{who}\n".encode())
        finally:
            os.close(handle)
    except OSError:
        return False  # a folder that cannot be written: clients keep the token until it expires
    return False


def boot_now() -> tuple[float, str]:
    """Seconds since boot, sleep included, and the boot's id; (0, "") where the system has neither."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as f:  # noqa: PTH123  # as above
            return time.clock_gettime(time.CLOCK_BOOTTIME), f.read().strip()
    except (OSError, AttributeError):
        return 0.0, ""


def cached(path: str, wall: float, boot: tuple[float, str]) -> tuple[str, bool]:
    """(document, fresh): a document whose token is valid, "" if there is none; ``fresh`` False = time to renew it."""
    try:
        with open(path, encoding="utf-8") as f:  # noqa: PTH123  # as above
            head, _, document = f.read().partition("\n")
        version, wall_refresh, wall_end, boot_refresh, boot_end, boot_id = head.split(" ")
        if version != "1":
            return "", False
        same_boot = boot_id == boot[1] != ""
        now, refresh, end = (boot[0], boot_refresh, boot_end) if same_boot else (wall, wall_refresh, wall_end)
        return (document, now < float(refresh)) if now < float(end) else ("", False)
    except (OSError, ValueError):
        return "", False  # missing or not a token cache: the renewal writes a new one
