"""RoleRunner: wakes for the role's own tables, reports failures, retries them, and stops."""

import random
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from rancherctl.agents.role_runner import RoleRunner
from rancherctl.kube import tables
from rancherctl.kube.backoff import Backoff
from rancherctl.kube.snapshot import Snapshot
from rancherctl.kube.tables import TableSpec

Report = tuple[str, Mapping[str, Any]]


class CountingRole:
    name = "counting"
    tables: tuple[TableSpec, ...] = (tables.SERVICES,)
    resync = 3600.0

    def __init__(self, failures: int = 0) -> None:
        self.calls = 0
        self.failures = failures
        self.called = threading.Event()
        self.stopped = False

    def reconcile(self, snapshot: Snapshot) -> Mapping[str, Any]:
        self.calls += 1
        self.called.set()
        if self.calls <= self.failures:
            raise ValueError(f"failure {self.calls}")
        return {"calls": self.calls}

    def stop(self) -> None:
        self.stopped = True


class ShortBackoff(Backoff):
    def after(self, error: Exception) -> float:
        return 0.0


def runner(role: CountingRole, reports: list[Report]) -> RoleRunner:
    return RoleRunner(role, Snapshot, lambda n, s: reports.append((n, s)), backoff=ShortBackoff(random.Random(1)))


def test_only_changes_of_its_own_tables_wake_a_role() -> None:
    role, reports = CountingRole(), list[Report]()
    run = runner(role, reports)
    run.start()
    assert role.called.wait(60)
    role.called.clear()
    run.changed(frozenset({"nodes"}))
    run.changed(frozenset({"services", "nodes"}))
    assert role.called.wait(60)
    run.stop()
    assert role.calls == 2
    assert role.stopped


def test_a_failure_is_reported_and_retried() -> None:
    role, reports = CountingRole(failures=2), list[Report]()
    run = runner(role, reports)
    assert run.once() == 0.0
    assert run.once() == 0.0
    assert run.once() == 3600.0
    assert [s for _, s in reports] == [
        {"error": "ValueError: failure 1"},
        {"error": "ValueError: failure 2"},
        {"calls": 3},
    ]


class LongBackoff(Backoff):
    def after(self, error: Exception) -> float:
        return 3600.0


def test_a_change_ends_the_pause_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rancherctl.agents.role_runner.MIN_RETRY_SECONDS", 0.0)
    role, reports = CountingRole(failures=1), list[Report]()
    failed, recovered = threading.Event(), threading.Event()

    def report(name: str, section: Mapping[str, Any]) -> None:
        reports.append((name, section))
        (failed if "error" in section else recovered).set()

    run = RoleRunner(role, Snapshot, report, backoff=LongBackoff(random.Random(1)))
    run.start()
    assert failed.wait(60)
    run.changed(frozenset({"services"}))
    assert recovered.wait(60)
    run.stop()
    assert [section for _, section in reports] == [{"error": "ValueError: failure 1"}, {"calls": 2}]


def test_a_reconcile_in_progress_is_visible_to_the_watchdog() -> None:
    seen: list[float] = []

    class Observed(CountingRole):
        def reconcile(self, snapshot: Snapshot) -> Mapping[str, Any]:
            seen.append(run.busy_since)
            return super().reconcile(snapshot)

    run = runner(Observed(failures=1), [])
    run.once()
    run.once()
    assert all(since > 0 for since in seen)
    assert run.busy_since == 0


def test_a_role_may_ask_what_its_next_reconcile_will_get() -> None:
    class Asking(CountingRole):
        def look_ahead(self, newest: Callable[[], Snapshot]) -> None:
            self.newest = newest

        def reconcile(self, snapshot: Snapshot) -> Mapping[str, Any]:
            return super().reconcile(self.newest())

    role, number = Asking(), iter(range(100))
    run = RoleRunner(role, lambda: Snapshot(number=next(number)), lambda _n, _s: None)
    run.start()
    assert role.called.wait(60)
    run.stop()
    assert role.newest().number == 2, "after one for the reconcile, and one that it asked for"
