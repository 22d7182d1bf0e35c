"""What the leader keeps in the namespace rancherctl-system: the roster, and for each Node the Lease and report that its agent writes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

from rancherctl.agents import reachability
from rancherctl.agents.config import NAMESPACE
from rancherctl.agents.fence import Fenced
from rancherctl.agents.host_report_reader import Debounce, ReportCache, blocked_ports
from rancherctl.agents.host_report_writer import lease_name, report_name
from rancherctl.agents.leader import LEASE, Leader
from rancherctl.agents.liveness import Liveness, suspicious
from rancherctl.agents.roster import following, newly_silent
from rancherctl.errors import ConflictError, NotFoundError
from rancherctl.kube import objects, tables
from rancherctl.kube.client import CONFIGMAPS, LEASES, Resource
from rancherctl.kube.objects import ConfigMap, Lease, Meta
from rancherctl.kube.snapshot import Snapshot
from rancherctl.placement.model import Roster

log = logging.getLogger(__name__)
ROSTER, ALARMS = "roster", "alarms"
KEY = f"{NAMESPACE}/{ROSTER}"
ALARM_SECONDS = 5.0
"""Seconds between two writes of alarms alone: hosts that answer now and then must not make one with every look."""
BROKEN = 5.0
"""Seconds that a host's load balancer must be broken before its Ingresses are placed elsewhere: its unit restarts it within one."""
LEASES_TABLE = tables.TableSpec("leases", LEASES, objects.lease, namespace=NAMESPACE)
CONFIGMAPS_TABLE = tables.TableSpec("configmaps", CONFIGMAPS, objects.config_map, namespace=NAMESPACE)


def _known(snapshot: Snapshot) -> bool:
    """Whether what the roster is made of was listed; a table of something else that cannot be listed must not keep a dead host in it."""
    return all(snapshot.table(name).synced for name in ("nodes", "leases", "configmaps"))


