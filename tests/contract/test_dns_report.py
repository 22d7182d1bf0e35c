"""The section that the dns role reports: what fails is named and stops nothing else."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from rancherctl.dns.reconcile import DnsRole
from rancherctl.dns.store import Store
from rancherctl.errors import RancherctlError
from tests.fakes.dns_queries import addresses, settle
from tests.fakes.dns_tables import World, service
from tests.fakes.named import Named


def test_missing_counters_and_failed_copies_do_not_delay_names(
    named: Named, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = [0.0]
    role = DnsRole(named.config, named, probe=False, clock=lambda: time.monotonic() + later[0])
    real = Store.keep

    def broken(*_: object, **__: object) -> None:
        raise RancherctlError("no room")

    monkeypatch.setattr("rancherctl.dns.stats.read", broken)
    monkeypatch.setattr(Store, "keep", broken)
    settle(role, world.snapshot())
    later[0] += 10.0
    section = role.reconcile(world.snapshot())
    assert section["synced"]
    assert "cannot save a copy of the zones: no room" in section["alarm"]
    world.add(service("late", "10.43.0.99"))
    settle(role, world.snapshot())
    assert addresses(named, "late.default.svc.cluster.local") == ["10.43.0.99"]
    monkeypatch.setattr(Store, "keep", real)
    later[0] += 100.0
    assert role.reconcile(world.snapshot())["alarm"] == ""
    assert (named.data / "cluster.local.zone.kept").exists()
    role.stop()


def test_failures_and_lost_contact_with_the_api_are_written_for_dns_status(
    named: Named, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later, file = [0.0], tmp_path / "dns.json"
    role = DnsRole(named.config, named, probe=False, run_file=file, clock=lambda: time.monotonic() + later[0])
    settle(role, world.snapshot())
    assert json.loads(file.read_text())["metrics"]["unheard"] < 1
    later[0] += 600.0
    away = world.snapshot()
    role.reconcile(replace(away, tables={name: replace(table, healthy=False) for name, table in away.tables.items()}))
    assert json.loads(file.read_text())["metrics"]["unheard"] >= 600

    def refuse(*_: object, **__: object) -> None:
        raise RancherctlError("update of zone cluster.local. refused")

    monkeypatch.setattr("rancherctl.dns.apply.apply", refuse)
    world.add(service("late", "10.43.0.99"))
    with pytest.raises(RancherctlError):
        role.reconcile(world.snapshot())
    found = json.loads(file.read_text())
    assert (found["synced"], found["error"]) == (False, "update of zone cluster.local. refused")
    monkeypatch.undo()
    settle(role, world.snapshot())
    assert "error" not in json.loads(file.read_text())
    role.stop()
