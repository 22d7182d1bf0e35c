"""DnsProblemController: what hosts cannot publish about a Service is an Event on that Service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf

from rancherctl.agents.controllers.repeated_events import RepeatedEvents
from rancherctl.agents.fence import Fenced
from rancherctl.agents.host_report_reader import ReportCache
from rancherctl.agents.leader import Leader
from rancherctl.dns.report import service_problems
from rancherctl.kube.objects import ConfigMap, Service
from rancherctl.kube.snapshot import Snapshot
from rancherctl.roles import controllers
from rancherctl.text import shorten

MAX_MESSAGE_CHARS = 1000
"""The API accepts 1024."""


class DnsProblemController:
    """Keep one Event for each Service that the DNS servers could not publish completely."""

    spec = controllers.DNS_PROBLEMS

    def __init__(self, client: Fenced, leader: Leader, clock: Callable[[], float]) -> None:
        self._leader, self._clock = leader, clock
        self._events = RepeatedEvents(
            client, clock, api_version="v1", kind="Service", reason="DnsRecordsIncomplete", suffix="dns.rancherctl"
        )
        self._reports = ReportCache(lambda stored: service_problems(stored.data))
        self._seen: tuple[object, object] = (None, None)
        self._check_at = -inf

    def reconcile(self, snapshot: Snapshot) -> None:
        """Write the Events that are due. Hosts compute the same records, so the first report decides."""
        services: Mapping[str, Service] = snapshot.table("services").items
        maps: Mapping[str, ConfigMap] = snapshot.table("configmaps").items
        seen = (services, maps)
        unchanged = all(one is other for one, other in zip(seen, self._seen, strict=True))
        if not self._leader.leading or (unchanged and self._clock() < self._check_at):
            return
        problems: dict[str, str] = {}
        for _, found in sorted(self._reports.by_host(maps).items()):
            problems = {**found, **problems}
        self._check_at = self._events.write(
            {
                service.meta.uid: (service.meta, shorten(problems[key], MAX_MESSAGE_CHARS))
                for key, service in services.items()
                if key in problems
            }
        )
        self._seen = seen
