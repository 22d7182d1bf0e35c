"""Take an environment off its hosts and look whether anything is left (E11)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rancherctl import contract
from rancherctl.environments import host_checks, layout
from rancherctl.environments.components import places
from rancherctl.environments.context import Context
from rancherctl.environments.model import Environment
from rancherctl.errors import AuthError, ConflictError, PartialError, RancherctlError, UnreachableError
from rancherctl.events import Event
from rancherctl.hosts import host_lock, lock_owner, remote_call
from rancherctl.hosts.command import script
from rancherctl.hosts.facts import HostFacts, gather_facts
from rancherctl.hosts.fanout import each
from rancherctl.hosts.model import Absent, Host
from rancherctl.hosts.observe import observe
from rancherctl.hosts.remove import remove as remove_resources
from rancherctl.hosts.transport import Transport
from rancherctl.roles.registry import ROLES

PROGRAM = "rancherctl.environments.removal.remote"
PROGRAM_LIMIT = 180.0
"""Seconds for one operation of the program: stopping pods takes the longest."""
BEFORE = f"{places.DATA}/before.json"
APPARMOR = "/etc/apparmor.d/local/usr.sbin.named"
CNI_PLUGINS = ("host-local", "loopback", "portmap", "ptp")
OURS = (places.ETC, places.PROGRAMS, places.DATA)
"""One of them is there from the first change of an apply until the last one of a removal."""
LOCKS = contract.RUN
PATHS = (
    places.ETC,
    places.PROGRAMS,
    "/run/containerd",
    *(path for role in ROLES for path in role.paths),
    *(f"/opt/cni/bin/{name}" for name in CNI_PLUGINS),
    "/var/lib/cni",
    "/var/lib/systemd/timers/stamp-rancherctl-certificates.timer",
    "/var/log/pods",
    "/var/log/containers",
    places.DATA,
)
"""Removed with all in them; the last one keeps the record of what came by us, so it goes last. /var/lib/kubelet and the containers'
folder may be mount points of the host: they are emptied, and removed where they are not."""
EMPTIED = (places.KUBELET, places.CONTAINERD)
STOP_ORDER = (
    (
        "rancherctl-certificates.timer",
        *(
            places.unit(name)
            for name in ("agent", "controller", "kubelet", "kube-proxy", "kube-scheduler", "kube-controller-manager")
        ),
    ),
    (places.unit("kube-apiserver"),),
    ("rancherctl-*",),
)
"""systemctl stops what it is given one by one: an API server whose etcd has gone first does not end by itself."""
MAYBE = (
    "/run/nri",
    "/run/adduser",
    "/opt/containerd",
    *(path for role in ROLES for path in role.runtime_paths),
)
"""What programs and packages that came by us make at run time, removed only where it was not there before."""
KERNEL = ("mount ", "interface ", "address ", "route ", "nft table ", "iptables chain ", "ip6tables chain ")
"""How leftovers begin that have to be gone before packages go: without the packages' tools nobody could see or remove them."""
FOLDERS = ("/opt/cni/bin", "/opt/cni", places.CNI_CONF, "/etc/cni")


@dataclass(frozen=True, slots=True)
class Removed:
    """``left``: host → what could still be found there (all empty when it worked); ``skipped``: hosts that are nobody's, and in use by others."""

    environment: str
    done: Mapping[str, tuple[str, ...]]
    left: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()


def paths(host: Host) -> tuple[str, ...]:
    """What is removed from a host with all in it, in this order. A control-plane host keeps the lock until the lock is given back."""
    return PATHS if host.is_a("controlplane") else (LOCKS, *PATHS)


