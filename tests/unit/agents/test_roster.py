"""The roster: hosts enter when proven alive and leave when silent, never all at once."""

from typing import Any

import pytest

from rancherctl.agents.liveness import suspicious
from rancherctl.agents.roster import newly_silent, next_roster
from rancherctl.kube.objects import Meta, Node
from rancherctl.placement.model import Roster


def node(name: str, number: int) -> Node:
    meta = Meta("", name, labels={"rancherctl.io/load-balancer": "true", "disk": "ssd"})
    return Node(meta, (("InternalIP", f"10.77.0.{number}"),), (), True, False)


NODES = {f"h{i}": node(f"h{i}", 10 + i) for i in range(1, 5)}
NONE: frozenset[str] = frozenset()
FIRST: Any = {"silent": NONE, "proven": {"h1"}, "spared": NONE, "epoch": 1}


def roster(alive: set[str]) -> Roster:
    return next_roster(Roster(), NODES, silent=NONE, proven=alive, spared=NONE, epoch=3).roster


def names(r: Roster) -> set[str]:
    return {h.name for h in r.hosts if h.alive}


def test_hosts_enter_when_they_were_seen_to_renew() -> None:
    first = roster({"h1", "h2"})
    assert (names(first), first.epoch, first.sequence) == ({"h1", "h2"}, 3, 1)
    second = next_roster(first, NODES, silent=NONE, proven={"h3"}, spared=NONE, epoch=3).roster
    assert names(second) == {"h1", "h2", "h3"}
    assert second.newer_than(first)


def test_the_roster_stays_the_same_object_without_a_change() -> None:
    first = roster(set(NODES))
    assert next_roster(first, NODES, silent=NONE, proven=set(NODES), spared=NONE, epoch=3).roster is first


def test_a_new_leader_keeps_all_hosts_and_raises_the_epoch() -> None:
    first = roster(set(NODES))
    taken = next_roster(first, NODES, silent=NONE, proven=NONE, spared=NONE, epoch=4).roster
    assert names(taken) == set(NODES)
    assert (taken.epoch, taken.sequence) == (4, first.sequence + 1)


def test_a_leader_with_a_recreated_lease_does_not_write_forever() -> None:
    """The Lease counts leaders: recreated or restored, it starts below the roster's epoch."""
    first = roster(set(NODES))
    assert next_roster(first, NODES, silent=NONE, proven=set(NODES), spared=NONE, epoch=1).roster is first
    lost = next_roster(first, NODES, silent={"h2"}, proven=NONE, spared=NONE, epoch=1).roster
    assert (lost.epoch, lost.sequence) == (first.epoch, first.sequence + 1)


def test_a_silent_host_leaves_unless_it_answers() -> None:
    first = roster(set(NODES))
    assert newly_silent(first, {"h2", "x"}) == {"h2"}
    assert names(next_roster(first, NODES, silent={"h2"}, proven=NONE, spared=NONE, epoch=3).roster) == {
        "h1",
        "h3",
        "h4",
    }
    out = next_roster(first, NODES, silent={"h2", "h3"}, proven=NONE, spared={"h3"}, epoch=3)
    assert names(out.roster) == {"h1", "h3", "h4"}
    assert "h3" in out.alarms[0]


def test_one_deleted_node_leaves_and_all_nodes_at_once_do_not() -> None:
    first = roster(set(NODES))
    three = {k: v for k, v in NODES.items() if k != "h4"}
    assert names(next_roster(first, three, silent=NONE, proven=NONE, spared=NONE, epoch=3).roster) == {"h1", "h2", "h3"}
    out = next_roster(first, {}, silent=NONE, proven=NONE, spared=NONE, epoch=3)
    assert names(out.roster) == set(NODES)
    assert "4 of 4 nodes vanished" in out.alarms[0]
    assert suspicious(4, 4)


def test_the_public_address_is_published() -> None:
    nodes = {"h1": node("h1", 11)}
    assert (
        next_roster(Roster(), nodes, silent=NONE, proven={"h1"}, spared=NONE, epoch=1).roster.hosts[0].address
        == "10.77.0.11"
    )
    meta = Meta("", "h1", annotations={"rancherctl.io/public-address": "104.154.107.202"})
    public = Node(meta, (("InternalIP", "10.77.0.11"), ("ExternalIP", "1.2.3.4")), (), True, False)
    host = next_roster(Roster(), {"h1": public}, silent=NONE, proven={"h1"}, spared=NONE, epoch=1).roster.hosts[0]
    assert (host.address, host.internal, host.lb) == ("104.154.107.202", "10.77.0.11", False)


def test_a_node_without_an_address_is_not_in_the_roster() -> None:
    bare = Node(Meta("", "h9"), (), (), None, False)
    assert next_roster(Roster(), {"h9": bare}, silent=NONE, proven={"h9"}, spared=NONE, epoch=1).roster.hosts == ()


@pytest.mark.parametrize(
    "said",
    [
        "not an address",
        "10.0.0.1\n",
        "fe80::1%eth0",
        "::ffff:10.0.0.1",
        "010.0.0.1 ",
        "Upper.example.org",
        "a" * 254,
        "-x",
    ],
)
def test_an_address_that_no_status_accepts_is_skipped_with_an_alarm(said: str) -> None:
    """One status holds the addresses of several hosts, and the API refuses it as a whole."""
    odd = Node(
        Meta("", "h1", annotations={"rancherctl.io/public-address": said}),
        (("ExternalIP", said), ("InternalIP", "10.77.0.11")),
        (),
        True,
        False,
    )
    out = next_roster(Roster(), {"h1": odd}, silent=NONE, proven={"h1"}, spared=NONE, epoch=1)
    assert out.roster.hosts[0].address == "10.77.0.11"
    assert out.alarms[0].startswith("node h1: public address ")


@pytest.mark.parametrize("said", ["104.154.107.202", "2001:db8::1", "lb1.example.org"])
def test_an_address_that_a_status_accepts_is_published(said: str) -> None:
    node_ = Node(
        Meta("", "h1", annotations={"rancherctl.io/public-address": said}),
        (("InternalIP", "10.77.0.11"),),
        (),
        True,
        False,
    )
    out = next_roster(Roster(), {"h1": node_}, silent=NONE, proven={"h1"}, spared=NONE, epoch=1)
    assert (out.roster.hosts[0].address, out.alarms) == (said, ())


def test_a_node_with_very_many_labels_fits() -> None:
    many = {f"label-{n:06}": "x" * 60 for n in range(20_000)} | {"rancherctl.io/load-balancer": "true"}
    host = next_roster(
        Roster(), {"h1": Node(Meta("", "h1", labels=many), (("InternalIP", "10.77.0.11"),), (), True, False)}, **FIRST
    ).roster.hosts[0]
    assert sum(len(k) + len(v) for k, v in host.labels.items()) <= 32_768
    assert host.lb


def test_the_label_that_excludes_a_node_counts_whatever_its_value() -> None:
    meta = Meta("", "h1", labels={"node.kubernetes.io/exclude-from-external-load-balancers": ""})
    excluded = Node(meta, (("InternalIP", "10.77.0.1"),), (), True, False)
    found = next_roster(Roster(), {"h1": excluded, "h2": NODES["h2"]}, **FIRST).roster
    assert [h.excluded for h in found.hosts] == [True, False]
