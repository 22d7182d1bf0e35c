"""Reports of hosts: a broken load balancer blocks its port once that has lasted; invalid reports change nothing."""

import json

import pytest

from rancherctl.agents.host_report_reader import Debounce, ReportCache, blocked_ports, load_balancer_report
from rancherctl.ingress.status.report import HostReport
from rancherctl.kube.objects import ConfigMap, Meta
from rancherctl.placement.model import EVERY_PORT


def stored(text: str) -> ConfigMap:
    return ConfigMap(Meta("rancherctl-system", "report-h1"), {"report": text})


def test_reports_are_read_by_host_and_invalid_ones_are_empty() -> None:
    maps = {
        "rancherctl-system/report-h1": stored(json.dumps({"sections": {"lb": {"served": {"a/b": "x"}}}})),
        "rancherctl-system/report-h2": stored("{torn"),
        "rancherctl-system/report-h3": stored("[]"),
        "rancherctl-system/report-h4": ConfigMap(Meta("rancherctl-system", "report-h4"), {}),
        "rancherctl-system/roster": stored("{}"),
    }
    assert ReportCache(load_balancer_report).by_host(maps) == {
        "h1": HostReport({"a/b": "x"}),
        "h2": HostReport(),
        "h3": HostReport(),
        "h4": HostReport(),
    }


def test_a_report_is_parsed_once_per_version() -> None:
    read: list[ConfigMap] = []
    hosts = ReportCache(lambda found: read.append(found) or len(read))
    one, two, newer = stored("1"), stored("2"), stored("3")
    assert hosts.by_host({"rancherctl-system/report-h1": one, "rancherctl-system/report-h2": two}) == {"h1": 1, "h2": 2}
    assert hosts.by_host({"rancherctl-system/report-h1": one, "rancherctl-system/report-h2": newer}) == {
        "h1": 1,
        "h2": 3,
    }
    assert hosts.by_host({}) == {}
    assert hosts.by_host({"rancherctl-system/report-h1": one}) == {"h1": 4}


@pytest.mark.parametrize(
    ("section", "blocked"),
    [
        ({"lb": {"ports": {"80": "taken by nginx", "443": ""}}}, (80,)),
        ({"lb": {"error": "EngineError: no answer"}}, (EVERY_PORT, 80)),
        ({"lb": {"ports": {"80": ""}}}, ()),
        ({"lb": "nonsense"}, ()),
        ({}, ()),
    ],
)
def test_a_port_in_use_and_a_failed_load_balancer_block_the_port(section: object, blocked: tuple[int, ...]) -> None:
    assert blocked_ports(stored(json.dumps({"sections": section}))) == blocked


def test_a_blocked_port_counts_only_after_it_has_lasted() -> None:
    debounce = Debounce(5.0)
    assert debounce.lasting({"h1": (80,)}, {}, 0.0) == {}
    assert debounce.lasting({"h1": (80,)}, {}, 5.0) == {"h1": (80,)}
    assert debounce.lasting({}, {}, 6.0) == {}
    assert debounce.lasting({"h1": (80,)}, {}, 7.0) == {}
    assert debounce.lasting({"h2": (80, 443)}, {"h2": (80,)}, 8.0) == {"h2": (80,)}