def request(environment: Environment, host: Host, op: str) -> dict[str, Any]:
    """What the host's program has to know: names and numbers of the network role, kube-proxy's tables, our paths. Pure."""
    return {
        "op": op,
        "path": BEFORE,
        "files": [APPARMOR],
        "maybe": list(MAYBE),
        "whole": [],
        "folders": [],
        "mounts": [*EMPTIED, "/run/containerd", "/run/netns"],
        "devices": [*(device for role in ROLES for device in role.devices), "kube-ipvs0", "nodelocaldns"],
        "addresses": list(environment.dns_addresses()),
        "protocol": 173,
        "tables": ["kube-proxy", *(table for role in ROLES for table in role.nft_tables)],
        "paths": [*paths(host), f"{places.KUBELET}/pki"],
    }


def _call(transport: Transport, request: Mapping[str, Any]) -> dict[str, Any]:
    """Run one operation of ``removal.remote`` on a host."""
    return remote_call.call(transport, request, module=PROGRAM, timeout=PROGRAM_LIMIT)


def remember(context: Context, environment: Environment, host: Host) -> None:
    """Have the host write down how it was before our first change; a second time does nothing."""
    _call(context.transport(host), request(environment, host, "remember"))


def remove(environment: Environment, context: Context, *, break_lock: bool = False) -> Removed:
    """Stop and remove everything of the environment on all its hosts. PartialError names hosts that failed: run it again.

    A host of another environment is refused before anything is removed anywhere; a host that is nobody's is cleared all the same, unless
    somebody else's containers may run there: pods, chains and folders would be theirs.
    """
    context, interrupted = _interruptible(context)
    hosts, failures, strange = concerned(environment, context)
    keepers = [context.transport(h) for h in hosts if h.is_a("controlplane")]
    if break_lock:
        host_lock.break_lock(keepers, context.emit)
    with host_lock.HostLock(
        keepers, lock_owner.this_process(context.operator), f"removing environment {environment.name}"
    ) as lock:
        # workers first: what they lose last is the API
        workers = tuple(h for h in hosts if not h.is_a("controlplane"))
        done = {**each(workers, lambda h: _clear(environment, h, context), context.parallel, interrupted=interrupted)}
        lock.verify()
        bosses = tuple(h for h in hosts if h.is_a("controlplane"))
        done |= each(bosses, lambda h: _clear(environment, h, context), context.parallel, interrupted=interrupted)
    if lock.left_behind:
        context.emit(Event("lock", lock.left_behind, "", "note", "warning"))
    # the folder of the lock, which is given back now
    cleared = tuple(h for h in bosses if done[h.name].ok)
    unlocked = each(
        cleared,
        lambda h: _call(context.transport(h), {"op": "unlocked", "folder": LOCKS}),
        context.parallel,
    )
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
    return Removed(environment.name, {name: o.get()[0] for name, o in done.items()}, left, strange)


def concerned(environment: Environment, context: Context) -> tuple[tuple[Host, ...], dict[str, str], tuple[str, ...]]:
    """Hosts that a removal is about; those that could not be asked, with the reason; those that are left alone. ConflictError as ``remove`` says."""
    facts, errors = gather_facts(
        environment.hosts,
        context.transport,
        emit=context.emit,
        limit=context.parallel,
        interrupted=context.observing_interrupted,
    )
    _refuse_unasked(len(environment.hosts), errors)
    owners = {name: host_checks.owner(fact) for name, fact in facts.items()}
    foreign = {name: owner for name, owner in owners.items() if owner not in ("", environment.name)}
    if foreign:
        told = "; ".join(f"{name} belongs to {owner!r}" for name, owner in foreign.items())
        raise ConflictError(
            f"nothing was removed: {told}", hint="take these hosts out of the file, or name the right environment"
        )
    layout.refuse_newer(environment.name, (fact.marker or {} for fact in facts.values()))
    failures = {name: str(error) for name, error in errors.items()}
    strange = _strangers(environment, context, facts)
    return tuple(h for h in environment.hosts if h.name not in failures and h.name not in strange), failures, strange


