"""``rancherctl-credential --env NAME``: the exec plug-in that kubectl runs. A cached token is printed without importing anything heavy.

This is the one place beside settings that looks at the environment's variables: reading two of them here keeps settings' imports off the
way to a cached token (40 ms budget). tests/unit/credentials compares both.
"""

from __future__ import annotations

import os
import sys
import time

USAGE = "usage: rancherctl-credential --env NAME [--refresh | --revoke]\n"


def cache_file(name: str) -> str:
    """Path of an environment's cached token."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not base.startswith("/"):
        base = os.path.join(os.environ.get("HOME") or os.path.expanduser("~"), ".cache")  # noqa: PTH111, PTH118  # pathlib costs 5 ms
    return f"{base}/rancherctl/credentials/{name}"


def boot_now() -> tuple[float, str]:
    """Seconds since boot, sleep included, and the boot's id; (0, "") where the system has neither."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as f:  # noqa: PTH123  # as above
            return time.clock_gettime(time.CLOCK_BOOTTIME), f.read().strip()
    except (OSError, AttributeError):
        return 0.0, ""


def cached(path: str, wall: float, boot: tuple[float, str]) -> tuple[str, bool]:
    """(document, fresh): a document that is still good, "" if there is none; ``fresh`` False = time to renew it."""
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
        return "", False  # no cache, or not ours: the refresh writes it anew


def main(argv: list[str] | None = None) -> int:
    """Entry point; the exit code."""
    try:
        return _answer(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:  # Ctrl-C for kubectl reaches us as well
        return 130


def _answer(words: list[str]) -> int:
    if len(words) == 2 and words[0] == "--env" and "/" not in words[1]:
        document, fresh = cached(cache_file(words[1]), time.time(), boot_now())
        if fresh:
            sys.stdout.write(document)
            return 0
    from rancherctl.credentials.renewal import run

    return run(words)


if __name__ == "__main__":
    sys.exit(main())
