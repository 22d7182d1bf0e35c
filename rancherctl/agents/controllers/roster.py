"""RosterController: judge which hosts are alive and keep the roster and the alarms in the API."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from rancherctl.agents import reachability
from rancherctl.agents.host_report_reader import Debounce, ReportCache, blocked_ports, listed_users, port_users
from rancherctl.agents.leader import Leader
from rancherctl.agents.liveness import Liveness, suspicious
from rancherctl.agents.roster import newly_silent, next_roster
from rancherctl.agents.roster_reader import ROSTER, RosterReader
from rancherctl.agents.roster_store import RosterStore
from rancherctl.contract import ALARMS_KEY, HOST_LEASE_PREFIX, NAMESPACE
from rancherctl.kube.objects import ConfigMap, Lease
from rancherctl.kube.snapshot import Snapshot, Table
from rancherctl.placement.model import Roster
from rancherctl.roles import controllers

log = logging.getLogger(__name__)
ALARM_SECONDS = 5.0
"""Minimum seconds between two writes of alarms alone, for hosts that answer only now and then."""
BROKEN_SECONDS = 5.0
"""Seconds that a load balancer must be broken before its Ingresses move: systemd restarts it within one second."""


def inputs_known(snapshot: Snapshot) -> bool:
    """Whether the roster's own tables are listed; no other table may keep a dead host in the roster."""
    return all(snapshot.table(table.name).synced for table in controllers.ROSTER.tables)