def _strangers(environment: Environment, context: Context, facts: Mapping[str, HostFacts]) -> tuple[str, ...]:
    """Hosts without anything of ours on which units of others run, like a kubelet's; each is told of."""
    running = {
        name: lines for name, fact in facts.items() if not fact.marker and (lines := [*host_checks.software(fact)])
    }
    asked = [host for host in environment.hosts if host.name in running]
    found = each(
        asked, lambda host: observe(context.transport(host), [Absent(path) for path in OURS]), context.parallel
    )
    strange = tuple(name for name, outcome in found.items() if outcome.ok and not outcome.get().states)
    for name in strange:
        text = f"nothing of this environment is there, and {running[name][0].partition(' (')[0]}: left alone"
        context.emit(Event("remove", text, name, "note", "warning"))
    return strange


def _refuse_unasked(total: int, failures: Mapping[str, RancherctlError]) -> None:
    """UnreachableError or AuthError where that is the answer of all hosts: nothing was begun, so nothing is partial."""
    errors = list(failures.values())
    if (
        errors
        and len(errors) == total
        and len({type(e) for e in errors}) == 1
        and isinstance(errors[0], (UnreachableError, AuthError))
    ):
        what = "nothing was removed: no host could be asked" if len(errors) > 1 else "nothing was removed"
        raise type(errors[0])(what, why="; ".join(str(e) for e in errors), hint=errors[0].hint)


def _interruptible(context: Context) -> tuple[Context, Callable[[], None]]:
    """A context whose hosts end their work at their next event once the other is called, which Ctrl-C does."""
    stopped = threading.Event()

    def emit(event: Event) -> None:
        if stopped.is_set():
            raise RancherctlError("removing was interrupted", hint="run the same command again")
        context.emit(event)

    def interrupted() -> None:
        stopped.set()
        text = "interrupted: each host ends the step at hand; Ctrl-C again does not wait for that"
        context.emit(Event("interrupt", text, "", "note", "warning"))

    return replace(context, emit=emit), interrupted


def leftovers(environment: Environment, context: Context, host: Host, before: Mapping[str, Any]) -> tuple[str, ...]:
    """What of ours can be found on a host now; ``before`` is its record of how it was, gone by now (empty: the host reads its own, if it has one)."""
    wanted = {**request(environment, host, "left"), "before": before}
    return tuple(_call(context.transport(host), wanted)["left"])


def _clear(environment: Environment, host: Host, context: Context) -> tuple[tuple[str, ...], tuple[str, ...]]:
    transport = context.transport(host)
    context.emit(Event("remove", "stopping units, pods and what they left in the kernel", host.name, "started"))
    lines: tuple[str, ...] = ()
    for group in STOP_ORDER:
        lines += remove_resources(transport, context.emit, units=group)
    cleared = _call(transport, request(environment, host, "clear"))
    stuck = tuple(line for line in cleared["left"] if line.startswith(KERNEL))
    if stuck:
        return lines, _told(context, host, lines, stuck)
    _call(transport, {**request(environment, host, "folders"), "whole": list(EMPTIED)})
    # Logs stay, but are not owned by a user ID that may be given to another user.
    # The next apply gives its API server the files that it writes.
    transport.run(script('test ! -d "$1" || chown -R root:root "$1"', places.LOG))
    lines += remove_resources(transport, context.emit, packages=True, users=True, paths=paths(host))
    _call(transport, {**request(environment, host, "folders"), "maybe": [], "folders": list(FOLDERS)})
    return lines, _told(context, host, lines, leftovers(environment, context, host, cleared["before"]))


def _told(context: Context, host: Host, lines: tuple[str, ...], left: tuple[str, ...]) -> tuple[str, ...]:
    """``left``, after telling the user how it stands."""
    for line in left:
        context.emit(Event("remove", f"still there: {line}", host.name, "failed", "error"))
    text = f"{len(lines)} things removed, clean" if not left else f"{len(left)} things are left"
    context.emit(Event("remove", text, host.name, "failed" if left else "done"))
    return left
