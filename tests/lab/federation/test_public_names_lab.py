"""Public names of Services in a real name server: the ladder, pods that go, drains, priorities, records of others."""

from __future__ import annotations

import json
import time
from typing import Any

import dns.rcode
import pytest

from tests.lab.federation.shop import (
    NameWatch,
    absent,
    addresses,
    annotate,
    body,
    condition,
    member_state,
    own_addresses,
    public_name,
    published,
    remove,
    scale,
    services,
    wait_for,
)
from tests.lab.federation.sites import ZONE, Sites
from tests.lab.measures import Measure
from tests.lab.support import until
from tests.lab.workloads import pods

slow = pytest.mark.slow


def shown(sites: Sites, what: str) -> list[dict[str, Any]]:
    """The rows of ``federation dns ls`` or ``diff``; what it shows is stored every two seconds."""
    found: list[dict[str, Any]] = json.loads(sites.acme.ok("federation", "dns", what, "-o", "json"))["items"]
    return found


def test_the_ladder_of_names_has_the_addresses_of_zone_region_and_all(shop: Sites) -> None:
    """Cases 40, 41, 66: each rung has the addresses of its place; without any it is an alias of the next rung."""
    with services(shop, body("ladder"), body("only-m1", port=82, notes={"cluster-selector": "env=prod"})):
        own = own_addresses(shop, "ladder")
        every = sorted(own["m1"] + own["m2"])
        until("all rungs", lambda: shop.public(public_name("ladder", "b.eu")) == own["m2"])
        assert shop.public(public_name("ladder")) == every
        assert shop.public(public_name("ladder", "eu")) == every
        assert shop.public(public_name("ladder", "a.eu")) == sorted(own["m1"])
        assert {rrset.ttl for rrset in shop.ask(public_name("ladder")).answer} == {30}
        until("alias", lambda: shop.public(public_name("only-m1", "b.eu"), "CNAME"))
        assert shop.public(public_name("only-m1", "b.eu"), "CNAME") == [f"{public_name('only-m1', 'eu')}.{ZONE}."]
        until("m1's", lambda: shop.public(public_name("only-m1")) == sorted(addresses(shop.m1, "only-m1")))
        assert shop.public(public_name("only-m1", "eu")) == sorted(addresses(shop.m1, "only-m1"))
        rung = f"{public_name('ladder', 'a.eu')}.{ZONE}"
        until("listed", lambda: rung in {item["name"] for item in shown(shop, "ls")})
        until("no difference", lambda: shown(shop, "diff") == [])
        assert json.loads(shop.acme.ok("federation", "dns", "verify", "-o", "json"))["items"]


@slow
def test_names_follow_pods_and_are_never_empty(shop: Sites, measure: Measure) -> None:
    """Case 42: without pods in a member its address goes; without pods anywhere the last set stays, or is removed."""
    with services(shop, body("pods"), body("strict", port=82, notes={"when-none": "remove"})):
        own, strict = own_addresses(shop, "pods"), own_addresses(shop, "strict")
        try:
            with NameWatch(shop, public_name("pods")) as watch:
                scale(shop.m1, 0)
                gone = time.monotonic()
                until("m1 is out", lambda: watch.answers[-1].addresses == tuple(own["m2"]))
                measure("address out after the last pod of a member", watch.answers[-1].at - gone, "s")
                until("strict, too", lambda: shop.public(public_name("strict")) == strict["m2"])
                scale(shop.m2, 0)
                until("reported", lambda: condition(shop, "pods", "DNS").get("reason") == "NoHealthyShards")
                assert condition(shop, "pods", "Healthy")["status"] == "False"
                until("removed", lambda: shop.ask(public_name("strict")).rcode() == dns.rcode.NXDOMAIN)
                assert shop.public(public_name("pods")) == own["m2"]
                scale(shop.m2, 1)
                back = time.monotonic()
                until("strict is back", lambda: shop.public(public_name("strict")) == strict["m2"])
                measure("removed name back after the first pod is ready", time.monotonic() - back, "s")
                scale(shop.m1, 1)
                until("all are back", lambda: watch.answers[-1].addresses == tuple(sorted(own["m1"] + own["m2"])))
            assert () not in watch.sets()
        finally:
            for member in shop.members:
                scale(member, 1)


