"""What a host goes on to serve after its address has left a status, and the rules for it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rancherctl.contract import MOVING_KEY, ROSTER_KEY
from rancherctl.hosts.command import Command, Result
from rancherctl.hosts.local import LocalTransport
from rancherctl.kube import objects
from rancherctl.kube.snapshot import Snapshot, Table
from rancherctl.placement.model import Roster, RosterHost
from rancherctl.services import moving
from rancherctl.services.draining import SHORT, Draining, draining
from rancherctl.services.host_rules import HostRules, Served
from rancherctl.services.host_table import forwards
from rancherctl.services.model import Port, ports_of, programmed_digest
from tests.fakes import services as fake

HOST = RosterHost("h1", "10.0.0.1")
LEAVING = replace(HOST, excluded=True, draining=60)
PUBLISHED = fake.published("10.0.0.1")


def step(
    before: Draining, now: float, *services: objects.Service, host: RosterHost = HOST, used: Iterable[Port] = ()
) -> Draining:
    return draining({s.meta.key: s for s in services}, ("10.0.0.1",), host, frozenset(used), before, now)


def test_a_drained_host_has_rules_before_its_address_leaves_and_keeps_them_for_the_time_of_dns() -> None:
    here, away = fake.service("a", status=PUBLISHED), fake.service("a")
    assert not step(Draining(), 0.0, here).keys, "kube-proxy alone"
    marked = step(Draining(), 1.0, here, host=LEAVING)
    assert marked.keys == {"default/a"}
    left = step(marked, 5.0, away, host=LEAVING)
    assert left.keys == {"default/a"}
    assert left.wake == 60.0
    assert step(left, 64.9, away, host=LEAVING).keys
    assert not step(left, 65.0, away, host=LEAVING).keys
    assert step(left, 70.0, here).keys == set(), "published again, and not drained"


def test_any_address_that_leaves_is_served_for_a_short_time() -> None:
    left = step(step(Draining(), 0.0, fake.service("a", status=PUBLISHED)), 1.0, fake.service("a"))
    assert left.keys == {"default/a"}
    assert not step(left, 1.0 + SHORT, fake.service("a")).keys


def test_what_was_deleted_or_is_no_longer_ours_or_has_lost_its_port_is_not_served() -> None:
    before = step(Draining(), 0.0, fake.service("a", status=PUBLISHED))
    assert not step(before, 0.1).keys
    for changed in (fake.service("a", type="ClusterIP"), fake.service("a", loadBalancerClass="example.org/lb")):
        assert not step(before, 0.1, changed).keys
    assert not step(before, 0.1, fake.service("a"), used=[("tcp", 5432)]).keys
    successor = fake.service("b", status=PUBLISHED)
    assert step(before, 0.1, fake.service("a"), successor).keys == set()
    assert step(before, 0.1, fake.service("a"), used=[("udp", 5432)]).keys == {"default/a"}


def test_an_address_that_kube_proxy_does_not_have_yet_is_served() -> None:
    """Clients use it as soon as the status has it; what was never asked is not known to be missing."""
    here = fake.service("a", status=PUBLISHED)
    every = {here.meta.key: here}
    for had, used, expected in (
        (None, (), set()),
        ((), (), {"default/a"}),
        (("default/a",), (), set()),
        ((), (("tcp", 5432),), set()),
    ):
        found = draining(every, ("10.0.0.1",), HOST, used, Draining(), 0.0, had)
        assert (found.arriving, found.keys) == (expected, set())


def part(
    name: str, *endpoints: dict[str, Any], port: str = "", family: str = "IPv4", protocol: str = "TCP"
) -> objects.EndpointSlice:
    return objects.endpoint_slice(
        {
            "metadata": {"name": name, "namespace": "default", "labels": {"kubernetes.io/service-name": "a"}},
            "addressType": family,
            "ports": [{"name": port, "protocol": protocol, "port": 8080}],
            "endpoints": list(endpoints),
        }
    )


def endpoint(address: str, node: str, **conditions: bool) -> dict[str, Any]:
    return {"addresses": [address], "nodeName": node, "conditions": {"ready": True, **conditions}}


def test_endpoints_are_those_that_kube_proxy_uses() -> None:
    ending = {"ready": False, "serving": True, "terminating": True}
    slices = [
        part("1", endpoint("10.42.0.5", "h1", **ending), endpoint("10.42.1.5", "h2")),
        part("2", endpoint("fd00::1", "h1"), family="IPv6"),
        part("3", endpoint("10.42.0.9", "h1"), port="other"),
    ]
    (rule,) = forwards(fake.service("a"), slices, ["10.0.0.1"], "h1")
    assert (rule.endpoints, rule.keep_client, rule.affinity, rule.sources) == (("10.42.1.5:8080",), False, False, ())
    (local,) = forwards(fake.service("a", externalTrafficPolicy="Local"), slices, ["10.0.0.1"], "h1")
    assert (local.endpoints, local.keep_client) == (("10.42.0.5:8080",), True)
    assert not forwards(fake.service("a", externalTrafficPolicy="Local"), slices, ["10.0.0.3"], "h3")
    ranges = ["10.0.0.0/8", " 10.1.0.0/16", "192.0.2.0/24", "fd00::/8"]
    (ranged,) = forwards(
        fake.service("a", loadBalancerSourceRanges=ranges, sessionAffinity="ClientIP"), slices, ["10.0.0.1"], "h1"
    )
    assert (ranged.sources, ranged.affinity) == (("10.0.0.0/8", "192.0.2.0/24"), True)
    only_six = fake.service("a", loadBalancerSourceRanges=["fd00::/8"])
    assert not forwards(only_six, slices, ["10.0.0.1"], "h1"), "no client is allowed, not every one"


class Tools(LocalTransport):
    """nft and ip of a host whose device eth0 has these addresses."""

    def __init__(self, *addresses: str) -> None:
        super().__init__("h1")
        self.addresses, self.table, self.loads = addresses, "", 0
        self.forgotten: list[str] = []

    def run(self, command: Command, *, check: bool = True) -> Result:
        if command.argv[0] == "ip":
            info = [{"ifname": "eth0", "addr_info": [{"local": a, "prefixlen": 24} for a in self.addresses]}]
            return Result(command, 0, json.dumps(info).encode(), b"")
        if command.argv[0] == "conntrack":
            self.forgotten.append(str(command.argv[-3]))
            return Result(command, 1, b"", b"0 flow entries have been deleted")
        if "-f" in command.argv:
            assert command.stdin is not None
            text = command.stdin.decode()
            self.table = text.partition("\n")[2].partition("\n")[2]
            self.loads += 1
            return Result(command, 0, b"", b"")
        return Result(command, 0 if self.table else 1, self.table.encode(), b"")


def snapshot(
    *services: objects.Service, host: RosterHost = HOST, synced: bool = True, asked: Iterable[str] = ()
) -> Snapshot:
    data = {"roster": Roster(1, 1, (host,)).to_json(), MOVING_KEY: moving.to_json((key, "h1") for key in asked)}
    stored = {"metadata": {"name": "roster", "namespace": "x"}, "data": data}
    tables: dict[str, Mapping[str, Any]] = {
        "services": {s.meta.key: s for s in services},
        "endpointslices": {"default/1": part("1", endpoint("10.42.1.5", "h2"))},
        "roster": {ROSTER_KEY: objects.config_map(stored)},
    }
    return Snapshot({name: Table(items, synced=synced) for name, items in tables.items()})


def test_the_table_exists_only_while_something_needs_it() -> None:
    tools = Tools("10.0.0.1")
    rules = HostRules("h1", ("10.0.0.1",), tools)
    here = fake.service("a", status=PUBLISHED)
    assert rules.ensure(snapshot(here), (), 0.0) == Served()
    assert tools.loads == 0
    assert rules.ensure(snapshot(here), (), 0.1, ()) == Served(), "it is arriving, and does not leave"
    assert "dnat ip to 10.42.1.5:8080" in tools.table
    assert rules.ensure(snapshot(here), (), 0.2, ["default/a"]) == Served()
    assert tools.table, "another watch may be late"
    assert rules.wake is not None
    assert rules.wake < SHORT
    assert rules.ensure(snapshot(here), (), 0.1 + SHORT, ["default/a"]) == Served()
    assert tools.table == ""
    tools.loads = 0
    digest = programmed_digest("10.0.0.1", ports_of(here))
    kept = Served({"default/a": digest})
    assert rules.ensure(snapshot(here, host=LEAVING), (), 4.0) == kept
    assert "dnat ip to 10.42.1.5:8080" in tools.table
    away = snapshot(fake.service("a"), host=LEAVING)
    assert rules.ensure(away, (), 5.0) == kept
    assert tools.loads == 1
    assert rules.wake == 60.0
    assert rules.ensure(snapshot(synced=False), (), 6.0) == kept, "unknown: nothing changes"
    assert tools.table
    assert rules.ensure(away, (), 65.0) == Served()
    assert tools.table == ""


def test_rules_that_the_leader_asks_for_are_loaded_before_the_address_is_published() -> None:
    tools = Tools("10.0.0.1")
    rules = HostRules("h1", ("10.0.0.1",), tools)
    new = fake.service("a")
    digests = {"default/a": programmed_digest("10.0.0.1", ports_of(new))}
    assert rules.ensure(snapshot(new, asked=["default/b"]), (), 0.0) == Served(), "a Service that does not exist"
    assert rules.ensure(snapshot(new, asked=["default/a"]), (), 0.1, ()) == Served({}, digests)
    assert "ip daddr 10.0.0.1 tcp dport 5432" in tools.table
    assert rules.ensure(snapshot(new, asked=["default/a"]), [("tcp", 5432)], 0.2, ()) == Served()
    assert tools.table == "", "a program has the port"
    assert rules.ensure(snapshot(new), (), 0.3, ()) == Served(), "it has not been published, so no client has it"
    assert tools.table == ""


def test_flows_of_udp_clients_from_before_are_forgotten_once() -> None:
    """Case 77: also of clients that send all the time."""
    tools = Tools("10.0.0.1")
    rules = HostRules("h1", ("10.0.0.1",), tools)
    new = fake.service("a", ("udp", 53), ("tcp", 53))
    udp = part("u", endpoint("10.42.1.5", "h2"), protocol="UDP")
    state = snapshot(new, asked=["default/a"])
    slices = {"endpointslices": Table({"default/u": udp}, synced=True)}
    for _ in range(2):
        rules.ensure(Snapshot({**state.tables, **slices}), (), 0.1, ())
    assert "udp dport 53" in tools.table
    assert tools.forgotten == ["53"]


def test_a_port_that_another_service_has_or_had_a_moment_ago_is_not_prepared() -> None:
    """Its clients would reach the wrong Service."""
    old, new = fake.service("old", status=PUBLISHED), fake.service("new")
    asked = ["default/new"]

    def prepared(before: Draining, now: float, *services: objects.Service) -> Draining:
        every = {s.meta.key: s for s in services}
        return draining(every, ("10.0.0.1",), HOST, (), before, now, ["default/old"], asked)

    both = prepared(Draining(), 0.0, old, new)
    assert both.rules == set()
    left = prepared(both, 1.0, fake.service("old"), new)
    assert left.rules == {"default/old"}
    free = prepared(left, 1.0 + SHORT, fake.service("old"), new)
    assert free.rules == free.prepared == {"default/new"}
    assert prepared(both, 1.0, new).prepared == {"default/new"}, "the other one was deleted"


def test_an_agent_that_restarts_during_a_drain_serves_what_has_left_before(tmp_path: Path) -> None:
    file, tools = tmp_path / "services.json", Tools("10.0.0.1")
    here, away = snapshot(fake.service("a", status=PUBLISHED), host=LEAVING), snapshot(fake.service("a"), host=LEAVING)
    first = HostRules("h1", ("10.0.0.1",), tools, file)
    kept = first.ensure(here, (), 100.0)
    assert first.ensure(away, (), 110.0) == kept
    second = HostRules("h1", ("10.0.0.1",), tools, file)
    assert second.ensure(snapshot(synced=False), (), 120.0) == kept, "nothing is listed yet, and it serves all the same"
    assert second.ensure(away, (), 130.0) == kept
    assert "dnat ip to 10.42.1.5:8080" in tools.table
    assert second.wake == 40.0, "not a new wait"
    assert second.ensure(away, (), 170.0) == Served()
    assert tools.table == ""


def test_an_address_that_leaves_while_no_agent_runs_is_served_too(tmp_path: Path) -> None:
    file, tools = tmp_path / "services.json", Tools("10.0.0.1")
    here, away = snapshot(fake.service("a", status=PUBLISHED), host=LEAVING), snapshot(fake.service("a"), host=LEAVING)
    HostRules("h1", ("10.0.0.1",), tools, file).ensure(here, (), 100.0)
    later = HostRules("h1", ("10.0.0.1",), tools, file)
    assert later.ensure(away, (), 110.0).draining
    assert later.wake == 60.0


@pytest.mark.parametrize("damage", ["", "half {", "[]", '{"published": 5, "since": {}, "draining": {}}'])
def test_a_damaged_memory_is_none(tmp_path: Path, damage: str) -> None:
    file, tools = tmp_path / "services.json", Tools("10.0.0.1")
    file.write_text(damage)
    rules = HostRules("h1", ("10.0.0.1",), tools, file)
    assert rules.ensure(snapshot(fake.service("a"), host=LEAVING), (), 1.0) == Served()
    assert json.loads(file.read_text())["published"] == []


def test_a_public_address_on_no_interface_is_rewritten() -> None:
    """Case 70."""
    public = replace(HOST, address="203.0.113.7")
    here = fake.service("a", ("tcp", 80), ("udp", 53), status=fake.published("203.0.113.7"))
    tools = Tools("10.0.0.1")
    HostRules("h1", ("203.0.113.7", "10.0.0.1"), tools).ensure(snapshot(here, host=public), (), 0.0)
    assert "elements = { tcp . 80, udp . 53 }" in tools.table
    assert 'iifname "eth0" ip daddr 10.0.0.1 meta l4proto . th dport @rewritten ip daddr set 203.0.113.7' in tools.table
    own = Tools("10.0.0.1", "203.0.113.7")
    HostRules("h1", ("203.0.113.7", "10.0.0.1"), own).ensure(snapshot(here, host=public), (), 0.0)
    assert own.table == ""
