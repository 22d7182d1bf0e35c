"""The leader writes statuses of Ingresses as ingress.status decides, and Events about their problems."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from rancherctl.agents.backoffs import Backoffs
from rancherctl.agents.clock import micro_time
from rancherctl.agents.controllers.ingress_inputs import IngressInputs
from rancherctl.agents.due import Due
from rancherctl.agents.fence import Fenced
from rancherctl.agents.leader import Leader, NotLeaderError
from rancherctl.change import Change, Plan
from rancherctl.errors import RancherctlError
from rancherctl.ingress.status import publish
from rancherctl.ingress.status.ingresses import ingress_statuses, stored_statuses
from rancherctl.ingress.status.plan import Published, Statuses, plan_writes
from rancherctl.kube.client import INGRESSES
from rancherctl.kube.decode import acyclic
from rancherctl.kube.http.failures import concerns_one
from rancherctl.kube.objects import ConfigMap, Ingress, IngressClass
from rancherctl.kube.snapshot import Snapshot
from rancherctl.placement.model import ObjectProblem
from rancherctl.roles import controllers

log = logging.getLogger(__name__)
TABLES: Final = ("ingresses", "ingressclasses", "configmaps", "tlssecrets")
"""Statuses are made from these; other tables (Leases) change many times a second."""
STATUSES_PER_CALL: Final = 200
"""Between two batches the other controllers run, so that a host that dies meanwhile is noticed."""
EVENTS_PER_CALL: Final = 50
EVENTS_PER_INGRESS: Final = 10
"""Events for one Ingress, serious problems first; its status annotation and `ingress show` list all."""


class IngressStatusController:
    """Writes statuses and Events while this process leads.

    A standby keeps nothing and starts fresh when it becomes leader.
    """

    spec = controllers.INGRESS_STATUSES

    def __init__(
        self, client: Fenced, leader: Leader, clock: Callable[[], float], inputs: IngressInputs | None = None
    ) -> None:
        self._client, self._leader, self._clock, self._inputs = client, leader, clock, inputs or IngressInputs()
        self._since: dict[str, float] = {}
        self._managed: frozenset[str] = frozenset()
        self._recorded: set[tuple[str, str]] = set()
        self._due = Due(TABLES)
        choose = random.Random()  # noqa: S311  # spreads load, protects nothing
        self._writes, self._events = Backoffs(choose), Backoffs(choose)

    def reconcile(self, snapshot: Snapshot) -> None:
        """Write the statuses that differ; computes nothing while neither the tables nor time ask for it."""
        now = self._clock()
        tables = self._due.items(snapshot)
        due = self._due.now(tables, now)
        # Secrets that cannot be listed delay no status: addresses are published without waiting for certificates.
        if not (self._leader.leading and due and all(snapshot.table(t).synced for t in TABLES[:3])):
            return
        ingresses, classes, maps, secrets = tables
        # What the decision needs only in between is gone before the next garbage collection could visit it.
        with acyclic():
            statuses, plan = self._decide(ingresses, classes, maps, self._inputs.contents.of(secrets), now)
        self._since, self._managed = dict(statuses.since), statuses.managed
        more = self._write_statuses(ingresses, plan, now)
        more |= self._write_events(ingresses, statuses.problems, now)
        pauses = (statuses.next_change(now), self._writes.wake(now), self._events.wake(now))
        waits = [pause for pause in pauses if pause is not None]
        self._due.done(tables, now if more else now + min(waits) if waits else None)

    def _decide(
        self,
        ingresses: Mapping[str, Ingress],
        classes: Mapping[str, IngressClass],
        maps: Mapping[str, ConfigMap],
        secrets: Mapping[str, str],
        now: float,
    ) -> tuple[Statuses, Plan[Published]]:
        stored = stored_statuses(ingresses)
        statuses = ingress_statuses(
            ingresses,
            classes,
            self._inputs.roster.read(maps),
            self._inputs.reports.by_host(maps),
            stored=stored,
            since=self._since,
            now=now,
            managed=self._managed,
            cache=self._inputs.cache,
            secrets=secrets,
        )
        return statuses, plan_writes(stored, statuses)

    def _write_statuses(self, ingresses: Mapping[str, Ingress], plan: Iterable[Change[Published]], now: float) -> bool:
        """Write one batch; returns whether there is more.

        A failed write waits alone; an error that concerns all writes is raised.
        """
        todo = {c.key: c for c in plan}
        self._writes.keep(todo.keys())
        versions = {key: ingresses[key].meta.resource_version for key in todo}
        ready = sorted((c for c in todo.values() if self._writes.open(c.key, now, versions[c.key])), key=_urgency)
        batch = ready[:STATUSES_PER_CALL]
        metas = {c.key: ingresses[c.key].meta for c in batch}
        result = publish.write_statuses(self._client, INGRESSES, metas, batch)
        for key in result.done:
            self._writes.done(key, now, versions[key])
        waits = [self._writes.failed(key, now, error) for key, error in result.failed.items()]
        if waits:
            key, why = min(result.failed.items())
            text = "cannot write the status of %d Ingresses, retrying in %.1f s; the first is %s: %s"
            log.warning(text, len(waits), min(waits), key, why)
        if result.stopped:
            raise result.stopped
        return len(ready) > STATUSES_PER_CALL

    def _write_events(
        self, ingresses: Mapping[str, Ingress], problems: Mapping[str, tuple[ObjectProblem, ...]], now: float
    ) -> bool:
        """Write one batch of the Events that are not written yet; returns whether there is more."""
        listed = ((key, p) for key, found in problems.items() if key in ingresses for p in found[:EVENTS_PER_INGRESS])
        events = {(ingresses[key].meta.uid, p.reason + p.message): (key, p) for key, p in listed}
        self._recorded &= events.keys()
        self._events.keep({*events, None})
        ready = [event for event in events if event not in self._recorded and self._events.open(event, now)]
        if not self._events.open(None, now):
            return False
        for event in ready[:EVENTS_PER_CALL]:
            key, problem = events[event]
            try:
                publish.write_event(self._client, INGRESSES, ingresses[key].meta, problem, micro_time()[:19] + "Z")
            except NotLeaderError:
                raise
            except RancherctlError as error:
                alone = concerns_one(error)
                wait = self._events.failed(event if alone else None, now, error)
                log.info("%s: cannot write the Event %s, retrying in %.1f s: %s", key, problem.reason, wait, error)
                if not alone:
                    return False
            else:
                self._recorded.add(event)
        return len(ready) > EVENTS_PER_CALL


def _urgency(change: Change[Published]) -> tuple[int, str]:
    """Sort key: addresses that must go first, then addresses to add, then messages."""
    old, new = (set(side.addresses) if side else set() for side in (change.old, change.new))
    return (0 if old - new else 1 if new - old else 2), change.key
