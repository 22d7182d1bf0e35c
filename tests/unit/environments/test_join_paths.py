"""The check of pod paths before a join: which addresses it uses, and what the packets mean."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from rancherctl.environments.inventory import from_flags
from rancherctl.environments.join_path_plan import (
    Blocked,
    Noted,
    Pool,
    Probed,
    Site,
    judge,
    lines,
    opened,
    opening,
    pool,
    probes,
    reached,
    sites,
)
from rancherctl.hosts.fact_values import AddressFact, RouteFact
from rancherctl.hosts.facts import HostFacts
from rancherctl.hosts.firewall import FilterChain, FirewallFact

ENV = from_flags("demo", ["root@10.0.0.11", "root@10.0.0.12", "root@10.0.1.13"]).environment
NEW = {"h1", "h2"}
SUBNET = IPv4Network("10.0.0.0/24")
ONE = Site("h1", "10.0.0.11", "eth0", SUBNET, "10.42.255.2")
TWO = Site("h2", "10.0.0.12", "eth0", SUBNET, "10.42.255.3")


def facts(address: str, *routes: str) -> HostFacts:
    listed = tuple(RouteFact(route, "", "eth0", "") for route in ("default", *routes))
    return HostFacts(addresses=(AddressFact("eth0", address, 24, 4, "global"),), routes=listed)


FACTS = {host.name: facts(host.address) for host in ENV.hosts}


def test_the_last_range_that_no_host_uses() -> None:
    assert pool(ENV, FACTS) == Pool(IPv4Network("10.42.255.0/24"), "10.42.255.1")
    used = {"h1": facts("10.0.0.11", "10.42.255.0/24", "fd00::/64"), "h2": facts("10.0.0.12", "10.42.254.7")}
    found = pool(ENV, used)
    assert found
    assert found.network == IPv4Network("10.42.253.0/24")


def test_hosts_that_join_and_members_of_their_subnets_take_part() -> None:
    found = pool(ENV, FACTS)
    assert found
    assert [site.host for site in sites(ENV, {"h1"}, FACTS, found)] == ["h1", "h2"]
    assert [site.host for site in sites(ENV, {"h3"}, FACTS, found)] == ["h3"]
    assert sites(ENV, NEW, {}, found) == ()


def test_members_dns_and_an_overlays_pods_are_not_probed() -> None:
    def asked(environment: object, new: set[str]) -> list[str]:
        return [told.what for told, _ in probes(environment, TWO, (ONE, TWO), new)]  # type: ignore[arg-type]

    assert asked(ENV, NEW) == ["to DNS", "to the API", "to pods of h1"]
    assert asked(ENV, {"h1"}) == ["to the API", "to pods of h1"]
    elsewhere = replace(ONE, subnet=IPv4Network("10.0.1.0/24"))
    assert [told.what for told, _ in probes(ENV, TWO, (elsewhere, TWO), NEW)] == ["to DNS"]
    overlay = replace(ENV, network=replace(ENV.network, mode="vxlan"))
    assert asked(overlay, NEW) == ["to DNS"]


def test_a_member_whose_api_does_not_run_is_reached() -> None:
    told = Probed("to the API", "h1", "10.0.0.11", False)
    assert reached(told, "refused", {"h2"})
    assert not reached(told, "refused", {"h1", "h2"})
    assert not reached(told, "timeout", {"h2"})


THERE, BACK = (ONE.own, TWO.own), (TWO.own, ONE.own)
FAILED = {"h1": [Probed("to pods of h2", "h2", TWO.own, False)], "h2": [Probed("to pods of h1", "h1", ONE.own, True)]}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (Noted(), Noted(), Blocked("h1", "firewall", "to pods of h2")),
        (Noted(frozenset({THERE})), Noted(), Blocked("h1", "network", "to pods of h2")),
        (Noted(frozenset({THERE})), Noted(seen=frozenset({THERE})), Blocked("h2", "firewall", "from pods of h1")),
        (
            Noted(frozenset({THERE})),
            Noted(frozenset({BACK}), frozenset({THERE})),
            Blocked("h1", "network", "to pods of h2"),
        ),
        (
            Noted(frozenset({THERE}), frozenset({BACK})),
            Noted(frozenset({BACK}), frozenset({THERE})),
            Blocked("h1", "firewall", "to pods of h2"),
        ),
    ],
)
def test_what_both_devices_noted_tells_the_cause(first: Noted, second: Noted, expected: Blocked) -> None:
    assert judge((ONE, TWO), FAILED, {"h1": first, "h2": second}) == [expected]


def test_a_host_that_did_not_tell_what_it_saw_causes_no_alarm() -> None:
    assert judge((ONE, TWO), FAILED, {"h1": Noted(frozenset({THERE}))}) == []


def test_a_problem_names_the_commands_that_open_the_firewall() -> None:
    closed = FirewallFact("ufw", (FilterChain("ip", "filter", "INPUT", "input"),))
    remedies = opening(ENV, {**FACTS, "h2": replace(FACTS["h2"], firewall=closed)})
    assert list(remedies) == ["h2"]
    blocked = [Blocked("h2", "firewall", "to DNS"), Blocked("h2", "firewall", "from pods of h1")]
    (line,) = lines(blocked, remedies)
    assert line.startswith(
        "h2: its firewall drops packets of pods: to DNS, from pods of h1 "
        "(--open-firewall opens it, or as root there: ufw "
    )
    assert "10.42.0.0/16" in line


def test_firewalls_that_this_apply_opens_are_no_problem() -> None:
    closed = FirewallFact("ufw", (FilterChain("ip", "filter", "INPUT", "input"),))
    found = {**FACTS, "h2": replace(FACTS["h2"], firewall=closed)}
    assert opened(ENV, found) == frozenset()
    opening_it = replace(ENV, network=replace(ENV.network, open_firewall=True))
    assert opened(opening_it, found) == {"h2"}


def test_a_network_that_drops_pods_proposes_the_overlay() -> None:
    (line,) = lines([Blocked("h1", "network", "to pods of h2")], {})
    assert line == (
        "h1: the network between the hosts drops packets with pod addresses: to pods of h2 "
        "(set spec.network.mode: vxlan)"
    )
