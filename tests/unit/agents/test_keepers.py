"""The leader's keepers: who is on the roster, second opinions before a mass loss, and objects that agents may only update."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from rancherctl.agents.config import NAMESPACE
from rancherctl.agents.controllers.roster import ObjectKeeper, RosterKeeper, RosterReader
from rancherctl.agents.fence import Fenced
from rancherctl.agents.leader import LEASE, NotLeaderError
from rancherctl.kube import objects
from rancherctl.kube.client import AlreadyExistsError
from rancherctl.kube.objects import Meta, Node
from rancherctl.kube.snapshot import Snapshot, Table
from rancherctl.placement.model import Roster

NAMES = ("h1", "h2", "h3", "h4")


class Api:
    """Keeps what was written; nothing here knows what should be."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.writes: list[str] = []

    def create(self, resource: Any, body: dict[str, Any], **_: Any) -> dict[str, Any]:
        key = (resource.plural, body["metadata"]["name"])
        if key in self.objects:
            raise AlreadyExistsError(f"{key} exists")
        self.writes.append(f"create {key[0]}/{key[1]}")
        self.objects[key] = copy.deepcopy(body)
        return body

    def replace(self, resource: Any, body: dict[str, Any], **_: Any) -> dict[str, Any]:
        assert body["metadata"]["resourceVersion"], "a roster is never written without a precondition"
        self.writes.append(f"replace {resource.plural}/{body['metadata']['name']}")
        self.objects[(resource.plural, body["metadata"]["name"])] = copy.deepcopy(body)
        return body

    def delete(self, resource: Any, name: str, *, options: Any, **_: Any) -> None:
        assert options["preconditions"].keys() == {"uid", "resourceVersion"}, "nothing is deleted but what was seen"
        self.writes.append(f"delete {resource.plural}/{name}")
        del self.objects[(resource.plural, name)]

    def roster(self) -> Roster:
        return Roster.from_json(self.objects[("configmaps", "roster")]["data"]["roster"])


class Lead:
    def __init__(self) -> None:
        self.leading, self.epoch = True, 1

    def check(self) -> int:
        if not self.leading:
            raise NotLeaderError("no")
        return self.epoch


class World:
    """Time, leases and the API; ``look`` is one run of the keeper with everybody but ``silent`` renewing."""

    def __init__(self, answering: Mapping[str, str] | None = None) -> None:
        self.now, self.api, self.lead = 100.0, Api(), Lead()
        self.renewed = dict.fromkeys(NAMES, 0)
        self.asked: list[set[str]] = []
        self.answers = frozenset(answering or ())
        self.fenced = Fenced(self.api, self.lead.check)  # type: ignore[arg-type]
        self.keeper = self.new_keeper()
        self.objects = ObjectKeeper(self.fenced, self.lead)  # type: ignore[arg-type]

    def new_keeper(self) -> RosterKeeper:
        return RosterKeeper(self.fenced, self.lead, lambda: self.now, answering=self.second_opinion)  # type: ignore[arg-type]

    def second_opinion(self, hosts: Mapping[str, str]) -> frozenset[str]:
        self.asked.append(set(hosts))
        return self.answers & hosts.keys()

    def snapshot(self, nodes: tuple[str, ...] = NAMES, *, healthy: bool = True) -> Snapshot:
        def lease(name: str, renew: str) -> objects.Lease:
            return objects.Lease(Meta(NAMESPACE, name), name, renew)

        leases = {f"{NAMESPACE}/host-{n}": lease(f"host-{n}", str(r)) for n, r in self.renewed.items()}
        leases[f"{NAMESPACE}/{LEASE}"] = lease(LEASE, str(self.now))
        maps = {
            f"{NAMESPACE}/{name}": objects.ConfigMap(Meta(NAMESPACE, name, resource_version="7"), body.get("data", {}))
            for (kind, name), body in self.api.objects.items()
            if kind == "configmaps"
        }
        found = {
            n: Node(
                Meta("", n, labels={"rancherctl.io/load-balancer": "true"}),
                (("InternalIP", f"10.77.0.{n[1]}"),),
                (),
                True,
                False,
            )
            for n in nodes
        }
        tables = {"leases": leases, "configmaps": maps, "nodes": found}
        return Snapshot({k: Table(v, synced=True, healthy=healthy) for k, v in tables.items()})

    def look(self, *, silent: tuple[str, ...] = (), seconds: int = 1, nodes: tuple[str, ...] = NAMES) -> None:
        for _ in range(seconds):
            self.now += 1.0
            self.renewed = {n: r if n in silent else r + 1 for n, r in self.renewed.items()}
            self.keeper.run(self.snapshot(nodes))

    def stored(self) -> dict[str, str]:
        return dict(self.api.objects[("configmaps", "roster")]["data"])

    def blocked(self) -> dict[str, tuple[int, ...]]:
        return {h.name: h.blocked for h in self.api.roster().hosts if h.blocked}

    def alive(self) -> set[str]:
        return {h.name for h in self.api.roster().hosts if h.alive}


