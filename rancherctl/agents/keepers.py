"""What the leader keeps in the namespace rancherctl-system: the roster, and for each Node the Lease and report that its agent writes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

from rancherctl.agents import probe
from rancherctl.agents.config import NAMESPACE
from rancherctl.agents.fence import Fenced
from rancherctl.agents.leader import LEASE, Leader
from rancherctl.agents.liveness import Liveness, suspicious
from rancherctl.agents.report import lease_name, report_name
from rancherctl.agents.reports import Patience, PerHost, blocked_ports
from rancherctl.agents.roster import following, newly_silent
from rancherctl.errors import ConflictError, NotFoundError
from rancherctl.ingress.model import Roster
from rancherctl.kube import objects, tables
from rancherctl.kube.client import CONFIGMAPS, LEASES, Resource
from rancherctl.kube.objects import ConfigMap, Lease
from rancherctl.kube.snapshot import Snapshot

log = logging.getLogger(__name__)
ROSTER = "roster"
BROKEN = 5.0
"""Seconds that a host's load balancer must be broken before its Ingresses are placed elsewhere: its unit restarts it within one."""
LEASES_TABLE = tables.TableSpec("leases", LEASES, objects.lease, namespace=NAMESPACE)
CONFIGMAPS_TABLE = tables.TableSpec("configmaps", CONFIGMAPS, objects.config_map, namespace=NAMESPACE)


class RosterReader:
    """The roster in the API; an empty one when there is none or it is not a roster (then it is written anew). Read once for each version."""

    def __init__(self) -> None:
        self._stored: ConfigMap | None = None
        self._roster = Roster()

    def read(self, maps: Mapping[str, ConfigMap]) -> Roster:
        """The same object as long as the stored one is the same."""
        stored = maps.get(f"{NAMESPACE}/{ROSTER}")
        if stored is not self._stored:
            self._stored = stored
            try:
                self._roster = Roster.from_json(stored.data[ROSTER]) if stored else Roster()
            except (KeyError, ValueError) as error:
                log.warning("the stored roster cannot be read, making a new one: %s", error)
                self._roster = Roster()
        return self._roster


class RosterKeeper:
    """Judges liveness on every call (also as a standby: it observes all the time) and, as leader, writes the roster when it changes."""

    def __init__(
        self,
        client: Fenced,
        leader: Leader,
        clock: Callable[[], float],
        *,
        answering: Callable[[Mapping[str, str]], frozenset[str]] = probe.answering,
        liveness: Liveness | None = None,
    ) -> None:
        self._client, self._leader, self._clock, self._answering = client, leader, clock, answering
        self._liveness = liveness or Liveness()
        self._epoch = -1
        self._last, self._stored, self._blocked = Roster(), RosterReader(), PerHost(blocked_ports)
        self._alarms: tuple[str, ...] = ()
        self._patience = Patience(BROKEN)

    @property
    def alarms(self) -> tuple[str, ...]:
        """What is wrong now, for logs and `env status`."""
        return self._alarms

    def run(self, snapshot: Snapshot) -> None:
        """One look; a write at the most. ConflictError means somebody else wrote: the watch brings it, the next look decides again."""
        leases: Mapping[str, Lease] = snapshot.table("leases").items
        now = self._clock()
        hosts = {k.removeprefix(f"{NAMESPACE}/host-"): v.renew for k, v in leases.items() if k.startswith(f"{NAMESPACE}/host-") and v.renew}
        own = leases.get(f"{NAMESPACE}/{LEASE}")
        self._liveness.observe(hosts, own.renew if own else "", now, healthy=snapshot.table("leases").healthy)
        if not self._leader.leading or not snapshot.synced:
            return
        if self._epoch != self._leader.epoch:
            self._epoch = self._leader.epoch
            self._liveness.restart(now)
        self._keep(snapshot, now)

    def _keep(self, snapshot: Snapshot, now: float) -> None:
        maps: Mapping[str, ConfigMap] = snapshot.table("configmaps").items
        stored = self._stored.read(maps)
        # One that was deleted, damaged or rolled back is written anew as it was, with a number that agents accept.
        before = self._last = stored if stored.newer_than(self._last) else self._last
        silent = self._liveness.silent([h.name for h in before.hosts], now)
        lost = newly_silent(before, silent)
        spared: frozenset[str] = frozenset()
        if suspicious(len(lost), sum(h.alive for h in before.hosts)):
            spared = self._answering({h.name: h.internal for h in before.hosts if h.name in lost and h.internal})
        out = following(
            before,
            snapshot.table("nodes").items,
            silent=silent,
            proven=self._liveness.proven(now),
            spared=spared,
            epoch=self._leader.epoch,
            blocked=self._patience.lasting(self._blocked.of(maps), {h.name: h.blocked for h in before.hosts}, now),
        )
        for alarm in set(out.alarms) - set(self._alarms):
            log.error("%s", alarm)
        self._alarms = out.alarms
        if out.roster is not stored:
            roster = out.roster if out.roster is not before else replace(before, sequence=before.sequence + 1)
            self._write(roster, maps.get(f"{NAMESPACE}/{ROSTER}"))
            alive = sorted(h.name for h in roster.hosts if h.alive)
            log.info("roster %d.%d: %s", roster.epoch, roster.sequence, ", ".join(alive) or "nobody")

    def _write(self, roster: Roster, stored: ConfigMap | None) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": ROSTER, "namespace": NAMESPACE},
            "data": {ROSTER: roster.to_json()},
        }
        if stored is None:
            self._client.create(CONFIGMAPS, body, namespace=NAMESPACE)
        else:
            body["metadata"]["resourceVersion"] = stored.meta.resource_version  # type: ignore[index]
            self._client.replace(CONFIGMAPS, body)


class ObjectKeeper:
    """Creates what agents may only update: a Lease and a report for every Node; removes those of Nodes that are gone."""

    def __init__(self, client: Fenced, leader: Leader) -> None:
        self._client, self._leader = client, leader

    def run(self, snapshot: Snapshot) -> None:
        """Create and remove as needed; one that exists already, or is gone already, is as wanted."""
        if not self._leader.leading or not snapshot.synced:
            return
        nodes = snapshot.table("nodes").items
        for resource, table, name in ((LEASES, "leases", lease_name), (CONFIGMAPS, "configmaps", report_name)):
            there = {k.partition("/")[2] for k in snapshot.table(table).items}
            want = {name(n) for n in nodes}
            for missing in sorted(want - there):
                self._create(resource, missing)
            stale = {n for n in there - want if n.startswith(name(""))}
            # An API that lost its Nodes must not make us forget what the hosts said.
            if stale and not suspicious(len(stale), len(stale) + len(want)):
                for each in sorted(stale):
                    self._delete(resource, each)

    def _create(self, resource: Resource, name: str) -> None:
        group = f"{resource.group}/" if resource.group else ""
        body = {"apiVersion": f"{group}{resource.version}", "kind": resource.kind, "metadata": {"name": name, "namespace": NAMESPACE}}
        try:
            self._client.create(resource, body, namespace=NAMESPACE)
        except ConflictError as error:
            log.debug("%s is there already: %s", name, error)

    def _delete(self, resource: Resource, name: str) -> None:
        try:
            self._client.delete(resource, name, namespace=NAMESPACE)
        except NotFoundError as error:
            log.debug("%s is gone already: %s", name, error)
