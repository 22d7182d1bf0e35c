"""Reports of hosts: broken load balancers block their ports, but only once it lasts; nonsense harms nobody."""

import json

from rancherctl.agents.reports import Patience, blocked_ports, sections
from rancherctl.kube.objects import ConfigMap, Meta


def stored(text: str) -> ConfigMap:
    return ConfigMap(Meta("rancherctl-system", "report-h1"), {"report": text})


def test_sections_by_host_and_nothing_for_what_is_not_json() -> None:
    maps = {
        "rancherctl-system/report-h1": stored(json.dumps({"sections": {"lb": {"served": {}}}})),
        "rancherctl-system/report-h2": stored("{torn"),
        "rancherctl-system/report-h3": stored("[]"),
        "rancherctl-system/roster": stored("{}"),
    }
    assert sections(maps) == {"h1": {"lb": {"served": {}}}, "h2": {}, "h3": {}}


def test_a_taken_port_and_a_broken_load_balancer_block() -> None:
    reported = {
        "h1": {"lb": {"ports": {"80": "taken by nginx", "443": ""}}},
        "h2": {"lb": {"error": "EngineError: no answer"}},
        "h3": {"lb": {"ports": {"80": ""}}},
        "h4": {"lb": "nonsense"},
        "h5": {},
    }
    assert blocked_ports(reported) == {"h1": (80,), "h2": (80,)}


def test_only_what_lasts_counts() -> None:
    patience = Patience(5.0)
    assert patience.lasting({"h1": (80,)}, 0.0) == {}
    assert patience.lasting({"h1": (80,)}, 5.0) == {"h1": (80,)}
    assert patience.lasting({}, 6.0) == {}
    assert patience.lasting({"h1": (80,)}, 7.0) == {}
