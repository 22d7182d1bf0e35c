"""Questions to a server on loopback, and the role's loop around it."""

from __future__ import annotations

import time
from collections.abc import Callable

import dns.flags
import dns.message
import dns.query
import dns.rcode

from rancherctl.dns.reconcile import DnsRole
from rancherctl.kube.snapshot import Snapshot
from tests.fakes.named import Named


def ask(server: Named, name: str, kind: str = "A", *, tcp: bool = False, seconds: float = 60.0) -> dns.message.Message:
    query = dns.message.make_query(name, kind, use_edns=0, payload=1232)
    call = dns.query.tcp if tcp else dns.query.udp
    return call(query, "127.0.0.1", timeout=seconds, port=server.config.port)


def values(answer: dns.message.Message) -> list[str]:
    return sorted(rdata.to_text() for rrset in answer.answer for rdata in rrset)


def addresses(server: Named, name: str, kind: str = "A") -> list[str]:
    return values(ask(server, name, kind))


def soon(server: Named, name: str, kind: str = "A", limit: float = 60.0) -> list[str]:
    """The answer once the zone is loaded: a server that has just started answers SERVFAIL, never NXDOMAIN."""
    deadline = time.monotonic() + limit
    while True:
        answer = ask(server, name, kind)
        if answer.rcode() != dns.rcode.SERVFAIL or time.monotonic() > deadline:
            assert answer.rcode() == dns.rcode.NOERROR
            return values(answer)
        time.sleep(0.01)


def settle(
    role: DnsRole, snapshot: Snapshot, done: Callable[[], bool] | None = None, limit: float = 60.0
) -> dict[str, object]:
    """Reconcile as the agent's loop does, until the section says synced (or ``done``)."""
    deadline = time.monotonic() + limit
    while True:
        section = dict(role.reconcile(snapshot))
        if done() if done else section["synced"]:
            return section
        assert time.monotonic() < deadline, section
        time.sleep(min(role.resync, 0.2))


class Pace:
    """Calls a role like the agent's idle loop: after its whole ``resync``, which passes at once here."""

    def __init__(self, named: Named) -> None:
        self._later = 0.0
        self.role = DnsRole(named.config, named, probe=False, clock=lambda: time.monotonic() + self._later)

    def until(self, done: Callable[[], bool], snapshot: Snapshot, rounds: int = 200) -> None:
        """Reconcile until ``done``."""
        for _ in range(rounds):
            self.role.reconcile(snapshot)
            if done():
                return
            self._later += self.role.resync
            time.sleep(0.02)
        raise AssertionError(dict(self.role.reconcile(snapshot)))
