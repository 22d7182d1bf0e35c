"""A cluster as the leader's status planning sees it: Ingresses, a roster and what hosts have confirmed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rancherctl.contract import STATUS_ANNOTATION
from rancherctl.ingress.model import HASH_SCHEME
from rancherctl.ingress.status.ingresses import IngressStatusMemory, ingress_statuses, stored_statuses
from rancherctl.ingress.status.plan import Statuses, plan_writes
from rancherctl.ingress.status.report import HostReport, parse_section
from rancherctl.ingress.translate.rules import translate
from rancherctl.kube.objects import Ingress
from rancherctl.placement.model import Roster
from rancherctl.placement.place import place
from tests.fakes import ingress as fake

CLASSES = {"rancher": fake.RANCHER}
H4 = ("h1", "h2", "h3", "h4")


def address_of(host: str) -> str:
    """The published address of host h<number>."""
    return f"192.0.2.{host[1:]}"


class Cluster:
    """``turn`` is one pass of the leader, which also writes. ``old_agents`` are hosts of an earlier release.

    ``recorded_reports`` are load-balancer sections as they are stored, instead of what ``confirm`` makes.
    """

    def __init__(self, *ingresses: Ingress, roster: Roster | None = None) -> None:
        self.ingresses = {i.meta.key: i for i in ingresses}
        self.roster = roster or fake.roster(*H4)
        self.served: dict[str, dict[str, str]] = {}
        self.old_agents: set[str] = set()
        self.recorded_reports: dict[str, dict[str, object]] = {}
        self.since: Mapping[str, float] = {}
        self.managed: frozenset[str] = frozenset()
        self.now = 100.0
        self.memory = IngressStatusMemory()

    def confirm(self, *hosts: str, key: str = "default/a", content: str = "") -> None:
        """Let hosts report that they serve ``key`` with its present content, or with the hash ``content``."""
        for host in hosts:
            self.served.setdefault(host, {})[key] = content or translate(self.ingresses[key]).hash

    def reports(self) -> dict[str, HostReport]:
        found = {h: HostReport(served, hash_scheme=self._scheme(h)) for h, served in self.served.items()}
        return found | {h: parse_section(section) for h, section in self.recorded_reports.items()}

    def _scheme(self, host: str) -> int:
        return HASH_SCHEME - 1 if host in self.old_agents else HASH_SCHEME

    def decide(self) -> Statuses:
        """A decision with what the last ones left; it is that of a leader which has just begun."""
        found = self._decide(self.memory)
        assert found == self._decide(None)
        return found

    def _decide(self, memory: IngressStatusMemory | None) -> Statuses:
        return ingress_statuses(
            self.ingresses,
            CLASSES,
            self.roster,
            self.reports(),
            stored=stored_statuses(self.ingresses),
            since=self.since,
            now=self.now,
            managed=self.managed,
            memory=memory,
        )

    def turn(self, seconds: float = 0.0) -> dict[str, tuple[str, ...]]:
        """Let ``seconds`` pass, decide and write; returns the addresses by key."""
        self.now += seconds
        found = self.decide()
        self.since, self.managed = found.since, found.managed
        for change in plan_writes(stored_statuses(self.ingresses), found):
            assert change.new is not None
            i = self.ingresses[change.key]
            notes = {k: v for k, v in i.meta.annotations.items() if k != STATUS_ANNOTATION}
            if change.new.annotation:
                notes[STATUS_ANNOTATION] = change.new.annotation
            meta = replace(i.meta, annotations=notes)
            self.ingresses[change.key] = replace(
                i, meta=meta, status=change.new.addresses, status_ports=change.new.ports
            )
        assert not plan_writes(stored_statuses(self.ingresses), self.decide()), "a second plan after an apply is empty"
        return {k: i.status for k, i in self.ingresses.items()}

    def note(self, key: str = "default/a") -> dict[str, Any]:
        """The status annotation."""
        return dict(json.loads(self.ingresses[key].meta.annotations[STATUS_ANNOTATION]))

    def hosts(self, key: str = "default/a") -> tuple[str, ...]:
        """Where the Ingress is placed."""
        return place(translate(self.ingresses[key]).for_placement, self.roster).hosts
