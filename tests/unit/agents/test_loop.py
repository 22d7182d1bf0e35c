"""The loop: wakes for its own tables only, reports failures, goes on after them, and stops."""

import json
import random
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from rancherctl.agents.clock import rest
from rancherctl.agents.config import lease_seconds
from rancherctl.agents.controller import Controller
from rancherctl.agents.host_report_writer import Heartbeat, Reporter, without_metrics
from rancherctl.agents.loop import Runner, Wake
from rancherctl.errors import NotFoundError, UnreachableError
from rancherctl.kube import tables
from rancherctl.kube.backoff import Backoff
from rancherctl.kube.snapshot import Snapshot


class CountingRole:
    name = "counting"
    tables = (tables.SERVICES,)
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


def runner(role: CountingRole, reports: list[tuple[str, Mapping[str, Any]]]) -> Runner:
    return Runner(role, Snapshot, lambda n, s: reports.append((n, s)), backoff=ShortBackoff(random.Random(1)))


def test_changes_of_foreign_tables_do_not_wake() -> None:
    role, reports = CountingRole(), []
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


def test_a_failure_is_reported_and_tried_again() -> None:
    role, reports = CountingRole(failures=2), []
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


def test_news_end_the_wait_of_a_role_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rancherctl.agents.loop.DEAF_SECONDS", 0.0)
    role, reports = CountingRole(failures=1), list[tuple[str, Mapping[str, Any]]]()
    failed, went_on = threading.Event(), threading.Event()

    def report(name: str, section: Mapping[str, Any]) -> None:
        reports.append((name, section))
        (failed if "error" in section else went_on).set()

    run = Runner(role, Snapshot, report, backoff=LongBackoff(random.Random(1)))
    run.start()
    assert failed.wait(60)
    run.changed(frozenset({"services"}))
    assert went_on.wait(60)
    run.stop()
    assert [section for _, section in reports] == [{"error": "ValueError: failure 1"}, {"calls": 2}]


def test_many_wakes_count_as_one() -> None:
    wake = Wake()
    for _ in range(5):
        wake.set()
    assert wake.wait(0)
    assert not wake.wait(0)


