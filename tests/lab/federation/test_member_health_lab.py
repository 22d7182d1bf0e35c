"""Members that lose power, their API, or a path: what the public names do, and what they do not do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.lab.federation.shop import (
    SPACE,
    NameWatch,
    absent,
    addresses,
    all_ready,
    body,
    condition,
    member_state,
    own_addresses,
    public_name,
    published,
    remove,
    services,
    wait_for,
    watch_for,
)
from tests.lab.federation.sites import Sites
from tests.lab.measures import Measure
from tests.lab.support import curl, until

slow = pytest.mark.slow


@contextmanager
def without_api(sites: Sites, name: str) -> Iterator[None]:
    """The API server of a member is down for the block; afterwards all members are ready."""
    host = {"m1": "h1", "m2": "h3"}[name]
    sites.lab.ssh(host, "systemctl stop rancherctl-kube-apiserver")
    try:
        until("noticed", lambda: member_state(sites, name, "ControlPlaneHealthy").get("status") == "False")
        yield
    finally:
        sites.lab.ssh(host, "systemctl start rancherctl-kube-apiserver")
    until("members ready", lambda: all_ready(sites))


@contextmanager
def dropped(sites: Sites, host: str, *rules: str) -> Iterator[None]:
    """Packets that match nft rules are dropped at a host for the block."""
    chains = "".join(
        f"chain {hook} {{ type filter hook {hook} priority -400; {''.join(f'{rule} drop; ' for rule in rules)}}}; "
        for hook in ("prerouting", "output")
    )
    sites.lab.ssh(host, f"nft 'table ip federation_test {{ {chains}}}'")
    try:
        yield
    finally:
        sites.lab.ssh(host, "nft delete table ip federation_test")


def records(sites: Sites) -> list[list[str]]:
    """The public zone without its serial number and the marker of its writer, which a new term changes."""
    return [r for r in sites.zone() if r[3] != "SOA" and not r[0].startswith("_rancherctl-")]


def test_a_member_without_power_leaves_the_names_and_returns(shop: Sites, measure: Measure) -> None:
    """Case 43: k/k#36923, federation#83 #264; the name has an address at every moment."""
    with services(shop, body("power")):
        own = own_addresses(shop, "power")
        every = sorted(own["m1"] + own["m2"])
        with NameWatch(shop, public_name("power")) as watch:
            # What never answered is not missed: the vantage points must have reached the addresses.
            until("probed", lambda: member_state(shop, "m2", "Serving").get("status") == "True")
            off = time.monotonic()
            shop.lab.stop("h3")
            try:
                out = watch.until("out", own["m1"], off)
                measure("member without power out of DNS", out - off, "s")
                until("reported", lambda: member_state(shop, "m2", "Serving").get("status") == "False")
                assert shop.acme.rancherctl("federation", "status").returncode == 6
            finally:
                shop.lab.start("h3")
            until("answers", lambda: curl(own["m2"][0], "x", "/healthz", timeout=1.0)[0] == 200)
            on = time.monotonic()
            measure("back in DNS after the address answers", watch.until("back", every, out) - on, "s")
        assert {answer.rcode for answer in watch.answers} == {"NOERROR"}
        assert () not in watch.sets()
    until("members ready", lambda: all_ready(shop))


@pytest.mark.parametrize("seconds", [60, pytest.param(600, marks=slow)])
def test_a_member_without_its_api_serves_on(shop: Sites, seconds: int) -> None:
    """Cases 18, 44: karmada PR#6258; what is deleted meanwhile goes at once, and there when the API returns.

    kubefed#603 #1254: a member that is off held deleted objects for ever.
    """
    with services(shop, body("serving"), body("later", port=82)):
        wait_for(shop, "serving", "later")
        union = published(shop, "serving")
        until("later, too", lambda: len(addresses(shop.acme, "later")) == len(union))
        until("probed", lambda: member_state(shop, "m2", "Serving").get("status") == "True")
        with NameWatch(shop, public_name("serving")) as watch, without_api(shop, "m2"):
            remove(shop, "later")
            pending = shop.acme.get("configmap", "pending-m2", "-n", "rancherctl-federation")["data"]
            assert f"Service.{SPACE}.later" in pending
            shop.acme.apply(body("meanwhile", port=83))
            until("in m1", lambda: not absent(shop.m1, "meanwhile"))

            def holds() -> None:
                assert watch.always(union)
                assert addresses(shop.acme, "serving") == union
                assert member_state(shop, "m2", "Serving")["status"] == "True"
                assert member_state(shop, "m2", "ControlPlaneHealthy")["status"] == "False"

            watch_for(seconds, holds)
        assert watch.always(union)
        until("deleted there", lambda: absent(shop.m2, "later"))
        until("made there", lambda: not absent(shop.m2, "meanwhile"))
        remove(shop, "meanwhile")


