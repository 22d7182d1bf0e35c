"""Remove units, packages, users and paths from a host. ``env rm`` decides which."""

from __future__ import annotations

from collections.abc import Sequence

from rancherctl.events import Emit, Event
from rancherctl.hosts.apply import ApplyError
from rancherctl.hosts.remote_call import call
from rancherctl.hosts.transport import Transport

LIMIT = 1200.0
PHASE = "remove"


def remove(
    transport: Transport,
    emit: Emit,
    *,
    units: Sequence[str] = (),
    paths: Sequence[str] = (),
    packages: bool = False,
    users: bool = False,
) -> tuple[str, ...]:
    """Stop and delete units (names or globs such as ``rancherctl-*``), then packages, users and ``paths``.

    Returns what was removed.

    ``packages``: purge those that rancherctl installed, and unmask units; ``users``: delete those that it created.
    Paths are removed recursively, except mount points and system folders. All steps are tried; ApplyError lists the
    failures. Packages and users are recorded in /var/lib/rancherctl: remove that path in the same call, or later.
    """
    request = {"op": "remove", "units": list(units), "paths": list(paths), "packages": packages, "users": users}
    answer = call(transport, request, timeout=LIMIT)
    for line in answer["done"]:
        emit(Event(PHASE, line, transport.name, "done", "debug"))
    failed: dict[str, str] = answer["failed"]
    for what, why in failed.items():
        emit(Event(PHASE, f"{what}: {why}", transport.name, "failed", "error"))
    if failed:
        raise ApplyError(transport.name, failed)
    return tuple(answer["done"])