class Writes:
    """Keeps what was written; ``stored`` is what the API gives."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.stored: Any = None
        self.error: Exception | None = None

    def patch(self, resource: Any, name: str, body: Any, **_: Any) -> Any:
        self.bodies.append((name, body))
        self.stored = body
        return body

    def get(self, resource: Any, name: str, **_: Any) -> Any:
        if self.error:
            raise self.error
        return self.stored


def test_metrics_alone_are_written_seldom_and_everything_else_at_once() -> None:
    now = [0.0]
    client = Writes()
    reporter = Reporter(client, "h1", ("lb",), clock=lambda: now[0])  # type: ignore[arg-type]
    assert reporter.due() is None
    reporter.put("lb", {"served": {"a/b": "1"}, "metrics": {"n": 1}})
    text = reporter.due()
    assert text is not None
    reporter.write(text)
    assert client.bodies[0][0] == "report-h1"
    reporter.put("lb", {"served": {"a/b": "1"}, "metrics": {"n": 2}})
    assert reporter.due() is None
    now[0] = 31.0
    assert reporter.due() is not None
    now[0] = 1.0
    reporter.put("lb", {"served": {"a/b": "2"}, "metrics": {"n": 2}})
    assert reporter.due() is not None
    assert without_metrics({"lb": {"x": 1, "metrics": 2}}) == {"lb": {"x": 1}}


def test_the_first_report_waits_for_every_role_but_not_for_ever() -> None:
    now = [100.0]
    reporter = Reporter(Writes(), "h1", ("network", "lb"), clock=lambda: now[0])  # type: ignore[arg-type]
    reporter.put("network", {"routes": 3})
    assert reporter.due() is None
    assert not reporter.reported
    reporter.put("lb", {"served": {"a/b": "1"}})
    text = reporter.due()
    assert text is not None
    assert set(json.loads(text)["sections"]) == {"network", "lb"}
    reporter.write(text)
    assert reporter.reported
    hanging = Reporter(Writes(), "h1", ("network", "lb"), clock=lambda: now[0])  # type: ignore[arg-type]
    hanging.put("network", {"routes": 3})
    now[0] += 16.0
    assert hanging.due() is not None


@pytest.fixture
def now() -> list[float]:
    return [100.0]


@pytest.fixture
def written(now: list[float]) -> tuple[Writes, Reporter]:
    """One report, written."""
    client = Writes()
    reporter = Reporter(client, "h1", ("lb",), clock=lambda: now[0])  # type: ignore[arg-type]
    reporter.put("lb", {"served": {"a/b": "1"}, "metrics": {}})
    reporter.write(reporter.due() or "")
    return client, reporter


def test_a_report_that_was_taken_away_is_written_again(written: tuple[Writes, Reporter], now: list[float]) -> None:
    """The controller makes it anew, empty, when a Node was deleted and comes back; until it is filled nothing of this host is published."""
    client, reporter = written
    reporter.look()
    assert reporter.due() is None
    client.stored = {"metadata": {"name": "report-h1"}}
    reporter.look()
    assert reporter.due() is None, "not looked again at once"
    now[0] += 31.0
    reporter.look()
    text = reporter.due()
    assert text is not None
    assert reporter.reported
    reporter.write(text)
    assert reporter.due() is None
    now[0] += 31.0
    client.error = NotFoundError("gone")
    reporter.look()
    assert reporter.due() is not None


def test_an_api_that_cannot_be_asked_is_no_reason_to_write(written: tuple[Writes, Reporter], now: list[float]) -> None:
    client, reporter = written
    now[0] += 31.0
    client.error = UnreachableError("down")
    with pytest.raises(UnreachableError):
        reporter.look()
    assert reporter.due() is None


def test_values_that_json_writes_otherwise_are_no_news(written: tuple[Writes, Reporter]) -> None:
    """A tuple comes back as a list: compared as it is, it would be written again and again without a pause."""
    _, reporter = written
    reporter.put("lb", {"served": {"a/b": "2"}, "roster": (1, 2), "ports": {80: ""}})
    reporter.write(reporter.due() or "")
    assert reporter.due() is None
    with pytest.raises(TypeError):
        reporter.put("lb", {"served": {1, 2}})


@pytest.mark.parametrize(("spent", "left"), [(0.0, 2.0), (0.5, 1.5), (2.0, 0.25), (30.0, 0.25)])
def test_a_late_answer_does_not_cost_two_turns(spent: float, left: float) -> None:
    assert rest(2.0, spent) == left


@pytest.mark.parametrize(("hosts", "seconds"), [(1, 2.0), (200, 2.0), (201, 3.0), (1000, 10.0)])
def test_many_hosts_say_less_often_that_they_live(hosts: int, seconds: float) -> None:
    assert lease_seconds(hosts) == seconds


class Odd:
    """An API whose first answers are of a kind that nobody thought of; ``enough`` when it was asked often."""

    def __init__(self) -> None:
        self.asked, self.enough = 0, threading.Event()

    def patch(self, *_: Any, **__: Any) -> Any:
        self.asked += 1
        if self.asked >= 3:
            self.enough.set()
            return {}
        raise KeyError("spec")

    get = patch


def test_no_odd_answer_ends_the_signs_of_life() -> None:
    api = Odd()
    heart = Heartbeat(api, "h1", 0.01)  # type: ignore[arg-type]
    heart.start()
    assert api.enough.wait(60)
    heart.stop()


def test_no_odd_answer_ends_the_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Backoff, "after", lambda *_: 0.0)
    api = Odd()
    reporter = Reporter(api, "h1", ("lb",))  # type: ignore[arg-type]
    reporter.put("lb", {"served": {}})
    reporter.start()
    assert api.enough.wait(60)
    reporter.stop()


def test_no_odd_answer_ends_the_election(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rancherctl.agents.controller.RENEW", 0.01)
    api, stop = Odd(), threading.Event()

    class Election:
        leading = False

        def tick(self) -> bool:
            return bool(api.patch())

    controller = Controller(None, Election(), (), lambda _: None, Wake())  # type: ignore[arg-type]
    thread = threading.Thread(target=controller._elect, args=(stop,))
    thread.start()
    assert api.enough.wait(60)
    stop.set()
    thread.join(60)
