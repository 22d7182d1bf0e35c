"""Placement: deterministic, on distinct able hosts, and moving only what must move."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancherctl.ingress import placement
from rancherctl.ingress.model import Roster, RosterHost
from rancherctl.ingress.translate.rules import translate
from tests.fakes import ingress as fake

RULES = [("foo.com", "Prefix", "/", "web:80")]
FIFTY = [f"h{i}" for i in range(1, 51)]


def _placed(hosts: Roster, count: int = 300, **annotations: str) -> dict[str, tuple[str, ...]]:
    ingresses = [fake.ingress(f"i{n}", RULES, annotations={"scale": "2"} | annotations) for n in range(count)]
    return {i.meta.key: placement.place(translate(i), hosts).hosts for i in ingresses}


def test_one_lost_host_of_fifty_moves_only_its_own_placements() -> None:
    before, after = _placed(fake.roster(*FIFTY)), _placed(fake.roster(*FIFTY, dead=["h7"]))
    assert any("h7" in hosts for hosts in before.values())
    for key, hosts in before.items():
        if "h7" in hosts:
            assert len(after[key]) == 2
            assert set(hosts) - {"h7"} < set(after[key])
        else:
            assert after[key] == hosts


def test_placements_spread_evenly_enough() -> None:
    counts = dict.fromkeys(FIFTY, 0)
    for hosts in _placed(fake.roster(*FIFTY), 1000).values():
        for host in hosts:
            counts[host] += 1
    assert min(counts.values()) >= 15
    assert max(counts.values()) <= 75


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 12), st.text("abc", min_size=1, max_size=8))
def test_another_scale_only_adds_or_removes(hosts: int, small: int, large: int, name: str) -> None:
    small, large = sorted((small, large))
    roster = fake.roster(*FIFTY[:hosts])
    few, many = (
        placement.place(translate(fake.ingress(name, RULES, annotations={"scale": str(n)})), roster)
        for n in (small, large)
    )
    assert set(few.hosts) <= set(many.hosts)
    assert len(few.hosts) == min(small, hosts) == few.target
    assert list(few.hosts) == sorted(set(few.hosts))


def test_order_of_the_roster_does_not_matter() -> None:
    roster = fake.roster(*FIFTY)
    assert _placed(roster, 50) == _placed(replace(roster, hosts=roster.hosts[::-1]), 50)


def test_affinity_global_and_blocked_ports_decide_who_is_able() -> None:
    hosts = tuple(
        replace(h, labels={"zone": "a"} if i % 2 else {})
        for i, h in enumerate(fake.roster("h1", "h2", "h3", "h4").hosts)
    )
    roster = Roster(1, 1, hosts)
    labelled = {"io.rancher.scheduler.affinity.host_label": "zone=a"}
    everywhere = placement.place(
        translate(fake.ingress("a", RULES, annotations=labelled | {"io.rancher.scheduler.global": "true"})), roster
    )
    assert everywhere.hosts == ("h2", "h4")
    blocked = Roster(1, 1, (hosts[0], replace(hosts[1], blocked=(80,)), hosts[2], hosts[3]))
    assert placement.place(translate(fake.ingress("a", RULES, annotations=labelled)), blocked).hosts == ("h4",)


def test_more_than_there_are_gives_all_and_says_so() -> None:
    found = placement.place(translate(fake.ingress("a", RULES, annotations={"scale": "99"})), fake.roster("h1", "h2"))
    assert found.hosts == ("h1", "h2")
    assert found.problems[0].message == "99 instances are wanted, 2 hosts can carry it; it is on all of them"


def test_nobody_able_says_why() -> None:
    hosts = (RosterHost("h1", "192.0.2.1", lb=False), RosterHost("h2", "192.0.2.2", alive=False), RosterHost("h3", ""))
    found = placement.place(translate(fake.ingress("a", RULES)), Roster(1, 1, hosts))
    assert found.hosts == ()
    assert found.problems[0].reason == "NoHosts"
    for why in ("1 not a load-balancer host", "1 not alive", "1 has no address to publish"):
        assert why in found.problems[0].message


def test_explain_agrees_with_place() -> None:
    t = translate(fake.ingress("a", RULES, annotations={"scale": "2"}))
    roster = fake.roster("h1", "h2", "h3", "h4", dead=["h2"])
    candidates = placement.explain(t, roster)
    assert tuple(sorted(c.host for c in candidates if c.chosen)) == placement.place(t, roster).hosts
    assert next(c for c in candidates if c.host == "h2").excluded == "not alive"


def test_roster_round_trip() -> None:
    roster = Roster(
        3,
        9,
        (
            RosterHost("h1", "192.0.2.1", "10.0.0.1", {"b": "1", "a": "2"}, blocked=(80,)),
            RosterHost("h2", "x", alive=False, lb=False),
        ),
    )
    assert Roster.from_json(roster.to_json()) == roster
    assert Roster(2, 100).newer_than(roster) is False
    assert Roster(3, 9).newer_than(roster) is True


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"hosts": [{}]}',
        '{"hosts": [1]}',
        '{"hosts": [{"name": "a", "address": "b", "blocked": ["x"]}]}',
    ],
)
def test_what_is_no_roster_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Roster.from_json(text)
