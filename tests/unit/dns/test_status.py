"""The state of a server as `dns status` shows it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rancherctl.dns import stats
from rancherctl.dns import status as status_module
from rancherctl.dns.reconcile import first_problems


def test_thousands_of_bad_services_do_not_fill_the_report() -> None:
    """The report also says which routes a host serves: it must stay writable whatever a tenant makes."""
    problems = {f"ns/s{n:05}": "externalName is not a valid name" for n in range(10_000)}
    found = first_problems(problems)
    assert list(found)[:2] == ["ns/s00000", "ns/s00001"]
    assert "9950 more" in found["…"]
    assert len(json.dumps(found)) < 10_000
    few = {"b/x": "2", "a/x": "1"}
    assert list(first_problems(few).items()) == [("a/x", "1"), ("b/x", "2")]


def test_missing_counters_are_zero() -> None:
    data = {
        "version": "9.18",
        "boot-time": "t",
        "opcodes": {"QUERY": 7},
        "views": {"_default": {"resolver": {"cachestats": {"QueryHits": 3, "QueryMisses": 4}}}},
    }
    assert stats.parse(data) == stats.Stats("9.18", "t", 7, 3, 4)
    assert stats.parse({}) == stats.Stats("", "", 0, 0, 0)


def test_status_shows_the_age_of_the_agents_section(tmp_path: Path) -> None:
    path = tmp_path / "dns.json"
    assert status_module.read_section(path) is None
    status_module.write_section({"synced": True, "metrics": {"records": 3}}, path)
    found = status_module.read_section(path, now=path.stat().st_mtime + 9)
    assert found == {"synced": True, "metrics": {"records": 3}, "age": 9.0}
    zones = {
        "cluster.local.": {"loaded": True, "serial": 5, "hash": "ab"},
        "x.": {"loaded": False, "serial": 0, "hash": ""},
    }
    row = status_module.summary({"node": "h1", "zones": zones, "error": "", "agent": {**found, "alarm": "!"}})
    assert (row["host"], row["serial"], row["loaded"], row["synced"], row["records"], row["problems"]) == (
        "h1",
        5,
        False,
        True,
        3,
        ["!"],
    )
    gone = status_module.summary({"node": "h1", "zones": {}, "error": "gone", "agent": None})
    assert (gone["synced"], gone["age"], gone["problems"][0]) == (False, None, "gone")
    assert "has not reported" in gone["problems"][1]


@pytest.mark.parametrize(
    ("said", "unheard", "synced", "age", "problem"),
    [
        (3.0, 0.0, True, 3.0, []),
        (3.0, 20.0, True, 23.0, []),
        (3.0, 600.0, False, 603.0, ["no contact with the API for 603 s: serving the names known then"]),
        (90.0, 0.0, False, 90.0, ["the agent has not reported for 90 s: systemctl status rancherctl-agent"]),
    ],
)
def test_outdated_state_is_not_shown_as_synced(
    said: float, unheard: float, synced: bool, age: float, problem: list[str]
) -> None:
    agent = {"synced": True, "age": said, "metrics": {"unheard": unheard}}
    row = status_module.summary({"node": "h1", "zones": {}, "error": "", "agent": agent})
    assert (row["synced"], row["age"], row["problems"]) == (synced, age, problem)
