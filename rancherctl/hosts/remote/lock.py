"""The lock file of the operator who may change this host's environment.

It expires by the host's uptime and boot id.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rancherctl.hosts.remote import disk

FOLDER = "/run/rancherctl"
LOCK = f"{FOLDER}/environment.lock"


def lock(request: dict[str, Any]) -> dict[str, Any]:
    """``verb`` acquire, renew, release, break or show, with ``token``.

    Answer ``{"granted": bool, "holder": {…} | None}``.

    acquire and renew also take ``owner`` (an object shown to others), ``reason`` and ``ttl`` (seconds). A lock that has
    expired or is of another boot counts as absent. renew is granted only to the current holder: an expired lock is
    never silently taken again.
    """
    verb, token = request["verb"], request.get("token", "")
    with _guard():
        now, boot = time.clock_gettime(time.CLOCK_BOOTTIME), _boot_id()
        holder = _read(now, boot)
        mine = holder is not None and holder["token"] == token
        if verb == "show":
            return {"granted": False, "holder": _shown(holder, now)}
        if verb == "break" or (verb == "release" and mine):
            disk.at(LOCK).unlink(missing_ok=True)
            return {"granted": True, "holder": _shown(holder, now)}
        if verb == "release":
            return {"granted": False, "holder": _shown(holder, now)}
        if (verb == "acquire" and (holder is None or mine)) or (verb == "renew" and mine):
            since = holder["since"] if holder is not None else time.time()
            entry = {
                "token": token,
                "owner": request["owner"],
                "reason": request["reason"],
                "since": since,
                "boot": boot,
                "expires": now + request["ttl"],
            }
            disk.write(LOCK, json.dumps(entry).encode(), 0o644, disk.owner_of(os.geteuid(), os.getegid()))
            return {"granted": True, "holder": _shown(entry, now)}
        return {"granted": False, "holder": _shown(holder, now)}


@contextmanager
def _guard() -> Iterator[None]:
    folder = disk.at(FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    fd = os.open(folder / ".environment.guard", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _boot_id() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:  # noqa: PTH123 - not under ROOT on purpose
        return file.read().strip()


def _read(now: float, boot: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(disk.at(LOCK).read_bytes())
        valid = entry["boot"] == boot and entry["expires"] > now and bool(entry["token"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        # writes are atomic, so an invalid file has another origin: it must not block every operator forever
        return None
    return entry if valid else None


def _shown(entry: dict[str, Any] | None, now: float) -> dict[str, Any] | None:
    if entry is None:
        return None
    return {key: entry[key] for key in ("owner", "reason", "since", "token")} | {"left": entry["expires"] - now}


OPERATIONS = {"lock": lock}