@slow
def test_a_drained_member_is_out_of_the_names_and_gets_nothing_new(shop: Sites, measure: Measure) -> None:
    """Case 48: the address leaves DNS and union, copies and pods stay, new Services do not go there."""
    with services(shop, body("sale")):
        own = own_addresses(shop, "sale")
        began = time.monotonic()
        shop.acme.ok("federation", "drain", "m1")
        try:
            until("out of DNS", lambda: shop.public(public_name("sale")) == own["m2"])
            measure("address out after drain, with the command's own time", time.monotonic() - began, "s")
            until("out of the union", lambda: addresses(shop.acme, "sale") == own["m2"])
            assert not absent(shop.m1, "sale")
            assert len(pods(shop.m1, "shop", "web")) == 1
            assert member_state(shop, "m1", "Serving")["reason"] == "Drained"
            with services(shop, body("fresh", port=82)):
                wait_for(shop, "fresh")
                assert not absent(shop.m2, "fresh")
                assert absent(shop.m1, "fresh")
                shop.acme.ok("federation", "undrain", "m1")
                until("in m1", lambda: not absent(shop.m1, "fresh"))
        finally:
            shop.acme.ok("federation", "undrain", "m1")
        until("back", lambda: shop.public(public_name("sale")) == sorted(own["m1"] + own["m2"]))


@slow
def test_priority_publishes_the_first_member_that_is_healthy(shop: Sites) -> None:
    """Case 48: failover to the next member, and back."""
    with services(shop, body("first", notes={"priority": "m1=1,m2=2"})):
        own = {m.name: until("address", lambda m=m: addresses(m, "first")) for m in shop.members}
        until("only m1", lambda: shop.public(public_name("first")) == sorted(own["m1"]))
        with NameWatch(shop, public_name("first")) as watch:
            try:
                scale(shop.m1, 0)
                until("failover", lambda: watch.answers[-1].addresses == tuple(own["m2"]))
            finally:
                scale(shop.m1, 1)
            until("back", lambda: watch.answers[-1].addresses == tuple(sorted(own["m1"])))
        assert () not in watch.sets()
        said = shop.acme.ok("federation", "services", "shop/first")
        assert "standby: priority 2" in said


@slow
def test_records_of_others_are_not_touched_until_they_are_adopted(shop: Sites) -> None:
    """Case 49: an A record of somebody else at a wanted name is a conflict; its TXT stays for good."""
    name = f"foreign.{ZONE}"
    with services(shop, body("own-name", notes={"hostname": name})):
        union = until("union", lambda: (a := addresses(shop.acme, "own-name")) and len(a) > 1 and a)
        until("reported", lambda: condition(shop, "own-name", "DNS").get("reason") == "Conflict")
        assert shop.public("foreign") == ["192.0.2.99"]
        until("listed", lambda: [item["name"] for item in shown(shop, "diff")] == [name])
        shop.acme.ok("federation", "dns", "adopt", name)
        until("ours", lambda: shop.public("foreign") == sorted(union))
        until("no conflict", lambda: condition(shop, "own-name", "DNS").get("status") == "True")
        assert shop.public("foreign", "TXT") == ['"note of others"']
        remove(shop, "own-name")
        until("gone", lambda: not shop.public("foreign"))
        assert shop.public("foreign", "TXT") == ['"note of others"']
    shop.edit_zone(f"update add {name}. 300 A 192.0.2.99")


@slow
def test_a_record_that_others_changed_is_put_back_and_their_own_stay(shop: Sites) -> None:
    """An address that somebody added to one of our names goes at the next audit or change; a TXT beside it stays."""
    with services(shop, body("edited")):
        union = published(shop, "edited")
        full = f"{public_name('edited')}.{ZONE}."
        shop.edit_zone(f"update add {full} 30 A 192.0.2.77", f'update add {full} 30 TXT "kept"')
        annotate(shop, "edited", "priority=m1=1")
        until("ours again", lambda: shop.public(public_name("edited")) == sorted(addresses(shop.m1, "edited")))
        annotate(shop, "edited", "priority-")
        until("all", lambda: shop.public(public_name("edited")) == union)
        assert shop.public(public_name("edited"), "TXT") == ['"kept"']
        shop.edit_zone(f"update delete {full} TXT")
