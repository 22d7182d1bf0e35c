"""The leader publishes Ingress statuses: what ingress.status decides from roster and reports is written, and told as Events."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping

from rancherctl.agents.clock import micro_time
from rancherctl.agents.fence import Fenced
from rancherctl.agents.keepers import stored_roster
from rancherctl.agents.leader import Leader, NotLeaderError
from rancherctl.agents.reports import sections
from rancherctl.errors import RancherctlError
from rancherctl.ingress import apply, status
from rancherctl.ingress.desired import Memory
from rancherctl.kube.backoff import Backoff
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
        self._backoff = Backoff(random.Random())  # noqa: S311  # spreads load, protects nothing

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
        self._again_at = self._next_look(wanted.wake(now), failed, now)
        self._number = snapshot.number

    def _next_look(self, wake: float | None, failed: Mapping[str, str], now: float) -> float | None:
        """When to look again although nothing changed; one Ingress that cannot be written waits alone, the others' changes do not."""
        waits = [wake] if wake is not None else []
        if failed:
            key, why = next(iter(sorted(failed.items())))
            waits.append(self._backoff.after(RancherctlError(why)))
            log.warning("%d Ingress statuses could not be written, trying again in %.1f s: %s: %s", len(failed), waits[-1], key, why)
        else:
            self._backoff.reset()
        return now + min(waits) if waits else None

    def _tell(self, snapshot: Snapshot, wanted: status.Statuses) -> None:
        """Write Events that were not written yet. One that cannot be written (its namespace ends) is tried again at the next change."""
        ingresses = snapshot.table("ingresses").items
        told: set[tuple[str, str]] = set()
        for key, problem in ((k, p) for k, found in wanted.problems.items() if k in ingresses for p in found):
            mark = (ingresses[key].meta.uid, problem.reason + problem.message)
            try:
                if mark not in self._told:
                    apply.tell(self._client, ingresses[key], problem, micro_time()[:19] + "Z")
                told.add(mark)
            except NotLeaderError:
                raise
            except RancherctlError as error:
                log.info("%s: cannot write the Event %s: %s", key, problem.reason, error)
        self._told = told
