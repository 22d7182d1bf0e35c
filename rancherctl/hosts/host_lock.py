"""One operator at a time: a lock file on every control-plane host, then (where the API answers) a Lease in it.

The files are taken in the order of the hosts' names, so two operators never hold one half each for long. A lock runs out by the
host's own uptime and boot id; a thread renews it while it is held. ``verify`` before each phase tells an operator who has lost it.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from rancherctl.errors import LockedError, RancherctlError
from rancherctl.events import Emit, Event
from rancherctl.hosts.remote_call import call
from rancherctl.hosts.transport import Transport

TTL = 120.0
BEAT = 30.0
HINT = "wait until it is done, or take it with --break-lock when that operator is gone"


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds a lock: ``name`` (user@machine) for people; machine id, process and its start tell whether it still lives there."""

    name: str
    machine: str
    pid: int
    started: str


@dataclass(frozen=True, slots=True)
class Holder:
    """A lock as found on a host: owner, reason, since (epoch seconds of the host), ``left`` seconds until it runs out."""

    host: str
    owner: Owner
    reason: str
    since: float
    left: float

    def line(self, now: float) -> str:
        """``held by … since … for …``."""
        at = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(self.since))
        return f"held by {self.owner.name} (process {self.owner.pid}) since {at} ({_age(now - self.since)}) for {self.reason}"


class Further(Protocol):
    """The second lock, kept elsewhere (a Kubernetes Lease): same verbs, LockedError when somebody else has it."""

    def acquire(self, owner: str, reason: str) -> None: ...
    def verify(self) -> None: ...
    def release(self) -> None: ...


def this_process(name: str) -> Owner:
    """This process as an owner; ``name`` is ``user@machine`` for people."""
    return Owner(name, _machine(), os.getpid(), _start_of(os.getpid()))


def lives(owner: Owner) -> bool:
    """False only when the owner's process was on this machine and is gone; elsewhere nobody can tell, so it counts as alive."""
    if owner.machine != _machine() or owner.started == "":
        return True
    started = _start_of(owner.pid)
    return started == owner.started if started else _exists(owner.pid)


def show(transports: Sequence[Transport]) -> tuple[Holder, ...]:
    """The locks that stand on these hosts."""
    found = (_holder(t.name, call(t, {"op": "lock", "verb": "show"})) for t in transports)
    return tuple(holder for holder in found if holder is not None)


def break_lock(transports: Sequence[Transport], emit: Emit, *, now: Callable[[], float] = time.time) -> None:
    """Remove the locks whoever holds them, and tell of each."""
    for transport in transports:
        holder = _holder(transport.name, call(transport, {"op": "lock", "verb": "break"}))
        if holder is not None:
            emit(Event("lock", f"broken: it was {holder.line(now())}", transport.name, "note", "warning"))


class HostLock:
    """The lock over several hosts, used as a context manager (``with HostLock(...)``): acquired on entry, released on exit."""

    def __init__(
        self,
        transports: Sequence[Transport],
        owner: Owner,
        reason: str,
        *,
        ttl: float = TTL,
        beat: float = BEAT,
        alive: Callable[[Owner], bool] = lives,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._transports = sorted(transports, key=lambda t: t.name)
        self._owner = owner
        self._reason, self._ttl, self._beat = reason, ttl, beat
        self._alive, self._now = alive, now
        self._token = secrets.token_hex(16)
        self._held: list[Transport] = []
        self._further: Further | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.left_behind = ""
        """After a release: one line about hosts on which the lock could not be given back, "" when there is none."""

    def __enter__(self) -> HostLock:
        self.acquire()
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()

    def acquire(self) -> None:
        """Take all of them or none. LockedError says who holds one, since when and for what; a dead process of this machine is followed."""
        try:
            for transport in self._transports:
                # noted first: an answer that is lost on the way may have been a yes
                self._held.append(transport)
                self._take(transport)
        except BaseException:
            self.release()
            raise
        self._thread = threading.Thread(target=self._renewing, name="lock", daemon=True)
        self._thread.start()

    def _take(self, transport: Transport) -> None:
        answer = self._ask(transport, "acquire")
        holder = _holder(transport.name, answer)
        if not answer["granted"] and holder is not None and not self._alive(holder.owner):
            call(transport, {"op": "lock", "verb": "release", "token": answer["holder"]["token"]})
            answer = self._ask(transport, "acquire")
            holder = _holder(transport.name, answer)
        if not answer["granted"]:
            said = holder.line(self._now()) if holder is not None else "held by somebody else"
            why = f"it runs out in {max(0.0, holder.left):.0f} s unless it is renewed" if holder is not None else ""
            raise LockedError(f"{transport.name}: the environment is {said}", why=why, hint=HINT)

    def also(self, further: Further) -> None:
        """Take the second lock too, once it can be reached; it is verified and released with the files."""
        further.acquire(self._owner.name, self._reason)
        self._further = further

    def verify(self) -> None:
        """Renew everywhere; LockedError when it was broken or ran out and is somebody else's now. Called before each phase."""
        for transport in self._held:
            answer = self._ask(transport, "renew")
            if not answer["granted"]:
                holder = _holder(transport.name, answer)
                said = f"it is {holder.line(self._now())}" if holder is not None else "it ran out or was broken"
                raise LockedError(
                    f"{transport.name}: the lock is no longer ours: {said}", hint="run the same command again"
                )
        if self._further is not None:
            self._further.verify()

    def release(self) -> None:
        """Give back what is held; a host where that fails lets it run out. Safe to call twice."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        if self._further is not None:
            self._further.release()
            self._further = None
        failed: list[str] = []
        for transport in reversed(self._held):
            try:
                call(transport, {"op": "lock", "verb": "release", "token": self._token}, timeout=20)
            except RancherctlError:
                # whatever keeps it there (no way to the host, a program that fails), the others are given back and the run's result stands
                failed.append(transport.name)
        self._held.clear()
        if failed:
            self.left_behind = f"the lock could not be given back on {', '.join(sorted(failed))}: it runs out there within {self._ttl:.0f} s"

    def _ask(self, transport: Transport, verb: str) -> dict[str, Any]:
        return call(
            transport,
            {
                "op": "lock",
                "verb": verb,
                "token": self._token,
                "owner": asdict(self._owner),
                "reason": self._reason,
                "ttl": self._ttl,
            },
        )

    def _renewing(self) -> None:
        while not self._stop.wait(self._beat):
            for transport in tuple(self._held):
                try:
                    self._ask(transport, "renew")
                except RancherctlError:
                    # verify() before the next phase tells; here only the lock's life is prolonged
                    continue


def _holder(host: str, answer: Mapping[str, Any]) -> Holder | None:
    found = answer["holder"]
    if found is None:
        return None
    return Holder(host, Owner(**found["owner"]), str(found["reason"]), float(found["since"]), float(found["left"]))


def _age(seconds: float) -> str:
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _machine() -> str:
    """This machine and its process numbers: containers made of one image may share the id of a machine, and do not see each other's processes."""
    try:
        name = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except OSError:
        name = socket.gethostname()
    try:
        return f"{name} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return name


def _exists(pid: int) -> bool:
    """Whether there is such a process: /proc may hide those of others (hidepid)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _start_of(pid: int) -> str:
    """When a process began, in ticks since boot with the boot's id; "" when there is none (or it cannot be told here)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return f"{fields[19]} {Path('/proc/sys/kernel/random/boot_id').read_text(encoding='ascii').strip()}"
    except (OSError, IndexError):
        return ""
