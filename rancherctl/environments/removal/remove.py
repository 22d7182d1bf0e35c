"""Remove an environment from its hosts, and check that nothing is left (E11)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from rancherctl.environments.components import places
from rancherctl.environments.context import Context
from rancherctl.environments.model import Environment
from rancherctl.environments.removal.concerned import concerned_hosts
from rancherctl.environments.removal.requests import (
    EMPTIED,
    FOLDERS,
    KERNEL,
    LOCK_FOLDER,
    STOP_ORDER,
    call,
    leftovers,
    paths,
    request,
)
from rancherctl.errors import PartialError, RancherctlError
from rancherctl.events import Event
from rancherctl.hosts import firewall_rules, host_lock, lock_owner
from rancherctl.hosts.command import script
from rancherctl.hosts.fanout import each
from rancherctl.hosts.model import Host
from rancherctl.hosts.remove import remove as remove_resources


@dataclass(frozen=True, slots=True)
class Removed:
    """``done``: host → what was removed. ``left``: host → what still exists there (all empty if it worked).

    ``skipped``: hosts without anything of the environment, on which other software runs.
    """

    environment: str
    done: Mapping[str, tuple[str, ...]]
    left: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()


def remove(environment: Environment, context: Context, *, break_lock: bool = False) -> Removed:
    """Stop and remove everything of the environment on its hosts. PartialError names hosts that failed: run it again.

    Raises ConflictError before any change if a host belongs to another environment. A host that belongs to none is
    cleared, too, unless foreign containers may run there: pods, chains and folders would be theirs.
    """
    context, interrupted = _interruptible(context)
    concerned = concerned_hosts(environment, context)
    control_plane = tuple(h for h in concerned.hosts if h.is_a("controlplane"))
    workers = tuple(h for h in concerned.hosts if not h.is_a("controlplane"))
    # of those that answer: an environment must be removable while some hosts, or its whole control plane, are gone
    lock_hosts = [context.transport(h) for h in control_plane]
    if break_lock:
        host_lock.break_lock(lock_hosts, context.emit)
    owner, reason = lock_owner.this_process(context.operator), f"removing environment {environment.name}"
    with host_lock.HostLock(lock_hosts, owner, reason, majority=True) as lock:
        for name, why in lock.skipped.items():
            context.emit(Event("lock", f"not locked, a majority is enough: {why}", name, "note", "warning"))
        # workers first: their agents need the API until the end
        done = {**each(workers, lambda h: _clear(environment, h, context), context.parallel, interrupted=interrupted)}
        lock.verify()
        done |= each(
            control_plane, lambda h: _clear(environment, h, context), context.parallel, interrupted=interrupted
        )
    if lock.left_behind:
        context.emit(Event("lock", lock.left_behind, "", "note", "warning"))
    # the lock is released now, so its folder can go
    cleared = tuple(h for h in control_plane if done[h.name].ok)
    unlocked = each(
        cleared, lambda h: call(context.transport(h), {"op": "unlocked", "folder": LOCK_FOLDER}), context.parallel
    )
    failures = dict(concerned.failures)
    failures |= {name: str(o.error) for name, o in unlocked.items() if o.error is not None}
    failures |= {name: str(o.error) for name, o in done.items() if o.error is not None}
    if failures:
        failures |= {name: f"still there: {'; '.join(o.get()[1])}" for name, o in done.items() if o.ok and o.get()[1]}
        raise PartialError(
            f"{len(failures)} of {len(environment.hosts)} hosts are not clean",
            failures,
            hint="run the same command again",
        )
    left = {name: o.get()[1] for name, o in done.items()}
    return Removed(environment.name, {name: o.get()[0] for name, o in done.items()}, left, concerned.skipped)


def _interruptible(context: Context) -> tuple[Context, Callable[[], None]]:
    """A context whose hosts stop at their next event once the returned function was called, which Ctrl-C does."""
    stopped = threading.Event()

    def emit(event: Event) -> None:
        if stopped.is_set():
            raise RancherctlError("the removal was interrupted", hint="run the same command again")
        context.emit(event)

    def interrupted() -> None:
        stopped.set()
        text = "interrupted: each host finishes its current step; press Ctrl-C again to stop at once"
        context.emit(Event("interrupt", text, "", "note", "warning"))

    return replace(context, emit=emit), interrupted


def _clear(environment: Environment, host: Host, context: Context) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Clear one host: what was removed, and what is left."""
    transport = context.transport(host)
    context.emit(
        Event("remove", "stopping units and pods, clearing what they left in the kernel", host.name, "started")
    )
    lines: tuple[str, ...] = ()
    for group in STOP_ORDER:
        lines += remove_resources(transport, context.emit, units=group)
    lines += firewall_rules.close(transport)
    cleared = call(transport, request(environment, host, "clear"))
    stuck = tuple(line for line in cleared["left"] if line.startswith(KERNEL))
    if stuck:
        _emit_result(context, host, lines, stuck)
        return lines, stuck
    call(transport, {**request(environment, host, "folders"), "whole": list(EMPTIED)})
    # Logs stay, but are not owned by a user ID that may be given to another user.
    # The next apply gives its API server the files that it writes.
    transport.run(script('test ! -d "$1" || chown -R root:root "$1"', places.LOG))
    lines += remove_resources(transport, context.emit, packages=True, users=True, paths=paths(host))
    call(transport, {**request(environment, host, "folders"), "maybe": [], "spare": [], "folders": list(FOLDERS)})
    left = leftovers(environment, context, host, cleared["before"])
    _emit_result(context, host, lines, left)
    return lines, left


def _emit_result(context: Context, host: Host, lines: tuple[str, ...], left: tuple[str, ...]) -> None:
    """One error event for each leftover, then the host's result."""
    for line in left:
        context.emit(Event("remove", f"still there: {line}", host.name, "failed", "error"))
    text = f"{len(left)} items are left" if left else f"{len(lines)} items removed, clean"
    context.emit(Event("remove", text, host.name, "failed" if left else "done"))