class RosterReader:
    """The roster in the API; an empty one when there is none or it is not a roster (then it is written anew). Read once for each version."""

    def __init__(self) -> None:
        self._stored: ConfigMap | None = None
        self._roster = Roster()

    def read(self, maps: Mapping[str, ConfigMap]) -> Roster:
        """The same object as long as the stored one is the same."""
        stored = maps.get(KEY)
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
        answering: Callable[[Mapping[str, str]], frozenset[str]] = reachability.answering,
        liveness: Liveness | None = None,
    ) -> None:
        self._client, self._leader, self._clock, self._answering = client, leader, clock, answering
        self._liveness = liveness or Liveness()
        self._epoch = -1
        self._last, self._stored, self._blocked = Roster(), RosterReader(), ReportCache(blocked_ports)
        self._alarms: tuple[str, ...] = ()
        self._alarmed_at = float("-inf")
        self._fallen: frozenset[str] = frozenset()
        self._debounce = Debounce(BROKEN)

    @property
    def alarms(self) -> tuple[str, ...]:
        """What is wrong now; kept beside the roster, where `env status` finds it."""
        return self._alarms

    def run(self, snapshot: Snapshot) -> None:
        """One look; a write at the most. ConflictError means somebody else wrote: the watch brings it, the next look decides again."""
        leases: Mapping[str, Lease] = snapshot.table("leases").items
        now = self._clock()
        hosts = {
            k.removeprefix(f"{NAMESPACE}/host-"): v.renew
            for k, v in leases.items()
            if k.startswith(f"{NAMESPACE}/host-") and v.renew
        }
        own = leases.get(f"{NAMESPACE}/{LEASE}")
        self._liveness.observe(hosts, own.renew if own else "", now, healthy=snapshot.table("leases").healthy)
        if not self._leader.leading or not _known(snapshot):
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
        names = [h.name for h in before.hosts]
        silent = self._liveness.silent(names, now)
        out = following(
            before,
            snapshot.table("nodes").items,
            silent=silent,
            proven=self._liveness.proven(now),
            spared=self._spared(before, silent, self._liveness.late(names, now)),
            epoch=self._leader.epoch,
            blocked=self._debounce.lasting(self._blocked.by_host(maps), {h.name: h.blocked for h in before.hosts}, now),
        )
        alarms = (*out.alarms, *self._many_fallen(before, out.roster))
        for alarm in set(alarms) - set(self._alarms):
            log.error("%s", alarm)
        self._alarms = alarms
        self._write_news(stored, before, out.roster, maps.get(KEY), now)

    def _spared(self, before: Roster, silent: frozenset[str], late: frozenset[str]) -> frozenset[str]:
        """Of the newly silent hosts, those that answer on the network: asked when so many are late that the trouble may be elsewhere."""
        lost = newly_silent(before, silent)
        if not lost or not suspicious(len(newly_silent(before, late)), sum(h.alive for h in before.hosts)):
            return frozenset()
        return self._answering({h.name: h.internal for h in before.hosts if h.name in lost and h.internal})

    def _many_fallen(self, before: Roster, after: Roster) -> tuple[str, ...]:
        """An alarm while too many of the hosts that lived under this leader give no sign of life."""
        lived = self._fallen | {h.name for h in before.hosts if h.alive}
        self._fallen = frozenset(h.name for h in after.hosts if not h.alive and h.name in lived)
        if not suspicious(len(self._fallen), len(after.hosts)):
            return ()
        return (
            f"{len(self._fallen)} of {len(after.hosts)} hosts give no sign of life and do not answer: {', '.join(sorted(self._fallen))}",
        )

    def _write_news(self, stored: Roster, before: Roster, roster: Roster, there: ConfigMap | None, now: float) -> None:
        """Write the roster when it differs from the stored one, and alarms with it; alarms alone at a gentle pace."""
        told = there.data.get(ALARMS, "") if there else ""
        if roster is stored and (told == "\n".join(self._alarms) or now - self._alarmed_at < ALARM_SECONDS):
            return
        if roster is before is not stored:
            roster = replace(before, sequence=before.sequence + 1)
        self._write(roster, there)
        self._alarmed_at = now
        if roster is not stored:
            alive = sorted(h.name for h in roster.hosts if h.alive)
            log.info("roster %d.%d: %s", roster.epoch, roster.sequence, ", ".join(alive) or "nobody")

    def _write(self, roster: Roster, stored: ConfigMap | None) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": ROSTER, "namespace": NAMESPACE},
            "data": {ROSTER: roster.to_json()} | ({ALARMS: "\n".join(self._alarms)} if self._alarms else {}),
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
        if not self._leader.leading or not _known(snapshot):
            return
        nodes = snapshot.table("nodes").items
        for resource, table, name in ((LEASES, "leases", lease_name), (CONFIGMAPS, "configmaps", report_name)):
            there: dict[str, Meta] = {
                k.partition("/")[2]: found.meta for k, found in snapshot.table(table).items.items()
            }
            want = {name(n) for n in nodes}
            for missing in sorted(want - there.keys()):
                self._create(resource, missing)
            stale = {n for n in there.keys() - want if n.startswith(name(""))}
            # An API that lost its Nodes must not make us forget what the hosts said.
            if stale and not suspicious(len(stale), len(stale) + len(want)):
                for each in sorted(stale):
                    self._delete(resource, there[each])

    def _create(self, resource: Resource, name: str) -> None:
        group = f"{resource.group}/" if resource.group else ""
        body = {
            "apiVersion": f"{group}{resource.version}",
            "kind": resource.kind,
            "metadata": {"name": name, "namespace": NAMESPACE},
        }
        try:
            self._client.create(resource, body, namespace=NAMESPACE)
        except ConflictError as error:
            log.debug("%s is there already: %s", name, error)

    def _delete(self, resource: Resource, old: Meta) -> None:
        """Delete it as it was seen: one that its host has written since, or that is another by now, is looked at again."""
        if old.deleting:  # who may write it may also hold its end up
            return
        seen = {"uid": old.uid, "resourceVersion": old.resource_version}
        try:
            self._client.delete(resource, old.name, namespace=NAMESPACE, options={"preconditions": seen})
        except (ConflictError, NotFoundError) as error:
            log.debug("%s has changed or is gone: %s", old.name, error)
