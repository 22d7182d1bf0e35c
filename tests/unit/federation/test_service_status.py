"""Shards of a Service in its members, and the status that the federated Service gets."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rancherctl.federation.conditions import DNS, Condition
from rancherctl.federation.model import Lookup, Place
from rancherctl.federation.plan import CopyState, State
from rancherctl.federation.shards import Member, shard
from rancherctl.federation.status import (
    MAX_STATUS,
    DnsPart,
    MemberLine,
    differs,
    last_known,
    service_status,
    status_body,
)
from rancherctl.federation.topology import NodePlace, dns_label, node_place, refusal, topology
from rancherctl.kube.objects import Meta
from tests.fakes.federation import annotated, copy_of, member, service_json, source_of

WEB = source_of(service_json())
IN_SYNC = CopyState(State.IN_SYNC)


def in_sync(which: Member) -> Member:
    return replace(which, view=replace(which.view, states={WEB.id: IN_SYNC}))


def line(name: str, *addresses: str, state: CopyState = IN_SYNC) -> MemberLine:
    found = shard(WEB, in_sync(member(name, copy_of(WEB, addresses=addresses))), None)
    return MemberLine(name, state, found)


def test_a_shard_has_the_addresses_that_the_member_may_publish_with_their_places() -> None:
    places = topology(
        "",
        (),
        {},
        [
            NodePlace(Meta("", "n1"), ("203.0.113.7",), "EU", "eu_a"),
            NodePlace(Meta("", "n2"), ("203.0.113.8",), "EU", "eu_b"),
        ],
    )
    which = in_sync(
        member("m1", copy_of(WEB, addresses=("203.0.113.8", "203.0.113.7", "192.0.2.1", "127.0.0.1")), topology=places)
    )
    found = shard(WEB, which, None)
    assert found is not None
    assert [(a.address, a.place) for a in found.addresses] == [
        ("203.0.113.7", Place("eu", "eu-a")),
        ("203.0.113.8", Place("eu", "eu-b")),
    ]
    assert found.addresses[0].ports == (80,)
    assert found.refused == {"192.0.2.1": "not in spec.addresses of the Cluster", "127.0.0.1": "a loopback address"}


def test_a_member_that_was_never_seen_is_as_the_status_said_last() -> None:
    """k/k PR#39328: what members had was lost when Federation v1's controller was restarted while one was away."""
    status = service_status(WEB, [line("m1", "203.0.113.7")], (), DnsPart())
    unseen = Member("m1")
    found = shard(WEB, unseen, last_known(status.annotation)["m1"])
    assert found is not None
    assert [a.address for a in found.addresses] == ["203.0.113.7"]
    assert (found.in_sync, found.ready, found.api_reachable) == (True, None, False)
    assert shard(WEB, unseen, None) is None


LB = "lb.example.org"


@pytest.mark.parametrize(
    ("known", "last", "published", "refused"),
    [
        ({LB: Lookup(("203.0.113.7", "203.0.113.8"))}, (), ["203.0.113.7", "203.0.113.8"], {}),
        ({LB: Lookup(("192.0.2.1",))}, (), [], {"192.0.2.1": f"an address of {LB}, and not in spec.addresses"}),
        ({LB: Lookup(("127.0.0.1",))}, (), [], {"127.0.0.1": f"an address of {LB}, and a loopback address"}),
        ({LB: Lookup(("203.0.113.7",), "not resolved: …")}, (), ["203.0.113.7"], {LB: "not resolved: …"}),
        ({LB: Lookup((), "without an address: …")}, (), [], {LB: "without an address: …"}),
        ({}, (), [], {}),
        ({}, ("203.0.113.9",), ["203.0.113.9"], {}),
        ({LB: Lookup((), "not resolved: …")}, ("203.0.113.9",), ["203.0.113.9"], {LB: "not resolved: …"}),
        ({}, ("192.0.2.1",), [], {"192.0.2.1": f"an address of {LB}, and not in spec.addresses"}),
    ],
    ids=[
        "resolved",
        "outside",
        "loopback",
        "kept by the resolver",
        "no address",
        "not looked up yet",
        "not looked up since a restart",
        "not resolved since a restart",
        "last known, but outside",
    ],
)
def test_a_host_name_of_a_load_balancer_is_published_as_its_addresses(
    known: dict[str, Lookup], last: tuple[str, ...], published: list[str], refused: dict[str, str]
) -> None:
    """F21. Absence never deletes: what the status said stays until there is an answer.

    karmada#6248: names and addresses were mixed in statuses.
    """
    which = replace(in_sync(member("m1", copy_of(WEB, addresses=(LB,)))), hosts=known)
    found = shard(WEB, which, {"addresses": list(last)} if last else None)
    assert found is not None
    assert [a.address for a in found.addresses] == published
    assert found.refused.keys() == refused.keys()
    assert all(found.refused[key].startswith(why) for key, why in refused.items())
    status = service_status(WEB, [MemberLine("m1", IN_SYNC, found)], (), DnsPart())
    assert status.addresses == tuple(published)


def test_addresses_and_host_names_are_published_side_by_side_once() -> None:
    copy = copy_of(WEB, addresses=("203.0.113.7", LB))
    assert (copy.addresses, copy.host_names) == (("203.0.113.7",), (LB,))
    which = replace(in_sync(member("m1", copy)), hosts={LB: Lookup(("203.0.113.7", "203.0.113.6"))})
    found = shard(WEB, which, None)
    assert found is not None
    assert [a.address for a in found.addresses] == ["203.0.113.6", "203.0.113.7"]


@pytest.mark.parametrize(
    ("text", "label"),
    [("EU_West.1", "eu-west-1"), ("eu-a", "eu-a"), ("__", None), ("a" * 64, None), ("Zürich", "z-rich")],
)
def test_regions_and_zones_become_dns_labels(text: str, label: str | None) -> None:
    assert dns_label(text) == label


