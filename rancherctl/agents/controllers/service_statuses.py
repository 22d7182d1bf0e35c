"""ServiceStatusController: give Services of type LoadBalancer the addresses of hosts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final

from rancherctl.agents.clock import micro_time
from rancherctl.agents.controllers.status_writer import StatusWriter
from rancherctl.agents.due import Due
from rancherctl.agents.fence import Fenced
from rancherctl.agents.host_report_reader import ReportCache
from rancherctl.agents.leader import Leader
from rancherctl.agents.roster_reader import RosterReader
from rancherctl.agents.roster_store import RosterStore
from rancherctl.change import Change
from rancherctl.contract import MOVING_KEY
from rancherctl.errors import ConflictError, NotFoundError
from rancherctl.kube.client import SERVICES, Json
from rancherctl.kube.objects import ConfigMap, Meta
from rancherctl.kube.snapshot import Snapshot, Table
from rancherctl.roles import controllers
from rancherctl.services import moving
from rancherctl.services.left_out import LeftOut
from rancherctl.services.model import HostPorts, LoadBalancer
from rancherctl.services.report import parse_sections
from rancherctl.services.status import ServiceStatus, Statuses, plan_statuses, plan_writes, status_patch
from rancherctl.services.translate import ServicePolicy, wanted_services
from rancherctl.services.verifier import REFUSED, Memory
from rancherctl.text import and_more

log = logging.getLogger(__name__)
HELD: Final = "kube-proxy of many hosts looks broken at once: their addresses stay in statuses of Services: %s"
STORE_AGAIN: Final = 0.05
"""Seconds until a write of the roster's ConfigMap is tried again that met one of another process."""
TABLES: Final = ("services", "endpointslices", "configmaps")


def _ports(stored: ConfigMap) -> HostPorts:
    return parse_sections(stored.data)


class ServiceStatusController:
    """Writes statuses and Events while this process leads, and ``moving`` into ``store``; a standby keeps nothing."""

    spec = controllers.SERVICE_STATUSES

    def __init__(
        self, client: Fenced, store: RosterStore, leader: Leader, clock: Callable[[], float], policy: ServicePolicy
    ) -> None:
        self._store, self._leader, self._clock, self._policy = store, leader, clock, policy
        self._roster, self._reports = RosterReader(), ReportCache(_ports)
        self._memory = Memory()
        self._held: frozenset[str] = frozenset()
        self.tcp_ports: Mapping[str, Mapping[int, str]] | None = None
        """TCP ports of Services by host, with words that name the Service; None until this leader has decided."""
        self.left_out: LeftOut | None = None
        """Hosts that it leaves out or keeps all the same; None until then, too."""
        self.moving: str | None = None
        """Which Services hosts are to serve by rules of their own (``services.moving``); None until then, too."""
        self._due = Due(TABLES)
        self._writer: StatusWriter[ServiceStatus] = StatusWriter(client, SERVICES, "Services", _urgency)

    def reconcile(self, snapshot: Snapshot) -> None:
        """Write the statuses that differ; computes nothing while neither the tables nor time ask for it."""
        now = self._clock()
        if not self._leader.leading:
            # Waits measured by an earlier term would end at once in the next one.
            self.tcp_ports, self.left_out, self.moving, self._memory = None, None, None, Memory()
        tables = self._due.items(snapshot)
        due = self._due.now(tables, now)
        if not (self._leader.leading and due and all(snapshot.table(t).synced for t in TABLES)):
            return
        services, slices, maps = tables
        roster = self._roster.read(maps)
        wanted = wanted_services(services, slices, roster, self._policy)
        statuses = plan_statuses(services, wanted, roster, self._reports.by_host(maps), self._memory, now)
        self._memory = statuses.memory
        if statuses.held != self._held:
            self._held = statuses.held
            if self._held:
                log.error(HELD, and_more(sorted(self._held)))
        self.tcp_ports = _tcp_ports(wanted, statuses)
        self.left_out = LeftOut(dict.fromkeys(statuses.memory.refused, REFUSED), statuses.held)
        self.moving = moving.to_json(statuses.moving)
        stored = self._store_moving(snapshot.table("configmaps"))
        metas: Mapping[str, Meta] = {key: services[key].meta for key in statuses.desired}

        def patch(meta: Meta, status: ServiceStatus) -> Json:
            return status_patch(services[meta.key], status, micro_time()[:19] + "Z")

        more = self._writer.write(metas, plan_writes(services, statuses), now, patch)
        more |= self._writer.write_events(metas, statuses.problems, now)
        waits = [pause for pause in (statuses.memory.next_change(now), *self._writer.wakes(now)) if pause is not None]
        waits += [] if stored else [STORE_AGAIN]
        self._due.done(tables, now if more else now + min(waits) if waits else None)

    def _store_moving(self, table: Table[ConfigMap]) -> bool:
        """Store ``moving`` beside the roster; False if that must be tried again: another process wrote meanwhile."""
        stored = self._store.current(table)
        if stored is None or stored.data.get(MOVING_KEY, "") == self.moving:
            return True
        others = {key: text for key, text in stored.data.items() if key != MOVING_KEY}
        try:
            self._store.write(others | ({MOVING_KEY: self.moving} if self.moving else {}), table)
        except (ConflictError, NotFoundError):
            return False
        return True


def _tcp_ports(wanted: Mapping[str, LoadBalancer], statuses: Statuses) -> dict[str, dict[int, str]]:
    out: dict[str, dict[int, str]] = {}
    for key, decision in statuses.decisions.items():
        numbers = [number for protocol, number in sorted(wanted[key].ports) if protocol == "tcp"]
        for host in decision.hosts if numbers else ():
            out.setdefault(host, {}).update(dict.fromkeys(numbers, f"Service {key}"))
    return out


def _urgency(change: Change[ServiceStatus]) -> tuple[int, str]:
    """Sort key: addresses that must go first, then addresses to add, then conditions."""
    old, new = (set(side.addresses) if side else set() for side in (change.old, change.new))
    return (0 if old - new else 1 if new - old else 2), change.key
