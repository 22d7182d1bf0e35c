"""RosterController: which hosts the roster has, second opinions before a mass loss, alarms, elections."""

from __future__ import annotations

import json

import pytest

from rancherctl.kube.snapshot import Snapshot, Table
from rancherctl.placement.model import EVERY_PORT
from tests.fakes.controllers import NAMES, SimulatedCluster


def test_a_silent_host_leaves_within_ten_seconds_and_comes_back() -> None:
    cluster = SimulatedCluster()
    cluster.tick(seconds=3)
    assert cluster.alive() == set(NAMES)
    cluster.tick(silent=("h3",), seconds=8)
    assert cluster.alive() == {"h1", "h2", "h4"}
    assert cluster.asked == []
    cluster.tick(seconds=2)
    assert cluster.alive() == set(NAMES)


def test_hosts_that_answer_on_the_network_stay_when_half_of_all_fall_silent() -> None:
    cluster = SimulatedCluster(answering={"h3": "", "h4": ""})
    cluster.tick(seconds=3)
    cluster.tick(silent=("h3", "h4"), seconds=8)
    assert {"h3", "h4"} in cluster.asked
    assert cluster.alive() == set(NAMES)
    assert any("answer on the network" in alarm for alarm in cluster.controller.alarms)


def test_half_of_all_hosts_leave_if_they_do_not_answer_either() -> None:
    cluster = SimulatedCluster()
    cluster.tick(seconds=3)
    cluster.tick(silent=("h3", "h4"), seconds=8)
    assert cluster.alive() == {"h1", "h2"}


def test_a_common_cause_is_recognised_although_hosts_fall_silent_one_by_one() -> None:
    """Hosts renew at different moments: an API that refuses agents must not empty the roster host by host."""
    cluster = SimulatedCluster(answering={"h2": "", "h3": "", "h4": ""})
    phases = {"h1": 0.1, "h2": 0.5, "h3": 1.0, "h4": 1.6}
    cut = 110.0
    for tick in range(200):
        cluster.now = 100.0 + tick / 8
        reached = {n: cluster.now if n == "h1" else min(cluster.now, cut) for n in NAMES}
        cluster.renewed = {n: int((reached[n] - phases[n]) / 2) for n in NAMES}
        cluster.controller.reconcile(cluster.snapshot())
        if tick > 40:
            assert cluster.alive() == set(NAMES), f"at {cluster.now}"
    assert {"h2", "h3", "h4"} in cluster.asked
    cluster.answers = frozenset()
    cluster.controller.reconcile(cluster.snapshot())
    assert cluster.alive() == {"h1"}


def test_alarms_are_stored_beside_the_roster_while_their_reason_lasts() -> None:
    cluster = SimulatedCluster(answering={"h3": "", "h4": ""})
    cluster.tick(seconds=3)
    assert "alarms" not in cluster.stored()
    cluster.tick(silent=("h3", "h4"), seconds=8)
    assert cluster.stored()["alarms"] == "2 hosts are silent but answer on the network: keeping h3, h4"
    written = len(cluster.api.writes)
    cluster.tick(silent=("h3", "h4"), seconds=20)
    assert len(cluster.api.writes) == written
    cluster.answers = frozenset()
    cluster.tick(silent=("h3", "h4"))
    assert cluster.stored()["alarms"] == "2 of 4 hosts send no heartbeat and do not answer: h3, h4"
    before = cluster.api.roster()
    cluster.tick(seconds=8)
    assert cluster.alive() == set(NAMES)
    assert "alarms" not in cluster.stored()
    assert cluster.api.roster().newer_than(before)


def test_a_host_stays_when_its_lease_is_deleted() -> None:
    cluster = SimulatedCluster()
    cluster.tick(seconds=3)
    lost = cluster.renewed.pop("h3")
    cluster.tick(seconds=3)
    assert cluster.alive() == set(NAMES)
    cluster.renewed["h3"] = lost + 1
    cluster.tick(seconds=6)
    assert cluster.alive() == set(NAMES)


def test_a_hostile_report_neither_stops_nor_inflates_the_roster() -> None:
    """Reports are written by agents, whose hosts run the pods of tenants."""
    cluster = SimulatedCluster()
    ports = dict.fromkeys(("²", "9" * 5000, "0", "70000000", "x", *map(str, range(1000, 60000))), "taken")
    hostile = (
        json.dumps({"sections": {"lb": {"ports": ports}}}),
        "[" * 100_000,
        '{"sections":{"lb":' + "[" * 100_000,
        "\ud800",
        "1e999",
    )
    for text in hostile:
        cluster.api.objects[("configmaps", "report-h3")] = {"data": {"report": text}}
        cluster.tick(seconds=7)
        assert cluster.alive() == set(NAMES)
        assert len(cluster.stored()["roster"]) < 2000


