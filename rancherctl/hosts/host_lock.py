"""One operator at a time.

A lock file on every control-plane host, then (where the API answers) a Lease in it.

Files are locked in the order of the hosts' names, so that two operators never block each other with one half each. A
lock expires by the host's own uptime and boot id and is renewed while it is held; ``verify`` before each phase notices
a lost lock.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

from rancherctl.errors import LockedError, RancherctlError, UnreachableError
from rancherctl.events import Emit, Event
from rancherctl.hosts import fanout
from rancherctl.hosts.fanout import each
from rancherctl.hosts.lock_owner import Owner, is_alive
from rancherctl.hosts.remote_call import call
from rancherctl.hosts.transport import Transport
from rancherctl.worker import Worker

TTL: Final = 120.0
RENEW_INTERVAL: Final = 30.0
"""Seconds until an unrenewed lock expires; seconds between renewals."""
RELEASE_LIMIT: Final = 20.0
HINT: Final = "wait until that command finishes, or use --break-lock if its process is gone"


@dataclass(frozen=True, slots=True)
class LockHolder:
    """A lock found on a host.

    Owner, reason, ``since`` (seconds since the epoch on the host), ``left`` seconds until it expires.
    """

    host: str
    owner: Owner
    reason: str
    since: float
    left: float

    def line(self, now: float) -> str:
        """``held by … since … for …``."""
        at = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(self.since))
        age = _duration(now - self.since)
        return f"held by {self.owner.name} (process {self.owner.pid}) since {at} ({age}) for {self.reason}"


class SecondLock(Protocol):
    """A lock kept elsewhere (a Kubernetes Lease): the same verbs, LockedError if another operator holds it."""

    def acquire(self, owner: str, reason: str) -> None: ...
    def verify(self) -> None: ...
    def release(self) -> None: ...


def show(transports: Sequence[Transport]) -> tuple[LockHolder, ...]:
    """The current locks on these hosts."""
    found = (_holder(t.name, call(t, {"op": "lock", "verb": "show"})) for t in transports)
    return tuple(holder for holder in found if holder is not None)


def break_lock(transports: Sequence[Transport], emit: Emit, *, now: Callable[[], float] = time.time) -> None:
    """Remove the locks even if another process holds them, with a warning for each.

    Raises only if no host could be asked.
    """
    failures: list[RancherctlError] = []
    for transport in transports:
        try:
            holder = _holder(transport.name, call(transport, {"op": "lock", "verb": "break"}))
        except RancherctlError as error:
            failures.append(error)
            emit(Event("lock", f"lock not broken: {error}", transport.name, "note", "warning"))
            continue
        if holder is not None:
            emit(Event("lock", f"lock broken: it was {holder.line(now())}", transport.name, "note", "warning"))
    if failures and len(failures) == len(transports):
        raise failures[0]


class HostLock:
    """The lock over several hosts, used as a context manager: acquired on entry, released on exit.

    With ``majority`` it is enough that more than half of the hosts grant it, so that an environment can be changed
    while a minority is down: two operators cannot both get a majority. A host that answers "held by another" always
    refuses the whole lock.
    """

    def __init__(
        self,
        transports: Sequence[Transport],
        owner: Owner,
        reason: str,
        *,
        majority: bool = False,
        ttl: float = TTL,
        renew_interval: float = RENEW_INTERVAL,
        alive: Callable[[Owner], bool] = is_alive,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._transports = sorted(transports, key=lambda t: t.name)
        self._needed = fanout.majority(len(self._transports)) if majority else len(self._transports)
        self._owner, self._reason, self._ttl, self._interval = owner, reason, ttl, renew_interval
        self._alive, self._now = alive, now
        self._token = secrets.token_hex(16)
        self._asked: list[Transport] = []
        """Hosts that may have granted the lock: an answer that was lost may have been a yes."""
        self._granted: list[Transport] = []
        self._second: SecondLock | None = None
        self._renewal: Worker | None = None
        self.skipped: dict[str, str] = {}
        """Hosts on which the lock is not held although the others suffice, and why."""
        self.left_behind = ""
        """After a release: one line about hosts on which the lock could not be released; "" if there are none."""

    def __enter__(self) -> HostLock:
        self.acquire()
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()

    def acquire(self) -> None:
        """Take the lock on enough hosts, or on none. LockedError says who holds it, since when and for what.

        A lock whose owner was a process of this machine that has ended is replaced.
        """
        failures: dict[str, RancherctlError] = {}
        try:
            for transport in self._transports:
                self._asked.append(transport)
                try:
                    self._take(transport)
                except LockedError:
                    raise
                except RancherctlError as error:
                    failures[transport.name] = error
                    if len(self._transports) - len(failures) < self._needed:
                        raise self._no_majority(failures) from error
        except BaseException:
            self.release()
            raise
        self.skipped = {name: str(error) for name, error in failures.items()}
        self._renewal = Worker("lock renewal", self._renew, retry=lambda _: self._interval, first=self._interval)
        self._renewal.start()

    def add(self, second: SecondLock) -> None:
        """Take the second lock, too, once it can be reached; it is verified and released together with the files."""
        second.acquire(self._owner.name, self._reason)
        self._second = second

    def verify(self) -> None:
        """Renew the lock; LockedError if it expired, was broken or belongs to another operator now.

        Called before each phase.
        """
        lost: list[Transport] = []
        failures: dict[str, RancherctlError] = {}
        for transport in tuple(self._granted):
            try:
                answer = self._request(transport, "renew")
            except RancherctlError as error:
                failures[transport.name] = error
                continue
            if not answer["granted"]:
                if (holder := _holder(transport.name, answer)) is not None:
                    raise _lost(transport, f"it is {holder.line(self._now())}")
                lost.append(transport)
        if len(self._granted) - len(failures) - len(lost) < self._needed:
            if lost:
                raise _lost(lost[0], "it expired or was broken")
            raise self._no_majority(failures)
        for transport in lost:
            # the host was rebooted: the others never ceased to hold the lock, so no other operator has changed anything
            # meanwhile
            self._granted.remove(transport)
            try:
                self._take(transport)
            except LockedError:
                raise
            except RancherctlError as error:
                self.skipped[transport.name] = str(error)
        if self._second is not None:
            self._second.verify()

    def release(self) -> None:
        """Release the lock everywhere; on a host where that fails it expires. Safe to call twice."""
        if self._renewal is not None:
            self._renewal.stop()
        if self._second is not None:
            self._second.release()
            self._second = None
        request = {"op": "lock", "verb": "release", "token": self._token}
        outcomes = each(self._asked, lambda transport: call(transport, request, timeout=RELEASE_LIMIT))
        failed = [transport.name for transport in self._granted if not outcomes[transport.name].ok]
        self._asked.clear()
        self._granted.clear()
        if failed:
            names = ", ".join(sorted(failed))
            self.left_behind = f"the lock could not be released on {names}: it expires within {self._ttl:.0f} s"

    def _take(self, transport: Transport) -> None:
        answer = self._request(transport, "acquire")
        holder = _holder(transport.name, answer)
        if not answer["granted"] and holder is not None and not self._alive(holder.owner):
            call(transport, {"op": "lock", "verb": "release", "token": answer["holder"]["token"]})
            answer = self._request(transport, "acquire")
            holder = _holder(transport.name, answer)
        if not answer["granted"]:
            described = holder.line(self._now()) if holder is not None else "held by another process"
            why = f"it expires in {max(0.0, holder.left):.0f} s unless it is renewed" if holder is not None else ""
            raise LockedError(f"{transport.name}: the environment is {described}", why=why, hint=HINT)
        self._granted.append(transport)

    def _no_majority(self, failures: Mapping[str, RancherctlError]) -> RancherctlError:
        """Too few hosts granted the lock: the host's own error if it is the only one that failed, else all in one."""
        first, *others = failures.values()
        if not others:
            return first
        what = f"cannot lock the environment: {len(failures)} of {len(self._transports)} hosts failed"
        return UnreachableError(what, why="; ".join(map(str, failures.values())), hint=first.hint)

    def _request(self, transport: Transport, verb: str) -> dict[str, Any]:
        request = {"token": self._token, "owner": asdict(self._owner), "reason": self._reason, "ttl": self._ttl}
        return call(transport, {"op": "lock", "verb": verb, **request})

    def _renew(self) -> float:
        """Extend the lock's life on each host; a failure is reported by ``verify`` before the next phase."""
        each(tuple(self._granted), lambda transport: self._request(transport, "renew"))
        return self._interval


def _lost(transport: Transport, why: str) -> LockedError:
    return LockedError(f"{transport.name}: the lock was lost: {why}", hint="run the same command again")


def _holder(host: str, answer: Mapping[str, Any]) -> LockHolder | None:
    found = answer["holder"]
    if found is None:
        return None
    owner = Owner(**found["owner"])
    return LockHolder(host, owner, str(found["reason"]), float(found["since"]), float(found["left"]))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