def test_a_silent_host_leaves_within_ten_seconds_and_comes_back() -> None:
    world = World()
    world.look(seconds=3)
    assert world.alive() == set(NAMES)
    world.look(silent=("h3",), seconds=8)
    assert world.alive() == {"h1", "h2", "h4"}
    assert world.asked == []
    world.look(seconds=2)
    assert world.alive() == set(NAMES)


def test_losing_half_asks_the_hosts_themselves() -> None:
    world = World(answering={"h3": "", "h4": ""})
    world.look(seconds=3)
    world.look(silent=("h3", "h4"), seconds=8)
    assert {"h3", "h4"} in world.asked
    assert world.alive() == set(NAMES)
    assert any("answer on the network" in alarm for alarm in world.keeper.alarms)


def test_half_that_does_not_answer_is_lost() -> None:
    world = World()
    world.look(seconds=3)
    world.look(silent=("h3", "h4"), seconds=8)
    assert world.alive() == {"h1", "h2"}


def test_what_stops_all_hosts_is_seen_although_they_fall_silent_one_after_the_other() -> None:
    """They renew every two seconds, each at its own moment: an API that refuses agents must not empty the roster host by host."""
    world = World(answering={"h2": "", "h3": "", "h4": ""})
    phases = {"h1": 0.1, "h2": 0.5, "h3": 1.0, "h4": 1.6}
    cut = 110.0
    for tick in range(200):
        world.now = 100.0 + tick / 8
        reached = {n: world.now if n == "h1" else min(world.now, cut) for n in NAMES}
        world.renewed = {n: int((reached[n] - phases[n]) / 2) for n in NAMES}
        world.keeper.run(world.snapshot())
        if tick > 40:
            assert world.alive() == set(NAMES), f"at {world.now}"
    assert {"h2", "h3", "h4"} in world.asked
    world.answers = frozenset()
    world.keeper.run(world.snapshot())
    assert world.alive() == {"h1"}


def test_alarms_stand_beside_the_roster_and_go_with_their_reason() -> None:
    world = World(answering={"h3": "", "h4": ""})
    world.look(seconds=3)
    assert "alarms" not in world.stored()
    world.look(silent=("h3", "h4"), seconds=8)
    assert world.stored()["alarms"] == "2 hosts are silent but answer on the network: keeping h3, h4"
    written = len(world.api.writes)
    world.look(silent=("h3", "h4"), seconds=20)
    assert len(world.api.writes) == written
    world.answers = frozenset()
    world.look(silent=("h3", "h4"))
    assert world.stored()["alarms"] == "2 of 4 hosts give no sign of life and do not answer: h3, h4"
    before = world.api.roster()
    world.look(seconds=8)
    assert world.alive() == set(NAMES)
    assert "alarms" not in world.stored()
    assert world.api.roster().newer_than(before)


def test_a_deleted_lease_takes_no_host_out() -> None:
    world = World()
    world.look(seconds=3)
    lost = world.renewed.pop("h3")
    world.look(seconds=3)
    assert world.alive() == set(NAMES)
    world.renewed["h3"] = lost + 1
    world.look(seconds=6)
    assert world.alive() == set(NAMES)


def test_what_a_hostile_host_reports_freezes_no_roster() -> None:
    """Reports are written by agents, whose hosts run other people's pods."""
    world = World()
    ports = dict.fromkeys(("²", "9" * 5000, "0", "70000000", "x", *map(str, range(1000, 60000))), "taken")
    hostile = (
        json.dumps({"sections": {"lb": {"ports": ports}}}),
        "[" * 100_000,
        '{"sections":{"lb":' + "[" * 100_000,
        "\ud800",
        "1e999",
    )
    for text in hostile:
        world.api.objects[("configmaps", "report-h3")] = {"data": {"report": text}}
        world.look(seconds=7)
        assert world.alive() == set(NAMES)
        assert len(world.stored()["roster"]) < 2000


def test_a_new_leader_keeps_the_roster_for_a_whole_limit() -> None:
    world = World()
    world.look(seconds=3)
    world.look(silent=("h3",), seconds=5)
    world.lead.epoch = 2
    world.look(silent=("h3",), seconds=5)
    assert world.alive() == set(NAMES)
    assert world.api.roster().epoch == 2
    world.look(silent=("h3",), seconds=3)
    assert world.alive() == {"h1", "h2", "h4"}


