"""PublicDns: the public names of a federation and the health of its members' addresses, as the Hub uses them."""

from __future__ import annotations

import json
import logging
import random
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, Protocol

from rancherctl.federation.conditions import SERVING, Condition
from rancherctl.federation.dns_state import DnsState
from rancherctl.federation.health import LEADER, Judge
from rancherctl.federation.inventory import InventoryStore
from rancherctl.federation.model import FederatedService, FederationSettings, Place, Verdict
from rancherctl.federation.probe_results import ProbeLog, Result
from rancherctl.federation.probe_targets import Footprints, Target, addresses_by_member, assigned, period, targets
from rancherctl.federation.prober import probe
from rancherctl.federation.providers.base import DnsProvider
from rancherctl.federation.publisher import DnsPublisher
from rancherctl.federation.status import DnsPart
from rancherctl.federation.zone_report import to_json
from rancherctl.kube.backoff import Backoff
from rancherctl.text import and_more
from rancherctl.worker import Worker

log = logging.getLogger(__name__)


class TextStore(Protocol):
    """One stored text; "" if there is none."""

    def read(self) -> str: ...
    def write(self, text: str) -> None: ...


CANARY_SECONDS: Final = 10.0
"""How long an answer of the DNS provider shows that this host is not cut off."""


class PublicDns:
    """Satisfies ``public_names.Names``. ``clock``: monotonic seconds; ``changed``: asks the Hub for another call.

    ``memory`` keeps which addresses are withdrawn for the next leader, ``report`` what command lines show.
    """

    def __init__(
        self,
        settings: FederationSettings,
        provider: DnsProvider,
        store: InventoryStore,
        *,
        gate: Callable[[], object],
        changed: Callable[[], None],
        clock: Callable[[], float],
        memory: TextStore | None = None,
        report: TextStore | None = None,
        probe_all: Callable[[Iterable[Target]], Mapping[str, bool | None]] = probe,
    ) -> None:
        self._settings, self._clock, self._changed = settings, clock, changed
        self._gate, self._memory, self._probe = gate, memory, probe_all
        self._report, self._reported = report, ""
        self.publisher = DnsPublisher(settings, provider, gate=gate, store=store, on_change=changed, clock=clock)
        self._lock = threading.Lock()
        self._shown, self._parts = DnsState(), dict[str, DnsPart]()
        self._judge: Judge | None = None
        self._log = ProbeLog()
        self._footprints = Footprints()
        self._targets: Mapping[str, Target] = {}
        self._assigned: Mapping[str, Sequence[Target]] = {}
        self._verdicts: Mapping[str, Verdict] = {}
        self._saved: str | None = None
        self._publish: Callable[[], None] = lambda: None
        self._addresses: dict[str, set[str]] = {}
        self._unpublished: dict[str, float] = {}
        self._canary = (-CANARY_SECONDS, False)
        self._started = False
        self._asked: tuple[object, ...] = ()
        backoff = Backoff(random.Random())  # noqa: S311 - spreads load, protects nothing
        self._worker = Worker(f"health of addresses {settings.zone}", self.check, retry=backoff.after)

    def want(
        self,
        services: Sequence[FederatedService],
        /,
        *,
        places: Iterable[Place] = (),
        gone: Collection[str] = (),
        left: Collection[str] = (),
        settled: bool = True,
        members: Collection[str] = (),
    ) -> None:
        """See ``DnsPublisher.want``; begins with the first call. ``members`` are the vantage points."""
        listed = tuple(places)
        asked = (tuple(services), listed, frozenset(gone), frozenset(left), settled, tuple(members))
        if asked == self._asked:
            return
        self._asked = asked
        footprints = self._footprints.of(services)
        found = addresses_by_member(footprints)
        for member in left:
            found[member] = found.get(member, set()) | self._addresses.get(member, set())
        self._addresses = found

        def publish() -> None:
            # Until the first round of probes, addresses that the leader before has withdrawn would be taken for good.
            if self._judge is not None:
                verdicts = self._verdicts
                self.publisher.want(services, verdicts, places=listed, gone=gone, left=left, settled=settled)

        with self._lock:
            self._targets = targets(footprints)
            self._assigned = assigned(self._targets.values(), members)
            self._publish = publish
        publish()
        if not self._started:
            self._started = True
            self.publisher.start()
            self._worker.start()

    def stop(self) -> None:
        """End the threads; the names stay."""
        if self._started:
            self.publisher.stop(1.0)
            self._worker.stop(1.0)

    def targets(self, member: str, /) -> Sequence[Target]:
        """What a member probes."""
        return self._assigned.get(member, ())

    def report(self, member: str, results: Mapping[str, Result], /) -> None:
        """A report of a member's vantage point has arrived."""
        with self._lock:
            if self._judge is not None:
                self._judge.feed(member, results, self._clock())
        self._evaluate()

    def check(self) -> float:
        """Probe all targets from here once; returns the seconds until the next round."""
        started = self._clock()
        first = self._judge is None
        judge = self._judge or Judge(self._remembered(), started)
        found = self._targets
        outcomes = self._probe(found.values())
        now = self._clock()
        with self._lock:
            self._log.record(outcomes, now)
            judge.feed(LEADER, self._log.results(now), now)
            self._judge = judge
        self._evaluate()
        if first:
            self._publish()
        self._save()
        self._write_report()
        return max(0.0, period(len(found)) - (self._clock() - started))

    def _evaluate(self) -> None:
        """Judge, and publish if something was withdrawn or has returned."""
        with self._lock:
            if self._judge is None:
                return
            before = self._verdicts
            held = self._judge.held
            verdicts = self._judge.judge(self._targets, self._clock(), self._answers)
            self._verdicts = verdicts
            publish = self._publish
            told = held != self._judge.held
        changes = {k for k in before.keys() | verdicts.keys() if _out(before, k) != _out(verdicts, k)}
        for key in sorted(changes):
            verdict = verdicts.get(key)
            log.warning("%s: %s", key, f"withdrawn, {verdict.reason}" if verdict and verdict.withdrawn else "returned")
        if changes or before.keys() != verdicts.keys():
            publish()
        if changes or told:
            self._changed()

    def _answers(self) -> bool:
        """Whether the DNS provider answers, asked at most every CANARY_SECONDS."""
        now = self._clock()
        if now - self._canary[0] >= CANARY_SECONDS:
            self._canary = (now, self.publisher.answers())
        return self._canary[1]

    def _remembered(self) -> dict[str, str]:
        """Withdrawn addresses and reasons of the leader before."""
        if self._memory is None:
            return {}
        self._saved = self._memory.read()
        try:
            content = json.loads(self._saved) if self._saved else {}
            return {str(key): str(why) for key, why in content.items()}
        except (ValueError, AttributeError):
            return {}

    def adopt(self, name: str, /) -> None:
        """Take over the unmarked records of a wanted name."""
        self.publisher.adopt(name)

    def force(self) -> None:
        """Delete, once, the names of objects that the federation no longer has."""
        self.publisher.force()

    def release(self) -> None:
        """Delete all names and the zone marker: the federation is removed."""
        self.publisher.release()

    def _write_report(self) -> None:
        """Store what command lines show, if it has changed."""
        text = to_json(self._settings.zone, self.publisher.state())
        if self._report is not None and text != self._reported:
            self._gate()
            self._report.write(text)
            self._reported = text

    def _save(self) -> None:
        if self._memory is None or self._judge is None:
            return
        with self._lock:
            text = json.dumps(self._judge.withdrawn())
        if text != self._saved and not (text == "{}" and not self._saved):
            self._gate()
            self._memory.write(text)
            self._saved = text

    def dns(self) -> Mapping[str, DnsPart]:
        """By ``namespace/name``: what is published and withheld."""
        state = self.publisher.state()
        if state is not self._shown:
            before, common = self._shown, (state.conflicts, state.problem, bool(state.pending))
            same = common == (before.conflicts, before.problem, bool(before.pending))
            known = self._parts if same else {}
            self._parts = {
                key: known[key] if key in known and before.services[key] == service else _part(state, key)
                for key, service in state.services.items()
            }
            self._shown = state
        return self._parts

    def withdrawn(self) -> frozenset[str]:
        """Addresses that are judged dead."""
        return frozenset(a for a, verdict in self._verdicts.items() if verdict.withdrawn)

    def settled(self, key: str, /) -> bool:
        """Whether the object may go: it has no names any more, or its tombstone is saved."""
        return self.publisher.state().settled(key)

    def gone(self, member: str, /) -> bool:
        """Whether no name leads to the member any more, and the TTL has passed since."""
        state, now = self.publisher.state(), self._clock()
        published = {a for service in state.services.values() for a in service.published}
        if not state.read or state.pending or published & self._addresses.get(member, set()):
            self._unpublished.pop(member, None)
            return False
        return now - self._unpublished.setdefault(member, now) >= self._settings.ttl

    def serving(self, member: str, /) -> Condition:
        """Whether the member's addresses answer."""
        mine = [key for key, target in self._targets.items() if member in target.members and key == target.address]
        dead = {key: v.reason for key in mine if (v := self._verdicts.get(key)) is not None and v.withdrawn}
        judge, now = self._judge, self._clock()
        if not mine:
            return Condition(SERVING, "Unknown", "NoAddresses", "no Service of the federation has an address there")
        if dead:
            listed = and_more([f"{key}: {why}" for key, why in sorted(dead.items())], shown=2, separator="; ")
            return Condition(SERVING, "False", "Probed", listed)
        if judge is None or not any(judge.valid_places(key, now) for key in mine):
            return Condition(SERVING, "Unknown", "NoVantage", "no vantage point has reached its addresses yet")
        if held := sorted(set(judge.held) & set(mine)):
            why = f"{and_more(held)} cannot be reached, but no other member is seen alive: nothing is withdrawn"
            return Condition(SERVING, "Unknown", "HeldAllDead", why)
        return Condition(SERVING, "True", "Probed")


def _out(verdicts: Mapping[str, Verdict], key: str) -> bool:
    verdict = verdicts.get(key)
    return verdict is not None and verdict.withdrawn


def _part(state: DnsState, key: str) -> DnsPart:
    service = state.services[key]
    return DnsPart(state.condition(key), len(service.published), service.withheld)
