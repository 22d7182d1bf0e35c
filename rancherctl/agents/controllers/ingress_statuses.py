"""The leader writes statuses of Ingresses as ingress.status decides, and Events about their problems."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from rancherctl.agents.controllers.ingress_inputs import IngressInputs
from rancherctl.agents.controllers.status_writer import StatusWriter
from rancherctl.agents.due import Due
from rancherctl.agents.fence import Fenced
from rancherctl.agents.leader import Leader
from rancherctl.change import Change, Plan
from rancherctl.ingress.status.ingresses import IngressStatusMemory, ingress_statuses
from rancherctl.ingress.status.plan import Published, Statuses, plan_writes
from rancherctl.ingress.status.publish import status_patch
from rancherctl.kube.client import INGRESSES
from rancherctl.kube.decode import acyclic
from rancherctl.kube.objects import ConfigMap, Ingress, IngressClass
from rancherctl.kube.snapshot import Snapshot
from rancherctl.roles import controllers

TABLES: Final = ("ingresses", "ingressclasses", "configmaps", "tlssecrets")
"""Statuses are made from these; other tables (Leases) change many times a second."""


class IngressStatusController:
    """Writes statuses and Events while this process leads.

    A standby keeps nothing and starts fresh when it becomes leader.
    """

    spec = controllers.INGRESS_STATUSES

    def __init__(
        self, client: Fenced, leader: Leader, clock: Callable[[], float], inputs: IngressInputs | None = None
    ) -> None:
        self._leader, self._clock, self._inputs = leader, clock, inputs or IngressInputs()
        self._since: dict[str, float] = {}
        self._managed: frozenset[str] = frozenset()
        self._due, self._memory = Due(TABLES), IngressStatusMemory()
        self._writer: StatusWriter[Published] = StatusWriter(client, INGRESSES, "Ingresses", _urgency)

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
            contents = {**self._inputs.contents.of(secrets), **self._inputs.purposes}
            statuses, plan = self._decide(ingresses, classes, maps, contents, now)
        self._since, self._managed = dict(statuses.since), statuses.managed
        metas = {key: i.meta for key, i in ingresses.items()}
        more = self._writer.write(metas, plan, now, status_patch)
        more |= self._writer.write_events(metas, statuses.problems, now)
        waits = [pause for pause in (statuses.next_change(now), *self._writer.wakes(now)) if pause is not None]
        self._due.done(tables, now if more else now + min(waits) if waits else None)

    def _decide(
        self,
        ingresses: Mapping[str, Ingress],
        classes: Mapping[str, IngressClass],
        maps: Mapping[str, ConfigMap],
        secrets: Mapping[str, str],
        now: float,
    ) -> tuple[Statuses, Plan[Published]]:
        stored = self._memory.stored(ingresses)
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
            memory=self._memory,
        )
        return statuses, plan_writes(stored, statuses)


def _urgency(change: Change[Published]) -> tuple[int, str]:
    """Sort key: addresses that must go first, then addresses to add, then messages."""
    old, new = (set(side.addresses) if side else set() for side in (change.old, change.new))
    return (0 if old - new else 1 if new - old else 2), change.key
