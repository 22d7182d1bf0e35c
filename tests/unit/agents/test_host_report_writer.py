"""HostReportWriter: when the report is due, and that no odd error ends the writing."""

import json
import random
from typing import Any

import pytest

from rancherctl.agents.host_report_writer import HostReportWriter, without_metrics
from rancherctl.errors import AuthError, NotFoundError, UnreachableError
from rancherctl.kube.backoff import Backoff
from tests.fakes.controllers import OddApi


class ReportApi:
    """Records writes; ``stored`` is what the API returns."""

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


def test_metrics_alone_are_written_rarely_and_every_other_change_at_once() -> None:
    now = [0.0]
    client = ReportApi()
    report = HostReportWriter(client, "h1", ("lb",), clock=lambda: now[0])  # type: ignore[arg-type]
    assert report.due() is None
    report.put("lb", {"served": {"a/b": "1"}, "metrics": {"n": 1}})
    text = report.due()
    assert text is not None
    report.write(text)
    assert client.bodies[0][0] == "report-h1"
    report.put("lb", {"served": {"a/b": "1"}, "metrics": {"n": 2}})
    assert report.due() is None
    now[0] = 31.0
    assert report.due() is not None
    now[0] = 1.0
    report.put("lb", {"served": {"a/b": "2"}, "metrics": {"n": 2}})
    assert report.due() is not None
    assert without_metrics({"lb": {"x": 1, "metrics": 2}}) == {"lb": {"x": 1}}


def test_the_first_report_waits_for_every_role_but_not_forever() -> None:
    now = [100.0]
    report = HostReportWriter(ReportApi(), "h1", ("network", "lb"), clock=lambda: now[0])  # type: ignore[arg-type]
    report.put("network", {"routes": 3})
    assert (report.due(), report.reported) == (None, False)
    report.put("lb", {"served": {"a/b": "1"}})
    text = report.due()
    assert text is not None
    assert set(json.loads(text)["sections"]) == {"network", "lb"}
    report.write(text)
    assert report.reported
    hanging = HostReportWriter(ReportApi(), "h1", ("network", "lb"), clock=lambda: now[0])  # type: ignore[arg-type]
    hanging.put("network", {"routes": 3})
    now[0] += 16.0
    assert hanging.due() is not None


@pytest.fixture
def now() -> list[float]:
    return [100.0]


@pytest.fixture
def written(now: list[float]) -> tuple[ReportApi, HostReportWriter]:
    """A report that was written once."""
    client = ReportApi()
    report = HostReportWriter(client, "h1", ("lb",), clock=lambda: now[0])  # type: ignore[arg-type]
    report.put("lb", {"served": {"a/b": "1"}, "metrics": {}})
    report.write(report.due() or "")
    return client, report


def test_a_report_that_was_emptied_or_deleted_is_written_again(
    written: tuple[ReportApi, HostReportWriter], now: list[float]
) -> None:
    """The controller creates it empty when a Node registers again; until then nothing is published."""
    client, report = written
    report.check()
    assert report.due() is None
    client.stored = {"metadata": {"name": "report-h1"}}
    report.check()
    assert report.due() is None, "the check is not repeated at once"
    now[0] += 31.0
    report.check()
    text = report.due()
    assert text is not None
    assert report.reported
    report.write(text)
    assert report.due() is None
    now[0] += 31.0
    client.error = NotFoundError("gone")
    report.check()
    assert report.due() is not None


def test_an_unreachable_api_does_not_cause_a_write(
    written: tuple[ReportApi, HostReportWriter], now: list[float]
) -> None:
    client, report = written
    now[0] += 31.0
    client.error = UnreachableError("down")
    with pytest.raises(UnreachableError):
        report.check()
    assert report.due() is None


def test_values_that_json_represents_differently_are_not_changes(written: tuple[ReportApi, HostReportWriter]) -> None:
    """A tuple comes back as a list: compared unconverted, it would be written again without a pause."""
    _, report = written
    report.put("lb", {"served": {"a/b": "2"}, "roster": (1, 2), "ports": {80: ""}})
    report.write(report.due() or "")
    assert report.due() is None
    with pytest.raises(TypeError):
        report.put("lb", {"served": {1, 2}})


class LongBackoff(Backoff):
    def after(self, error: Exception) -> float:
        return 30.0


@pytest.mark.parametrize(
    ("error", "pause"), [(NotFoundError("missing"), 2.0), (AuthError("not yet"), 2.0), (UnreachableError("down"), 30.0)]
)
def test_a_report_that_does_not_exist_yet_is_retried_soon(error: Exception, pause: float) -> None:
    """Until it is written, the host does not count as alive."""
    report = HostReportWriter(ReportApi(), "h1", (), backoff=LongBackoff(random.Random(1)))  # type: ignore[arg-type]
    assert report.retry_after(error) == pause


def test_no_odd_answer_ends_the_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Backoff, "after", lambda *_: 0.0)
    api = OddApi()
    report = HostReportWriter(api, "h1", ("lb",))  # type: ignore[arg-type]
    report.put("lb", {"served": {}})
    report.start()
    assert api.enough.wait(60)
    report.stop()
