"""The leader publishes Ingress statuses: what ingress.status decides from roster and reports is written, and told as Events."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rancherctl.agents.backoffs import Pauses
from rancherctl.agents.clock import micro_time
from rancherctl.agents.controllers.roster import RosterReader
from rancherctl.agents.fence import Fenced
from rancherctl.agents.host_report_reader import PerHost, lb_report
from rancherctl.agents.leader import Leader, NotLeaderError
from rancherctl.change import Change
from rancherctl.errors import RancherctlError
from rancherctl.ingress.model import Problem
from rancherctl.ingress.status import plan as status_plan
from rancherctl.ingress.status import publish
from rancherctl.ingress.status.plan import Published
from rancherctl.ingress.translate.cache import TranslationCache
from rancherctl.kube.decode import acyclic
from rancherctl.kube.http.failures import concerns_one
from rancherctl.kube.objects import Ingress
from rancherctl.kube.snapshot import Snapshot

log = logging.getLogger(__name__)
TABLES = ("ingresses", "ingressclasses", "configmaps")
"""What statuses are made from; others (Leases) change many times a second."""
PART = 200
"""Statuses written in one look: between two parts the other keepers look, so that a host that dies meanwhile is noticed."""
PART_TOLD = 50
TOLD_EACH = 10
"""Events for one Ingress, serious problems first; its status annotation and `ingress show` tell the rest."""


class StatusKeeper:
    """Keeps what ingress.status needs from one look to the next; a standby keeps nothing and begins afresh when it leads."""

    def __init__(self, client: Fenced, leader: Leader, clock: Callable[[], float]) -> None:
        self._client, self._leader, self._clock = client, leader, clock
        self._cache, self._reports, self._roster = TranslationCache(), PerHost(lb_report), RosterReader()
        self._since: dict[str, float] = {}
        self._ours: frozenset[str] = frozenset()
        self._told: set[tuple[str, str]] = set()
        self._seen: tuple[Mapping[str, Any], ...] = ()
        self._again_at: float | None = None
        choose = random.Random()  # noqa: S311  # spreads load, protects nothing
        self._writes, self._events = Pauses(choose), Pauses(choose)

    def run(self, snapshot: Snapshot) -> None:
        """Write the statuses that differ; nothing is computed while neither their tables nor the time asks for it."""
        now = self._clock()
        tables = tuple(snapshot.table(t).items for t in TABLES)
        changed = len(self._seen) != len(tables) or any(a is not b for a, b in zip(tables, self._seen, strict=True))
        usable = all(snapshot.table(t).synced for t in TABLES)
        if (
            not self._leader.leading
            or not usable
            or not (changed or (self._again_at is not None and now >= self._again_at))
        ):
            return
        ingresses, classes, maps = tables
        with acyclic():
            roster, reports = self._roster.read(maps), self._reports.of(maps)
            wanted = status_plan.statuses(
                ingresses, classes, roster, reports, since=self._since, now=now, ours=self._ours, cache=self._cache
            )
            plan = status_plan.plan(ingresses, wanted)
        self._since, self._ours = dict(wanted.since), wanted.ours
        left = self._publish(ingresses, plan, now)
        left |= self._tell(ingresses, wanted.problems, now)
        waits = [w for w in (wanted.wake(now), self._writes.wake(now), self._events.wake(now)) if w is not None]
        self._again_at = now if left else now + min(waits) if waits else None
        self._seen = tables

    def _publish(self, ingresses: Mapping[str, Ingress], plan: Iterable[Change[Published]], now: float) -> bool:
        """Write a part; whether there is more. One that fails waits alone; an error that concerns every write is raised."""
        todo = {c.key: c for c in plan}
        self._writes.keep(todo.keys())
        versions = {key: ingresses[key].meta.resource_version for key in todo}
        ready = sorted((c for c in todo.values() if self._writes.open(c.key, now, versions[c.key])), key=_urgency)
        sent = publish.publish(self._client, ingresses, ready[:PART])
        for key in sent.done:
            self._writes.done(key, now, versions[key])
        waits = [self._writes.failed(key, now, error) for key, error in sent.failed.items()]
        if waits:
            key, why = next(iter(sorted(sent.failed.items())))
            log.warning(
                "%d Ingress statuses could not be written, the first is tried again in %.1f s: %s: %s",
                len(waits),
                min(waits),
                key,
                why,
            )
        if sent.stopped:
            raise sent.stopped
        return len(ready) > PART

    def _tell(self, ingresses: Mapping[str, Ingress], problems: Mapping[str, tuple[Problem, ...]], now: float) -> bool:
        """Write some of the Events that were not written yet; whether there are more."""
        told = ((key, problem) for key, found in problems.items() if key in ingresses for problem in found[:TOLD_EACH])
        marks = {(ingresses[key].meta.uid, p.reason + p.message): (key, p) for key, p in told}
        self._told &= marks.keys()
        self._events.keep({*marks, None})
        ready = [mark for mark in marks if mark not in self._told and self._events.open(mark, now)]
        if not self._events.open(None, now):
            return False
        for mark in ready[:PART_TOLD]:
            key, problem = marks[mark]
            try:
                publish.tell(self._client, ingresses[key], problem, micro_time()[:19] + "Z")
            except NotLeaderError:
                raise
            except RancherctlError as error:
                alone = concerns_one(error)
                wait = self._events.failed(mark if alone else None, now, error)
                log.info("%s: cannot write the Event %s, trying again in %.1f s: %s", key, problem.reason, wait, error)
                if not alone:
                    return False
            else:
                self._told.add(mark)
        return len(ready) > PART_TOLD


def _urgency(change: Change[Published]) -> tuple[int, str]:
    """Addresses that must go first, then those that come, then words."""
    old, new = (set(side.addresses) if side else set() for side in (change.old, change.new))
    return (0 if old - new else 1 if new - old else 2), change.key