def test_the_place_of_a_member_is_said_or_counted() -> None:
    nodes = [
        node_place(
            {
                "metadata": {
                    "name": f"n{i}",
                    "labels": {"topology.kubernetes.io/region": "eu", "topology.kubernetes.io/zone": zone},
                },
                "status": {"addresses": [{"type": "InternalIP", "address": f"10.0.0.{i}"}]},
            }
        )
        for i, zone in enumerate(("b", "a", "a"))
    ]
    assert topology("", (), {}, nodes).place == Place("eu", "a")
    assert topology("", (), {}, nodes).zones == ("a", "b")
    assert topology("us", ("z",), {}, nodes).place == Place("us", "z")
    assert topology("", (), {"topology.kubernetes.io/region": "asia"}, ()).place == Place("asia", None)
    assert topology("__", (), {}, ()).problems == ("the region '__' has no form that DNS allows",)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("203.0.113.9", ""),
        ("2001:db8::1", "not in spec.addresses of the Cluster"),
        ("0.0.0.0", "the unspecified address"),
        ("224.0.0.1", "a multicast address"),
        ("169.254.1.1", "a link-local address"),
        ("::ffff:203.0.113.9", "an IPv4 address in IPv6 form"),
        ("lb.example", "not an IP address"),
    ],
)
def test_addresses_that_a_member_may_not_publish_are_refused(address: str, why: str) -> None:
    assert refusal(address, ("203.0.113.0/24",)) == why


def test_the_union_is_sorted_unique_and_without_dead_addresses() -> None:
    lines = [line("b", "203.0.113.20", "203.0.113.3"), line("a", "203.0.113.3")]
    status = service_status(WEB, lines, {"203.0.113.20"}, DnsPart())
    assert status.addresses == ("203.0.113.3",)
    assert service_status(WEB, lines, (), DnsPart()).addresses == ("203.0.113.3", "203.0.113.20")
    plain = source_of(service_json(type="ClusterIP"))
    assert service_status(plain, lines, (), DnsPart()).addresses == ()


def test_the_last_addresses_stay_when_all_are_dead() -> None:
    status = service_status(WEB, [line("a", "203.0.113.3")], {"203.0.113.3"}, DnsPart())
    assert status.addresses == ("203.0.113.3",)
    healthy = next(c for c in status.conditions if c.type.endswith("Healthy"))
    assert (healthy.status, healthy.reason) == ("False", "NoHealthyShards")
    assert "a: its addresses do not answer" in healthy.message


@pytest.mark.parametrize(
    ("states", "status", "reason", "part"),
    [
        ([IN_SYNC, IN_SYNC], "True", "InSync", "in sync in 2 of 2 members"),
        ([IN_SYNC, CopyState(State.PENDING, "Creating", "not there yet")], "False", "Pending", "m1: not there yet"),
        (
            [CopyState(State.CONFLICT, "Exists", "differs in spec.ports"), IN_SYNC],
            "False",
            "Exists",
            "m0: differs in spec.ports",
        ),
        ([IN_SYNC, CopyState(State.UNKNOWN, "Unreachable", "no answer")], "False", "MemberUnknown", "m1: no answer"),
        ([], "False", "NoMembers", "no member is selected"),
    ],
)
def test_propagated_names_every_member_that_is_behind(
    states: list[CopyState], status: str, reason: str, part: str
) -> None:
    lines = [line(f"m{number}", state=state) for number, state in enumerate(states)]
    found = service_status(WEB, lines, (), DnsPart()).conditions[0]
    assert (found.status, found.reason) == (status, reason)
    assert part in found.message


def test_a_selector_that_cannot_be_read_is_said_on_the_object() -> None:
    wrong = source_of(annotated(service_json(), cluster_selector="env in prod"))
    found = service_status(wrong, [line("m1")], (), DnsPart()).conditions[0]
    assert (found.status, found.reason) == ("False", "InvalidSelector")
    assert "stays in the members where it is" in found.message


def test_the_annotation_is_at_most_8_kb_and_keeps_members_with_problems() -> None:
    """Case 10."""
    lines = [line(f"member-{number:03}", "203.0.113.7", "203.0.113.8") for number in range(60)]
    bad = MemberLine("zurich", CopyState(State.CONFLICT, "Exists", "differs in spec.ports"), None)
    status = service_status(
        WEB, [*lines, bad], (), DnsPart(Condition(DNS, "True", "Published", ""), 2, {"203.0.113.9": "down"})
    )
    assert len(status.annotation.encode()) <= MAX_STATUS
    parsed = json.loads(status.annotation)
    assert parsed["of"] == 61
    assert parsed["members"]["zurich"]["state"] == "Conflict"
    assert parsed["dns"] == {"published": 2, "withheld": {"203.0.113.9": "down"}}


def test_a_stored_status_that_says_the_same_needs_no_write() -> None:
    lines = [line("m1", "203.0.113.7")]
    status = service_status(WEB, lines, (), DnsPart())
    assert differs(WEB, status)
    body = status_body(WEB, status, "2026-11-29T00:00:00Z")
    stored = service_json()
    stored["metadata"]["annotations"] = body["metadata"]["annotations"]
    stored["status"] = body["status"]
    assert not differs(source_of(stored), status)
    again = status_body(source_of(stored), service_status(WEB, [line("m1")], (), DnsPart()), "2027-01-01T00:00:00Z")
    times = {c["type"].rpartition("/")[2]: c["lastTransitionTime"] for c in again["status"]["conditions"]}
    assert times == {"Propagated": "2026-11-29T00:00:00Z", "Healthy": "2027-01-01T00:00:00Z"}
