"""Decide which published addresses hosts have confirmed, and which hosts are left out for how long. Pure.

Waits are measured by a monotonic clock in seconds; ``Memory`` carries them from one look to the next.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from rancherctl.hold import is_mass_loss
from rancherctl.placement.model import RosterHost
from rancherctl.services.model import HostPorts, LoadBalancer, programmed_digest
from rancherctl.services.placement import NOTHING, unable

VERIFY_SECONDS: Final = 2.0
"""How long kube-proxy of a published host may take, and how long its rules may be missing later."""
REFUSED: Final = "it did not program the Service in time"
PREPARE_SECONDS: Final = 5.0
"""How long a chosen host may take until it serves by rules of its own; its address is published after that."""
MAX_PREPARING: Final = 1000
"""Pairs of Service and host that are prepared at one moment; the others wait for their turn."""
REPLACE_SECONDS: Final = 2.0
"""How long the last address of a Service stays for its successor, although its host does not serve any longer."""
REPLACE_LOCAL_SECONDS: Final = 0.5
"""The same with policy Local, where kube-proxy drops everything that comes to a host without endpoints."""
REFUSED_SECONDS: Final = 60.0
"""How long a host that did not program a Service in time is left out; twice as long after each further failure."""
MAX_REFUSED_SECONDS: Final = 3600.0
MAX_FAILURES: Final = 6
"""What is counted: more make no difference, because the wait has its limit."""
MOVE_SECONDS: Final = 5.0
"""How long the address of a host that leaves in peace stays for the next host to be ready."""
HOLD_SECONDS: Final = 60.0
"""How long many hosts that go wrong at once keep their addresses: a broken release of agents is more likely."""
QUIET_SECONDS: Final = 1.0
"""A wait for a host that is shorter than this is not worth a condition in the status."""
_LIMITS: Final[Mapping[str, tuple[float, ...]]] = {
    "programmed": (VERIFY_SECONDS,),
    "preparing": (QUIET_SECONDS, PREPARE_SECONDS),
    "replacing": (REPLACE_LOCAL_SECONDS, REPLACE_SECONDS),
    "moving": (MOVE_SECONDS,),
    "held": (HOLD_SECONDS,),
}
"""What is waited for (the first part of a key of ``Memory.since``), and how long."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What the next call needs: when waits began, and until when hosts are left out, by (Service, host).

    ``replaced``: Service → its ``unknown`` addresses that we replace, and whether they have been away since.
    ``failures``: how often in a row a host did not program a Service in time.
    """

    since: Mapping[tuple[str, str, str], float] = field(default_factory=dict)
    refused: Mapping[tuple[str, str], float] = field(default_factory=dict)
    replaced: Mapping[str, tuple[frozenset[str], bool]] = field(default_factory=dict)
    failures: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def next_change(self, now: float) -> float | None:
        """Seconds until time alone changes a decision; None if nothing waits."""
        ends = [start + limit for (what, _, _), start in self.since.items() for limit in _LIMITS[what]]
        ends += self.refused.values()
        return min((max(0.05, end - now) for end in ends if end > now), default=None)


@dataclass(slots=True)
class Verifier:
    """Which published addresses are confirmed, and which have waited too long."""

    hosts: Mapping[str, RosterHost]
    reports: Mapping[str, HostPorts]
    memory: Memory
    now: float
    since: dict[tuple[str, str, str], float] = field(default_factory=dict)
    publishing: dict[str, list[str]] = field(default_factory=dict)
    """Services by the live host that publishes them."""
    failures: dict[tuple[str, str], int] = field(default_factory=dict)
    """``Memory.failures`` for the next call, as soon as ``refused`` has been called."""
    preparing: int = 0
    """Pairs that are prepared now."""

    def __post_init__(self) -> None:
        self.preparing = sum(what == "preparing" for what, _, _ in self.memory.since)

    def waited(self, what: str, service: str, host: str) -> float:
        key = (what, service, host)
        self.since[key] = self.memory.since.get(key, self.now)
        return self.now - self.since[key]

    def confirmed(self, service: LoadBalancer, host: str) -> bool:
        wanted = programmed_digest(self.hosts[host].address, service.ports)
        return self.reports.get(host, NOTHING).programmed.get(service.name) == wanted

    def served_later(self, service: LoadBalancer, host: str) -> bool:
        """Whether the host goes on to serve the address once it has left the status; older agents never do."""
        report = self.reports.get(host, NOTHING)
        if report.draining is None or (report.prepared is None and not self.hosts[host].excluded):
            return True
        wanted = programmed_digest(self.hosts[host].address, service.ports)
        return wanted in {report.draining.get(service.name), (report.prepared or {}).get(service.name)}

    def has_rules(self, service: LoadBalancer, host: str) -> bool:
        """Whether the host serves the Service by rules of its own because the leader has asked for it."""
        wanted = programmed_digest(self.hosts[host].address, service.ports)
        return (self.reports.get(host, NOTHING).prepared or {}).get(service.name) == wanted

    def prepared(self, service: LoadBalancer, host: str) -> bool:
        """Whether the host serves the address already, so that it may be published; older agents cannot before that."""
        return not self.understands(host) or self.has_rules(service, host) or self.confirmed(service, host)

    def understands(self, host: str) -> bool:
        """Whether its agent knows requests for rules; older ones do not."""
        return self.reports.get(host, NOTHING).prepared is not None

    def may_prepare(self, service: str, host: str) -> bool:
        """Whether the host is to prepare the Service now; no more than MAX_PREPARING do at one moment."""
        if ("preparing", service, host) in self.memory.since:
            return True
        if self.preparing >= MAX_PREPARING:
            return False
        self.preparing += 1
        return True

    def refused(self, services: Iterable[LoadBalancer]) -> dict[tuple[str, str], float]:
        """Until when each (Service, host) is left out."""
        out = {pair: until for pair, until in self.memory.refused.items() if until > self.now}
        by_address = {h.address: name for name, h in self.hosts.items() if h.address}
        known = {service.name: service for service in services}
        self.failures = {
            pair: count for pair, count in self.memory.failures.items() if pair[0] in known and pair[1] in self.hosts
        }
        for what, name, host in self.memory.since:
            if what == "preparing" and self._late(known.get(name), host):
                self._leave_out(out, (name, host))
        for service in known.values():
            for address in service.published:
                host = by_address.get(address, "")
                if not host or not self.hosts[host].alive:
                    continue
                self.publishing.setdefault(host, []).append(service.name)
                pair = (service.name, host)
                if self.confirmed(service, host):
                    self.failures.pop(pair, None)
                elif self.waited("programmed", *pair) >= VERIFY_SECONDS:
                    self._leave_out(out, pair)
        return out

    def _late(self, service: LoadBalancer | None, host: str) -> bool:
        """Whether the host has had its time to prepare the Service, and does not serve it."""
        if service is None or host not in self.hosts or not self.hosts[host].alive:
            return False
        late = self.now - self.memory.since["preparing", service.name, host] >= PREPARE_SECONDS
        return late and self.hosts[host].address not in service.published and not self.prepared(service, host)

    def _leave_out(self, out: dict[tuple[str, str], float], pair: tuple[str, str]) -> None:
        if pair not in out:
            count = self.failures.get(pair, 0)
            out[pair] = self.now + min(REFUSED_SECONDS * 2**count, MAX_REFUSED_SECONDS)
            self.failures[pair] = min(count + 1, MAX_FAILURES)

    def held(self, refused: Collection[tuple[str, str]]) -> frozenset[str]:
        """Hosts that look broken, if too many do so at once: nothing is withdrawn from them for HOLD_SECONDS.

        It is never withdrawn if all hosts look broken, because no other host could take it.
        """
        doubtful = {
            host
            for host, names in self.publishing.items()
            if unable(self.reports.get(host, NOTHING)) or (len(names) > 1 and all((n, host) in refused for n in names))
        }
        if not is_mass_loss(len(doubtful), len(self.publishing), floor=1):
            return frozenset()
        lasted = self.waited("held", "", "") >= HOLD_SECONDS
        able = any(h.alive and h.lb and name not in doubtful for name, h in self.hosts.items())
        return frozenset() if lasted and able else frozenset(doubtful)