class RosterController:
    """Observe liveness on every call, also on standbys; as leader, write the roster when it changes.

    ``more_alarms`` are those of other controllers, stored beside the roster, too. ``service_ports`` are TCP ports of
    each host that its Services have, with the name of the Service: no Ingress is served there. None: not known yet.
    ``more_data`` is stored in the same ConfigMap, and so is what ``notes`` returns, by key ("" = nothing to store;
    None: not known yet, what an earlier leader has stored stays).
    """

    spec = controllers.ROSTER

    def __init__(
        self,
        store: RosterStore,
        leader: Leader,
        clock: Callable[[], float],
        *,
        answering: Callable[[Mapping[str, str]], frozenset[str]] = reachability.answering,
        liveness: Liveness | None = None,
        more_alarms: Callable[[], tuple[str, ...]] = lambda: (),
        service_ports: Callable[[], Mapping[str, Mapping[int, str]] | None] = dict,
        more_data: Mapping[str, str] | None = None,
        notes: Callable[[], Mapping[str, str] | None] = dict,
    ) -> None:
        self._store, self._leader, self._clock, self._answering = store, leader, clock, answering
        self._liveness = liveness or Liveness()
        self._more_alarms, self._service_ports = more_alarms, service_ports
        self._more_data, self._notes = dict(more_data or {}), notes
        self._epoch = -1
        self._last, self._reader, self._blocked = Roster(), RosterReader(), ReportCache(blocked_ports)
        self._users = ReportCache(port_users)
        self._alarms: tuple[str, ...] = ()
        self._alarmed_at = float("-inf")
        self._lost: frozenset[str] = frozenset()
        self._debounce = Debounce(BROKEN_SECONDS)

    @property
    def alarms(self) -> tuple[str, ...]:
        """The current alarms; stored beside the roster, where ``env status`` reads them."""
        return self._alarms

    def reconcile(self, snapshot: Snapshot) -> None:
        """Update liveness and write at most one object.

        ConflictError: another process wrote meanwhile; the next call decides again on what the watch delivers.
        """
        leases: Mapping[str, Lease] = snapshot.table("leases").items
        now = self._clock()
        prefix = f"{NAMESPACE}/{HOST_LEASE_PREFIX}"
        renewals = {k.removeprefix(prefix): v.renew for k, v in leases.items() if k.startswith(prefix) and v.renew}
        own = leases.get(f"{NAMESPACE}/{self._leader.lease}")
        self._liveness.observe(renewals, own.renew if own else "", now, healthy=snapshot.table("leases").healthy)
        if not self._leader.leading or not inputs_known(snapshot):
            return
        if self._epoch != self._leader.epoch:
            self._epoch = self._leader.epoch
            self._liveness.restart(now)
        self._update(snapshot, now)

    def _update(self, snapshot: Snapshot, now: float) -> None:
        table: Table[ConfigMap] = snapshot.table("configmaps")
        maps, config_map = table.items, self._store.current(table)
        stored = self._reader.of(config_map)
        # If the stored roster was deleted, damaged or rolled back, the last known one is written with a higher number.
        before = self._last = stored if stored.newer_than(self._last) else self._last
        names = [h.name for h in before.hosts]
        silent = self._liveness.silent(names, now)
        blocked = self._not_servable(maps, before, now)
        following = next_roster(
            before,
            snapshot.table("nodes").items,
            silent=silent,
            proven=self._liveness.proven(now),
            spared=self._spared(before, silent, self._liveness.late(names, now)),
            epoch=self._leader.epoch,
            blocked=blocked,
            users=self._port_users(maps, before, blocked),
        )
        alarms = (*following.alarms, *self._mass_loss(before, following.roster), *self._more_alarms())
        for alarm in set(alarms) - set(self._alarms):
            log.error("%s", alarm)
        self._alarms = alarms
        self._write_changes(stored, before, following.roster, table, config_map.data if config_map else {}, now)

    def _not_servable(self, maps: Mapping[str, ConfigMap], before: Roster, now: float) -> dict[str, tuple[int, ...]]:
        """Ports of each host on which it cannot serve Ingresses, sorted."""
        known = {h.name: h.blocked for h in before.hosts}
        lasting = self._debounce.lasting(self._blocked.by_host(maps), known, now)
        services = self._service_ports()
        published: Mapping[str, Iterable[int]] = known if services is None else services
        return {
            host: tuple(sorted({*lasting.get(host, ()), *published.get(host, ())}))
            for host in lasting.keys() | published.keys()
        }

    def _port_users(
        self, maps: Mapping[str, ConfigMap], before: Roster, blocked: Mapping[str, tuple[int, ...]]
    ) -> dict[str, dict[int, str]]:
        """Which pod or Service has the blocked ports of each host; those of Services stay until they are known."""
        pods, services = self._users.by_host(maps), self._service_ports()
        published: Mapping[str, Mapping[int, str]] = (
            {host.name: host.users for host in before.hosts} if services is None else services
        )
        return {
            host: listed_users(ports, pods.get(host, {}), published.get(host, {})) for host, ports in blocked.items()
        }

    def _spared(self, before: Roster, silent: frozenset[str], late: frozenset[str]) -> frozenset[str]:
        """Of the newly silent hosts, those that answer a TCP connect.

        They are asked only if so many are late that the cause may lie elsewhere, for example in the API.
        """
        lost = newly_silent(before, silent)
        if not lost or not suspicious(len(newly_silent(before, late)), sum(h.alive for h in before.hosts)):
            return frozenset()
        return self._answering({h.name: h.internal for h in before.hosts if h.name in lost and h.internal})

    def _mass_loss(self, before: Roster, after: Roster) -> tuple[str, ...]:
        """Return an alarm while too many of the hosts that were alive under this leader are lost."""
        lived = self._lost | {h.name for h in before.hosts if h.alive}
        self._lost = frozenset(h.name for h in after.hosts if not h.alive and h.name in lived)
        if not suspicious(len(self._lost), len(after.hosts)):
            return ()
        names = ", ".join(sorted(self._lost))
        return (f"{len(self._lost)} of {len(after.hosts)} hosts send no heartbeat and do not answer: {names}",)

    def _write_changes(
        self,
        stored: Roster,
        before: Roster,
        roster: Roster,
        table: Table[ConfigMap],
        data: Mapping[str, str],
        now: float,
    ) -> None:
        """Write roster and alarms if the roster differs from the stored one; alarms and notes at a limited rate.

        ``data`` is all that is stored.
        """
        known = all(data.get(key) == text for key, text in self._more_data.items())
        notes = {key: text for key, text in (self._notes() or {}).items() if data.get(key, "") != text}
        stored_already = data.get(ALARMS_KEY, "") == "\n".join(self._alarms) and not notes
        if known and roster is stored and (stored_already or now - self._alarmed_at < ALARM_SECONDS):
            return
        if roster is before is not stored:
            roster = replace(before, sequence=before.sequence + 1)
        self._store.write(self._data(roster, data), table)
        self._alarmed_at = now
        if roster is not stored:
            alive = sorted(h.name for h in roster.hosts if h.alive)
            log.info("wrote roster %d.%d, alive: %s", roster.epoch, roster.sequence, ", ".join(alive) or "none")

    def _data(self, roster: Roster, stored: Mapping[str, str]) -> dict[str, str]:
        """All that is to be stored; what an earlier leader stored stays until its successor's ``notes`` are known."""
        notes = self._notes()
        if notes is None:
            notes = {key: text for key, text in stored.items() if key not in {ROSTER, ALARMS_KEY}}
        return {
            **{key: text for key, text in notes.items() if text},
            **self._more_data,
            ROSTER: roster.to_json(),
            **({ALARMS_KEY: "\n".join(self._alarms)} if self._alarms else {}),
        }
