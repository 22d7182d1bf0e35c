"""Take away from a host what is ours. The building block of ``env rm``, which decides what that is."""

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
    """Stop and delete units (names or globs such as ``rancherctl-*``), purge packages that came by us and unmask, delete users of
    ours, then ``paths`` (with all in them; mount points and the system's folders are refused). Lines of what was removed.

    All steps are tried; ApplyError tells all that failed. Run it again until it removes nothing. The record of packages and users is in
    /var/lib/rancherctl: remove that path in the same call as them, or later.
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