@pytest.mark.parametrize("restarted", ["election", "watch"])
def test_a_dead_host_stays_dead_over_an_election_and_over_a_lost_watch(restarted: str) -> None:
    """The measure starts anew then; that the host was seen to renew long ago proves nothing any more."""
    world = World()
    world.look(seconds=3)
    world.look(silent=("h3",), seconds=8)
    assert world.alive() == {"h1", "h2", "h4"}
    if restarted == "election":
        world.lead.epoch = 2
    else:
        world.now += 1.0
        world.keeper.run(world.snapshot(healthy=False))
    for _ in range(10):
        world.look(silent=("h3",))
        assert world.alive() == {"h1", "h2", "h4"}
    world.look(seconds=2)
    assert world.alive() == set(NAMES)


def test_a_deleted_roster_is_made_anew_with_a_number_that_agents_accept() -> None:
    world = World()
    world.look(seconds=3)
    world.look(silent=("h3",), seconds=8)
    before = world.api.roster()
    del world.api.objects[("configmaps", "roster")]
    world.look(silent=("h3",), seconds=2)
    assert world.api.roster().newer_than(before)
    assert world.alive() == {"h1", "h2", "h4"}


def test_a_broken_load_balancer_stays_out_over_an_election() -> None:
    """Else everything would be placed there again for as long as a new leader waits to be sure, and then away again."""
    world = World()
    world.api.objects[("configmaps", "report-h3")] = {
        "data": {"report": json.dumps({"sections": {"lb": {"error": "it does not start"}}})}
    }
    world.look(seconds=3)
    assert world.blocked() == {}
    world.look(seconds=6)
    assert world.blocked() == {"h3": (80,)}
    world.lead.epoch = 2
    world.keeper = world.new_keeper()
    for _ in range(8):
        world.look()
        assert world.blocked() == {"h3": (80,)}
    world.api.objects[("configmaps", "report-h3")]["data"]["report"] = "{}"
    world.look()
    assert world.blocked() == {}


@pytest.mark.parametrize(
    ("unsynced", "kept"),
    [("ingresses", True), ("networkpolicies", True), ("nodes", False), ("leases", False), ("configmaps", False)],
)
def test_the_roster_waits_for_its_own_tables_only(unsynced: str, kept: bool) -> None:
    world = World()
    tables = dict(world.snapshot().tables)
    tables[unsynced] = Table(tables[unsynced].items if unsynced in tables else {}, synced=False)
    world.keeper.run(Snapshot(tables))
    world.objects.run(Snapshot(tables))
    assert any("roster" in write for write in world.api.writes) == kept


def test_a_standby_watches_and_writes_nothing() -> None:
    world = World()
    world.lead.leading = False
    world.look(seconds=12)
    assert world.api.writes == []


def test_leases_and_reports_are_made_for_every_node_and_removed_with_it() -> None:
    world = World()
    world.renewed.clear()
    world.objects.run(world.snapshot())
    assert {f"create configmaps/report-{n}" for n in NAMES} | {f"create leases/host-{n}" for n in NAMES} == set(
        world.api.writes
    )
    world.renewed = dict.fromkeys(NAMES, 0)
    world.api.writes.clear()
    world.objects.run(world.snapshot(NAMES[:3]))
    assert world.api.writes == ["delete leases/host-h4", "delete configmaps/report-h4"]


def test_an_object_that_is_going_already_is_not_deleted_again_and_again() -> None:
    world = World()
    world.objects.run(world.snapshot())
    world.renewed = dict.fromkeys(NAMES, 0)
    world.api.writes.clear()
    held = world.snapshot(NAMES[:3])
    for table in ("leases", "configmaps"):
        items = held.table(table).items
        for key in [k for k in items if k.endswith("-h4")]:
            items[key] = replace(items[key], meta=replace(items[key].meta, deleting=True))  # type: ignore[index]
    world.objects.run(held)
    assert world.api.writes == []


def test_an_api_without_nodes_removes_no_report() -> None:
    world = World()
    world.objects.run(world.snapshot())
    world.api.writes.clear()
    world.objects.run(world.snapshot(()))
    assert world.api.writes == []


def test_a_torn_roster_is_made_anew() -> None:
    torn = objects.ConfigMap(Meta(NAMESPACE, "roster"), {"roster": "{"})
    assert RosterReader().read({f"{NAMESPACE}/roster": torn}) == Roster()


def test_a_write_without_the_lead_is_not_sent() -> None:
    world = World()
    world.lead.leading = False
    with pytest.raises(NotLeaderError):
        Fenced(world.api, world.lead.check).create(objects, {"metadata": {"name": "x"}})  # type: ignore[arg-type]
    assert world.api.writes == []