@slow
def test_a_federation_that_does_not_reach_one_member_changes_nothing(shop: Sites) -> None:
    """Case 45: another member still reaches it, so it serves; only its API is not seen."""
    with services(shop, body("path")):
        union = published(shop, "path")
        until("probed", lambda: member_state(shop, "m1", "Serving").get("status") == "True")
        there = ", ".join(shop.lab.host(name).address for name in ("h1", "h2"))
        rules = (f"ip saddr {{ {there} }}", f"ip daddr {{ {there} }}")
        with NameWatch(shop, public_name("path")) as watch:
            with dropped(shop, "h4", *rules):
                until("noticed", lambda: member_state(shop, "m1", "ControlPlaneHealthy").get("status") == "False")
                watch_for(60, lambda: watch.always(union) or pytest.fail(f"{watch.sets()}"))
            until("members ready", lambda: all_ready(shop))
            assert watch.always(union)


@slow
@pytest.mark.parametrize("cable", [False, True], ids=["the path to members", "the cable"])
def test_a_federation_that_is_cut_off_changes_nothing(shop: Sites, cable: bool) -> None:
    """Case 45: it sees no member alive, so it holds everything, although the name server beside it answers."""
    with services(shop, body("alone")):
        union = published(shop, "alone")
        for name in ("m1", "m2"):
            until("probed", lambda n=name: member_state(shop, n, "Serving").get("status") == "True")
        before = records(shop)
        there = ", ".join(shop.lab.host(name).address for name in ("h1", "h2", "h3"))
        if cable:
            shop.lab.cut("h4")
            try:
                watch_for(60, lambda: None)
            finally:
                shop.lab.heal("h4")
            until("members ready", lambda: all_ready(shop))
        else:
            with dropped(shop, "h4", f"ip saddr {{ {there} }}", f"ip daddr {{ {there} }}"):
                until("held", lambda: member_state(shop, "m1", "Serving").get("reason") == "HeldAllDead")
                watch_for(60, lambda: shop.public(public_name("alone")) == union or pytest.fail("changed"))
                assert member_state(shop, "m1", "Serving")["reason"] == "HeldAllDead"
            until("members ready", lambda: all_ready(shop))
        assert records(shop) == before


@slow
def test_a_path_that_users_cannot_take_leaves_the_names(shop: Sites, measure: Measure) -> None:
    """Case 46: k8gb#1754; pods are ready and the API answers, but the port is closed."""
    with services(shop, body("closed")):
        own = own_addresses(shop, "closed")
        until("probed", lambda: member_state(shop, "m1", "Serving").get("status") == "True")
        rule = f"ip daddr {{ {', '.join(own['m1'])} }} tcp dport 80"
        with NameWatch(shop, public_name("closed")) as watch:
            with dropped(shop, "h1", rule), dropped(shop, "h2", rule):
                closed = time.monotonic()
                out = watch.until("out", own["m2"], closed)
                measure("closed port out of DNS", out - closed, "s")
                until("reported", lambda: member_state(shop, "m1", "Serving").get("status") == "False")
                assert member_state(shop, "m1", "ControlPlaneHealthy")["status"] == "True"
                assert condition(shop, "closed", "Healthy")["status"] == "True"
                said = shop.acme.ok("federation", "services", f"{SPACE}/closed")
                assert "3 of 4 probes failed from 2 places" in said
            opened = time.monotonic()
            back = watch.until("back", own["m1"] + own["m2"], out)
            measure("opened port back in DNS", back - opened, "s")
        assert () not in watch.sets()


@slow
def test_a_member_that_is_off_does_not_hold_a_deletion(shop: Sites) -> None:
    """Case 18: the object goes at once, the copy within seconds of the member's return."""
    with services(shop, body("off")):
        wait_for(shop, "off")
        own_addresses(shop, "off")
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(shop.lab.stop, ("h1", "h2")))
        try:
            remove(shop, "off")
            until("gone in m2", lambda: absent(shop.m2, "off"))
        finally:
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(shop.lab.start, ("h1", "h2")))
        until("gone in m1", lambda: absent(shop.m1, "off"))
        until("members ready", lambda: all_ready(shop))
