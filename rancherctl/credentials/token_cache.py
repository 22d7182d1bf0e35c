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
        base = f"{'/proc/nonexistent' if home == '~' else home}/.cache"  # as settings.NO_HOME
    return f"{base}/rancherctl/credentials/{name}"


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