def test_a_new_leader_waits_the_whole_limit_before_it_removes_a_host() -> None:
    cluster = SimulatedCluster()
    cluster.tick(seconds=3)
    cluster.tick(silent=("h3",), seconds=5)
    cluster.leadership.epoch = 2
    cluster.tick(silent=("h3",), seconds=5)
    assert cluster.alive() == set(NAMES)
    assert cluster.api.roster().epoch == 2
    cluster.tick(silent=("h3",), seconds=3)
    assert cluster.alive() == {"h1", "h2", "h4"}


@pytest.mark.parametrize("restarted", ["election", "watch"])
def test_a_dead_host_stays_dead_after_an_election_and_after_a_lost_watch(restarted: str) -> None:
    """The measure restarts then, and a renewal seen before it no longer proves anything."""
    cluster = SimulatedCluster()
    cluster.tick(seconds=3)
    cluster.tick(silent=("h3",), seconds=8)
    assert cluster.alive() == {"h1", "h2", "h4"}
    if restarted == "election":
        cluster.leadership.epoch = 2
    else:
        cluster.now += 1.0
        cluster.controller.reconcile(cluster.snapshot(healthy=False))
    for _ in range(10):
        cluster.tick(silent=("h3",))
        assert cluster.alive() == {"h1", "h2", "h4"}
    cluster.tick(seconds=2)
    assert cluster.alive() == set(NAMES)


def test_a_deleted_roster_is_written_again_with_a_number_that_agents_accept() -> None:
    cluster = SimulatedCluster()
    cluster.tick(seconds=3)
    cluster.tick(silent=("h3",), seconds=8)
    before = cluster.api.roster()
    del cluster.api.objects[("configmaps", "roster")]
    cluster.tick(silent=("h3",), seconds=2)
    assert cluster.api.roster().newer_than(before)
    assert cluster.alive() == {"h1", "h2", "h4"}


def test_a_broken_load_balancer_stays_blocked_after_an_election() -> None:
    """Otherwise its Ingresses would move back while the new leader waits to be sure, and away again."""
    cluster = SimulatedCluster()
    cluster.api.objects[("configmaps", "report-h3")] = {
        "data": {"report": json.dumps({"sections": {"lb": {"error": "HAProxy does not start"}}})}
    }
    cluster.tick(seconds=3)
    assert cluster.blocked() == {}
    cluster.tick(seconds=6)
    assert cluster.blocked() == {"h3": (EVERY_PORT, 80)}
    cluster.leadership.epoch = 2
    cluster.controller = cluster.new_controller()
    for _ in range(8):
        cluster.tick()
        assert cluster.blocked() == {"h3": (EVERY_PORT, 80)}
    cluster.api.objects[("configmaps", "report-h3")]["data"]["report"] = "{}"
    cluster.tick()
    assert cluster.blocked() == {}


def test_the_roster_says_which_pod_or_service_has_a_port() -> None:
    cluster = SimulatedCluster()
    used = {"80/tcp": "hostPort of pod a/b", "8080/tcp": "nginx (process 7)"}
    cluster.api.objects[("configmaps", "report-h3")] = {
        "data": {"report": json.dumps({"sections": {"services": {"used": used}, "lb": {"ports": {"8080": "in use"}}}})}
    }
    cluster.service_ports = {"h2": {443: "Service a/s"}}
    cluster.tick(seconds=9)
    assert cluster.blocked() == {"h2": (443,), "h3": (80, 8080)}
    assert cluster.users() == {"h2": {443: "Service a/s"}, "h3": {80: "hostPort of pod a/b"}}
    cluster.leadership.epoch, cluster.service_ports = 2, None
    cluster.controller = cluster.new_controller()
    cluster.tick()
    assert cluster.users()["h2"] == {443: "Service a/s"}, "until this leader knows"
    cluster.service_ports = {}
    cluster.tick()
    assert cluster.users() == {"h3": {80: "hostPort of pod a/b"}}


@pytest.mark.parametrize(
    ("unsynced", "kept"),
    [("ingresses", True), ("networkpolicies", True), ("nodes", False), ("leases", False), ("configmaps", False)],
)
def test_the_roster_waits_only_for_its_own_tables(unsynced: str, kept: bool) -> None:
    cluster = SimulatedCluster()
    tables = dict(cluster.snapshot().tables)
    tables[unsynced] = Table(tables[unsynced].items if unsynced in tables else {}, synced=False)
    cluster.controller.reconcile(Snapshot(tables))
    cluster.host_objects.reconcile(Snapshot(tables))
    assert any("roster" in write for write in cluster.api.writes) == kept


def test_a_standby_writes_nothing() -> None:
    cluster = SimulatedCluster()
    cluster.leadership.leading = False
    cluster.tick(seconds=12)
    assert cluster.api.writes == []
