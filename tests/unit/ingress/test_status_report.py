"""The load-balancer section of a host's report: written and read alike; damage only withholds addresses."""

from __future__ import annotations

import json

import pytest

from rancherctl.ingress.status.report import HostReport, TlsReport, load_balancer_section, parse_section
from rancherctl.placement.model import ObjectProblem

FULL = HostReport(
    served={"default/a": "abc"},
    problems={
        "default/a": (ObjectProblem("ServiceNotFound", "no such service"), ObjectProblem("Note", "text", serious=False))
    },
    ports={"80": "in use", "443": ""},
    hash_scheme=3,
    error="HAProxy does not run",
    alarm="disk full",
    note="requests were refused",
    tls=TlsReport("infra/fallback", redirect=False, lacking=frozenset({"shop/late"})),
)


@pytest.mark.parametrize("report", [FULL, HostReport()])
def test_a_section_survives_the_api(report: HostReport) -> None:
    stored = {"report": json.dumps({"sections": {"lb": report.to_section()}})}
    assert parse_section(load_balancer_section(stored)) == report


def test_keys_of_the_section_are_those_of_earlier_releases() -> None:
    keys = {"served", "problems", "ports", "alarm", "error", "hash_scheme", "note", "placed", "certificates", "tls"}
    assert set(FULL.to_section()) == keys
    assert "error" not in HostReport().to_section(), "earlier releases take the key alone for an error"
    old = parse_section({"served": {"default/a": "abc"}})
    assert (old.hash_scheme, old.tls) == (0, None), "a release without the keys"


@pytest.mark.parametrize(
    "section",
    [
        {},
        {"served": 7, "alarm": None},
        {"served": [], "problems": {"x": 1}, "ports": [], "hash_scheme": "1"},
        {"tls": 7},
        {"tls": {"default": None, "lacking": 7}},
        {"problems": {"default/a": [["R", "m"], 4]}, "hash_scheme": None},
    ],
)
def test_damaged_parts_read_as_empty(section: dict[str, object]) -> None:
    found = parse_section(section)
    assert (found.served, found.ports, found.hash_scheme, found.alarm) == ({}, {}, 0, "")
    assert not any(found.problems.values())


@pytest.mark.parametrize("text", ["[" * 100_000, '{"sections":' * 50_000, "{", "7", '{"sections": []}'])
def test_a_report_that_cannot_be_read_concerns_its_host_only(text: str) -> None:
    assert load_balancer_section({"report": text}) == {}


def test_ports_in_use_are_blocked_and_nonsense_is_not() -> None:
    ports = {"80": "in use", "443": "", "x": "y", "70000": "y", "0": "y"}
    assert HostReport(ports=ports).blocked_ports() == (80,)


def test_problems_of_thousands_leave_room_in_the_report() -> None:
    many = {f"ns/i{n:05}": (ObjectProblem("ServiceNotFound", "service not found " * 10),) for n in range(5000)}
    section = HostReport(problems=many).to_section()
    assert len(json.dumps(section)) < 300_000
    read = parse_section(section).problems
    assert read == dict(list(many.items())[: len(read)])
    assert len(read) > 500


def test_the_worst_trouble_is_shown() -> None:
    assert FULL.trouble == "HAProxy does not run"
    assert HostReport(ports=FULL.ports, alarm="disk full").trouble == "disk full"
    assert HostReport(ports=FULL.ports).trouble == "in use"
    assert HostReport().trouble == ""
