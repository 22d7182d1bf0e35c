"""PodPathsController: the condition of each Node, written when it changes, without harm to other conditions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rancherctl.agents.controllers.pod_paths import (
    PathCondition,
    PodPathsController,
    condition,
    with_condition,
)
from rancherctl.contract import POD_PATHS_CONDITION
from rancherctl.errors import ConflictError
from rancherctl.kube.objects import ConfigMap, Meta, Node
from rancherctl.kube.snapshot import Snapshot, Table
from rancherctl.pod_paths.explain import PathProblem
from rancherctl.pod_paths.model import STARTING, Check, HostPaths, to_section
from tests.fakes.controllers import Leadership

YES = Check("yes")
GOOD = HostPaths(YES, YES, {"h2": YES})
NO_DNS = HostPaths(Check("no", "dns-server", "it fails"), YES, {"h2": YES})
READY = {"type": "Ready", "status": "True"}


class Nodes:
    """The API's Nodes; another writer may come between reading and writing."""

    def __init__(self, *names: str) -> None:
        self.nodes = {name: self.node(name) for name in names}
        self.asked = self.writes = self.conflicts = 0

    @staticmethod
    def node(name: str) -> Any:
        meta = {"name": name, "uid": f"uid-{name}", "resourceVersion": "7"}
        return {"metadata": meta, "status": {"conditions": [READY]}}

    def get(self, _: Any, name: str) -> Any:
        self.asked += 1
        return self.nodes[name]

    def patch(self, _: Any, name: str, body: Any, *, subresource: str) -> None:
        assert subresource == "status"
        assert body["metadata"] == {"resourceVersion": "7"}
        if self.conflicts:
            self.conflicts -= 1
            raise ConflictError("it changed")
        self.writes += 1
        self.nodes[name]["status"].update(body["status"])

    def reasons(self) -> dict[str, str]:
        listed = ((name, c) for name, node in self.nodes.items() for c in node["status"]["conditions"])
        return {name: c["reason"] for name, c in listed if c["type"] == POD_PATHS_CONDITION}


class Site:
    def __init__(self) -> None:
        self.client, self.leader, self.now = Nodes("h1", "h2"), Leadership(), 1000.0
        self.controller = PodPathsController(self.client, self.leader, lambda: self.now, "demo")  # type: ignore[arg-type]

    def reconcile(self, alive: bool = True, **found: HostPaths | None) -> dict[str, str]:
        nodes = {n: Node(Meta("", n, uid=f"uid-{n}"), (), (), True, False) for n in ("h1", "h2")}
        hosts = [{"name": n, "address": "", "internal": "", "alive": alive or n == "h2"} for n in nodes]
        maps = {"roster": {"roster": json.dumps({"epoch": 1, "sequence": 1, "hosts": hosts})}}
        for name, paths in found.items():
            sections = {"pod-paths": to_section(paths)} if paths else {}
            maps[f"report-{name}"] = {"report": json.dumps({"sections": sections})}
        stored = {f"rancherctl-system/{n}": ConfigMap(Meta("rancherctl-system", n), data) for n, data in maps.items()}
        tables: dict[str, Table[Any]] = {"nodes": Table(nodes, synced=True), "configmaps": Table(stored, synced=True)}
        self.controller.reconcile(Snapshot(tables))
        return self.client.reasons()


@pytest.fixture
def site() -> Site:
    return Site()


def test_conditions_follow_the_reports_and_keep_the_others(site: Site) -> None:
    assert site.reconcile(h1=GOOD, h2=STARTING) == {"h1": "PodsReachEverything", "h2": "Starting"}
    assert site.reconcile(h1=NO_DNS, h2=GOOD) == {"h1": "DNSServerFailed", "h2": "PodsReachEverything"}
    assert all(node["status"]["conditions"][0] == READY for node in site.client.nodes.values())


def test_an_unchanged_condition_is_neither_read_nor_written_again(site: Site) -> None:
    site.reconcile(h1=GOOD, h2=GOOD)
    asked, writes = site.client.asked, site.client.writes
    site.reconcile(h1=GOOD, h2=GOOD)
    assert (site.client.asked, site.client.writes) == (asked, writes)


def test_a_standby_writes_nothing(site: Site) -> None:
    site.leader.leading = False
    assert site.reconcile(h1=GOOD, h2=GOOD) == {}


def test_a_node_that_changes_meanwhile_is_written_later(site: Site) -> None:
    site.client.conflicts = 1
    site.reconcile(h1=GOOD, h2=GOOD)
    assert len(site.client.reasons()) == 1
    site.now += 60.0
    assert site.reconcile(h1=GOOD, h2=GOOD) == dict.fromkeys(("h1", "h2"), "PodsReachEverything")


def test_a_silent_agent_and_one_of_an_earlier_release_are_unknown(site: Site) -> None:
    assert site.reconcile(alive=False, h1=NO_DNS, h2=None) == {"h1": "AgentSilent", "h2": "NotReported"}


def test_the_three_answers() -> None:
    problem = PathProblem("h1", "firewall", "a firewall of this host drops packets")
    found = condition(GOOD, (problem,), alive=True, environment="demo")
    assert (found.status, found.reason) == ("False", "FirewallDropsPods")
    assert "rancherctl env apply demo" in found.message
    assert condition(GOOD, (), alive=True, environment="demo").status == "True"
    unknown = HostPaths(Check("unknown", "endpoint", "it does not run"), YES)
    assert condition(unknown, (), alive=True, environment="demo") == PathCondition(
        "Unknown", "CouldNotTell", "it does not run"
    )


def test_the_transition_time_changes_with_the_status_only() -> None:
    node = Nodes.node("h1")
    first = with_condition(node, PathCondition("False", "RouteMissing", "a"), "T1")
    assert first is not None
    node["status"] = first["status"]
    second = with_condition(node, PathCondition("False", "KubeProxyFailed", "b"), "T2")
    assert second is not None
    assert second["status"]["conditions"][-1]["lastTransitionTime"] == "T1"
    assert second["status"]["conditions"][-1]["lastHeartbeatTime"] == "T2"
    assert with_condition(node, PathCondition("False", "RouteMissing", "a"), "T3") is None
