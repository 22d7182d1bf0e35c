"""Placement: deterministic, on distinct eligible hosts, and moving only what must move."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rancherctl.placement.model import EVERY_PORT, ObjectProblem, Placeable, PlacementOptions, Roster, RosterHost
from rancherctl.placement.place import explain, place
from tests.fakes import ingress as fake

FIFTY = [f"h{i}" for i in range(1, 51)]


def _object(name: str = "a", wanted: int = 1, **affinity: str) -> Placeable:
    return Placeable(f"default/{name}", PlacementOptions(wanted, tuple(affinity.items())), ports=(80,))


def _placed(hosts: Roster, count: int = 300) -> dict[str, tuple[str, ...]]:
    objects = [_object(f"i{n}", 2) for n in range(count)]
    return {p.key: place(p, hosts).hosts for p in objects}


def test_losing_one_host_of_fifty_moves_only_its_objects() -> None:
    before, after = _placed(fake.roster(*FIFTY)), _placed(fake.roster(*FIFTY, dead=["h7"]))
    assert any("h7" in hosts for hosts in before.values())
    for key, hosts in before.items():
        if "h7" in hosts:
            assert len(after[key]) == 2
            assert set(hosts) - {"h7"} < set(after[key])
        else:
            assert after[key] == hosts


def test_placements_spread_over_all_hosts() -> None:
    counts = dict.fromkeys(FIFTY, 0)
    for hosts in _placed(fake.roster(*FIFTY), 1000).values():
        for host in hosts:
            counts[host] += 1
    assert min(counts.values()) >= 15
    assert max(counts.values()) <= 75


def test_placements_are_those_of_earlier_releases() -> None:
    """Hosts of two releases must agree during an upgrade: the scores are part of the contract."""
    assert place(Placeable("shop/front", PlacementOptions(2)), fake.roster("h1", "h2", "h3", "h4")).hosts == (
        "h1",
        "h3",
    )


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 12), st.text("abc", min_size=1, max_size=8))
def test_another_scale_only_adds_or_removes_hosts(hosts: int, small: int, large: int, name: str) -> None:
    small, large = sorted((small, large))
    roster = fake.roster(*FIFTY[:hosts])
    few, many = (place(_object(name, n), roster) for n in (small, large))
    assert set(few.hosts) <= set(many.hosts)
    assert len(few.hosts) == min(small, hosts) == few.target
    assert list(few.hosts) == sorted(set(few.hosts))


def test_the_order_of_the_roster_does_not_matter() -> None:
    roster = fake.roster(*FIFTY)
    assert _placed(roster, 50) == _placed(replace(roster, hosts=roster.hosts[::-1]), 50)


def test_labels_and_blocked_ports_decide_which_hosts_are_eligible() -> None:
    hosts = tuple(
        replace(h, labels={"zone": "a"} if i % 2 else {})
        for i, h in enumerate(fake.roster("h1", "h2", "h3", "h4").hosts)
    )
    everywhere = place(_object(wanted=0, zone="a"), Roster(1, 1, hosts))
    assert everywhere.hosts == ("h2", "h4")
    blocked = Roster(1, 1, (hosts[0], replace(hosts[1], blocked=(80,)), hosts[2], hosts[3]))
    assert place(_object(zone="a"), blocked).hosts == ("h4",)
    assert any("another program, a pod or a Service uses the port" in c.excluded for c in explain(_object(), blocked))
    other_port = replace(_object(wanted=0, zone="a"), ports=(443,))
    assert place(other_port, blocked).hosts == ("h2", "h4"), "a blocked port concerns only what needs that port"


def test_the_pod_or_service_that_took_a_port_is_named() -> None:
    hosts = fake.roster("h1", "h2", "h3", "h4").hosts
    best = place(_object(), Roster(1, 1, hosts)).hosts[0]
    for words in ("hostPort of pod default/web-1", "Service default/web"):
        taken = Roster(
            1, 1, tuple(replace(h, blocked=(80,), users={80: words}) if h.name == best else h for h in hosts)
        )
        found = place(_object(), taken)
        assert found.hosts[0] != best
        message = f"not placed on {best}: port 80 is used by {words}"
        assert found.problems == (ObjectProblem("PortTaken", message, serious=False),)
        assert place(replace(_object(), ports=(443,)), taken).problems == ()
        assert [c.excluded for c in explain(_object(), taken) if c.host == best] == [f"port 80 is used by {words}"]
    elsewhere = next(h.name for h in hosts if h.name not in (best, *found.hosts))
    other = Roster(
        1, 1, tuple(replace(h, blocked=(80,), users={80: words}) if h.name == elsewhere else h for h in hosts)
    )
    assert place(_object(), other).problems == (), "it would not be there anyway"


def test_without_any_host_the_message_names_who_has_the_port() -> None:
    hosts = fake.roster("h1", "h2").hosts
    users = ("Service default/web", "hostPort of pod a/b")
    taken = Roster(1, 1, tuple(replace(h, blocked=(80,), users={80: u}) for h, u in zip(hosts, users, strict=True)))
    (problem,) = place(_object(), taken).problems
    named = "1 port 80 is used by Service default/web, 1 port 80 is used by hostPort of pod a/b"
    assert problem.message == f"no eligible host among 2 hosts: {named}"
    failed = Roster(1, 1, (replace(hosts[0], blocked=(EVERY_PORT, 80), users={80: users[0]}),))
    assert "its load balancer is not running" in place(_object(), failed).problems[0].message


def test_more_instances_than_hosts_are_placed_on_all_of_them_with_a_note() -> None:
    found = place(_object(wanted=99), fake.roster("h1", "h2"))
    assert found.hosts == ("h1", "h2")
    (problem,) = found.problems
    assert problem.message == "99 instances requested, 2 eligible hosts; placed on all of them"
    assert not problem.serious


def test_without_eligible_hosts_the_problem_lists_the_reasons() -> None:
    hosts = (RosterHost("h1", "192.0.2.1", lb=False), RosterHost("h2", "192.0.2.2", alive=False), RosterHost("h3", ""))
    found = place(_object(), Roster(1, 1, hosts))
    assert found.hosts == ()
    assert found.problems[0].reason == "NoHosts"
    for why in ("1 not a load-balancer host", "1 not alive", "1 has no address to publish"):
        assert why in found.problems[0].message


def test_an_object_with_an_obstacle_is_placed_on_no_host() -> None:
    p = replace(_object(), obstacle="its annotation is invalid")
    assert place(p, fake.roster("h1", "h2")).hosts == ()
    assert {c.excluded for c in explain(p, fake.roster("h1", "h2"))} == {"its annotation is invalid"}


def test_explain_agrees_with_place() -> None:
    p = _object(wanted=2)
    roster = fake.roster("h1", "h2", "h3", "h4", dead=["h2"])
    candidates = explain(p, roster)
    assert tuple(sorted(c.host for c in candidates if c.chosen)) == place(p, roster).hosts
    assert next(c for c in candidates if c.host == "h2").excluded == "not alive"


def test_a_host_with_the_label_that_excludes_it_gets_nothing() -> None:
    hosts = fake.roster("h1", "h2").hosts
    roster = Roster(1, 1, (replace(hosts[0], excluded=True), hosts[1]))
    found = place(_object(wanted=2), roster)
    assert found.hosts == ("h2",)
    assert [p.reason for p in found.problems] == ["TooFewHosts"]
    assert {c.host: c.excluded for c in explain(_object(), roster)} == {
        "h1": "excluded by the Node label node.kubernetes.io/exclude-from-external-load-balancers",
        "h2": "",
    }
    none = place(_object(), Roster(1, 1, (roster.hosts[0],)))
    assert none.problems[0].message.startswith("no eligible host among 1 host: 1 excluded by the Node label")
