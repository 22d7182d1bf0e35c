"""Reports of hosts: broken load balancers block their ports, but only once it lasts; nonsense harms nobody."""

import json

import pytest

from rancherctl.agents.host_report_reader import Debounce, ReportCache, blocked_ports, load_balancer_report
from rancherctl.ingress.status.report import HostReport
from rancherctl.kube.objects import ConfigMap, Meta


def stored(text: str) -> ConfigMap:
    return ConfigMap(Meta("rancherctl-system", "report-h1"), {"report": text})


def test_reports_by_host_and_nothing_for_what_is_not_json() -> None:
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


def test_a_report_is_read_once_for_each_version() -> None:
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
        ({"lb": {"error": "EngineError: no answer"}}, (80,)),
        ({"lb": {"ports": {"80": ""}}}, ()),
        ({"lb": "nonsense"}, ()),
        ({}, ()),
    ],
)
def test_a_taken_port_and_a_broken_load_balancer_block(section: object, blocked: tuple[int, ...]) -> None:
    assert blocked_ports(stored(json.dumps({"sections": section}))) == blocked


def test_only_what_lasts_counts() -> None:
    debounce = Debounce(5.0)
    assert debounce.lasting({"h1": (80,)}, {}, 0.0) == {}
    assert debounce.lasting({"h1": (80,)}, {}, 5.0) == {"h1": (80,)}
    assert debounce.lasting({}, {}, 6.0) == {}
    assert debounce.lasting({"h1": (80,)}, {}, 7.0) == {}
    assert debounce.lasting({"h2": (80, 443)}, {"h2": (80,)}, 8.0) == {"h2": (80,)}
