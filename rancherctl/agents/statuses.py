"""The leader publishes Ingress statuses: what ingress.status decides from roster and reports is written, and told as Events."""

from __future__ import annotations

import logging
from collections.abc import Callable

from rancherctl.agents.clock import micro_time
from rancherctl.agents.fence import Fenced
from rancherctl.agents.keepers import stored_roster
from rancherctl.agents.leader import Leader
from rancherctl.agents.reports import sections
from rancherctl.errors import RancherctlError
from rancherctl.ingress import apply, status
from rancherctl.ingress.desired import Memory
from rancherctl.kube.snapshot import Snapshot

log = logging.getLogger(__name__)


class StatusKeeper:
    """Keeps what ingress.status needs from one look to the next; a standby keeps nothing and begins afresh when it leads."""

    def __init__(self, client: Fenced, leader: Leader, clock: Callable[[], float]) -> None:
        self._client, self._leader, self._clock = client, leader, clock
        self._memory = Memory()
        self._since: dict[str, float] = {}
        self._told: set[tuple[str, str]] = set()
        self._number = -1
        self._again_at: float | None = None

    def run(self, snapshot: Snapshot) -> None:
        """Write the statuses that differ; nothing is computed while neither the snapshot nor the time asks for it."""
        now = self._clock()
        needed = snapshot.number != self._number or (self._again_at is not None and now >= self._again_at)
        usable = all(snapshot.table(t).synced for t in ("ingresses", "ingressclasses", "configmaps"))
        if not self._leader.leading or not usable or not needed:
            return
        ingresses = snapshot.table("ingresses").items
        maps = snapshot.table("configmaps").items
        reports = {host: status.report(parts.get("lb") or {}) for host, parts in sections(maps).items()}
        wanted = status.statuses(
            ingresses, snapshot.table("ingressclasses").items, stored_roster(maps), reports, since=self._since, now=now, memory=self._memory
        )
        self._since = dict(wanted.since)
        failed = apply.publish(self._client, ingresses, status.plan(ingresses, wanted))
        self._tell(snapshot, wanted)
        wake = wanted.wake(now)
        self._again_at = now + wake if wake is not None else None
        if failed:
            key, why = next(iter(sorted(failed.items())))
            raise RancherctlError(f"{len(failed)} Ingress statuses could not be written", why=f"{key}: {why}")
        self._number = snapshot.number

    def _tell(self, snapshot: Snapshot, wanted: status.Statuses) -> None:
        ingresses = snapshot.table("ingresses").items
        current = {(ingresses[key].meta.uid, p.reason + p.message) for key, found in wanted.problems.items() if key in ingresses for p in found}
        for key, found in wanted.problems.items():
            for problem in found:
                if key in ingresses and (ingresses[key].meta.uid, problem.reason + problem.message) not in self._told:
                    apply.tell(self._client, ingresses[key], problem, micro_time()[:19] + "Z")
        self._told = current
