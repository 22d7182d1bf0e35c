"""Members join, leave, are lost and come back: in which order, with which proof, and what is refused."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from rancherctl.contract import FEDERATION_LABEL
from tests.lab.federation.shop import (
    SPACE,
    NameWatch,
    absent,
    addresses,
    all_ready,
    body,
    condition,
    everything,
    member_state,
    open_space,
    own_addresses,
    public_name,
    published,
    remove,
    service,
    services,
    traces,
    wait_for,
)
from tests.lab.federation.sites import Sites, join
from tests.lab.measures import Measure
from tests.lab.support import Environment, until

slow = pytest.mark.slow

CLUSTERS = "clusters.federation.rancherctl.io"
OWN = "rancherctl-federation-acme"


@contextmanager
def left(sites: Sites, services: str) -> Iterator[str]:
    """m2 leaves for the block, and joins again; what the command said."""
    done = sites.acme.rancherctl("federation", "leave", "m2", "--services", services)
    try:
        assert done.returncode == 0, done.stderr
        yield done.stderr
    finally:
        open_space(sites.m2)
        join(sites, sites.m2)
        until("members ready", lambda: all_ready(sites))


def test_a_member_leaves_in_order_and_joins_again(shop: Sites, measure: Measure) -> None:
    """Cases 29, 36, 37: names first, then copies, credential and accounts; nothing of the federation is left there.

    k/k#36657 #46043, federation#80, karmada#768: addresses of members that had left stayed in DNS and in statuses.
    """
    with services(shop, body("all")):
        own = own_addresses(shop, "all")
        assert shop.acme.rancherctl("federation", "leave", "m2").returncode == 2
        refused = shop.acme.rancherctl("env", "rm", "m2", "--confirm", "m2")
        assert refused.returncode == 5
        assert "is a member of the federation acme" in refused.stderr
        refused = shop.acme.rancherctl("env", "rm", "acme", "--confirm", "acme")
        assert refused.returncode == 5
        assert "has members: m1, m2" in refused.stderr
        assert shop.public(public_name("all")) == sorted(own["m1"] + own["m2"])
        with (
            CopyWatch(shop.m2, "all") as copy,
            NameWatch(shop, public_name("all")) as watch,
            left(shop, "delete") as said,
        ):
            assert "NO:" not in said
            assert "yes: no Service there has the federation's marks" in said
            until("copy gone", lambda: copy.gone)
            out = next(answer.at for answer in watch.answers if answer.addresses == tuple(own["m1"]))
            measure("address out of DNS before the copy went", copy.gone - out, "s")
            assert out < copy.gone
            until("one address", lambda: addresses(shop.acme, "all") == own["m1"])
            assert shop.public(public_name("all")) == own["m1"]
            assert traces(everything(shop.m2)) == []
        assert "already a member" in join(shop, shop.m2)
        until("both again", lambda: len(addresses(shop.acme, "all")) == len(own["m1"] + own["m2"]))


class CopyWatch:
    """Asks for a copy until it is gone. ``gone``: since when (monotonic seconds), 0.0 while it is there."""

    def __init__(self, env: Environment, name: str) -> None:
        self._env, self._name, self.gone = env, name, 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> CopyWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self.gone and not self._ended.is_set():
            if absent(self._env, self._name):
                self.gone = time.monotonic()


@slow
def test_a_member_that_leaves_keeps_its_services_if_that_is_said(shop: Sites) -> None:
    """Case 37: the copies run on, without marks; joining again adopts them, because they are equal."""
    with services(shop, body("run-on")):
        wait_for(shop, "run-on")
        own = own_addresses(shop, "run-on")
        before = service(shop.m2, "run-on")
        with left(shop, "keep"):
            after = service(shop.m2, "run-on")
            assert (after["metadata"]["uid"], after["spec"]) == (before["metadata"]["uid"], before["spec"])
            assert FEDERATION_LABEL not in (after["metadata"].get("labels") or {})
            assert addresses(shop.m2, "run-on") == own["m2"]
            assert traces(everything(shop.m2)) == []
        until("adopted", lambda: addresses(shop.acme, "run-on") == sorted(own["m1"] + own["m2"]))
        assert service(shop.m2, "run-on")["metadata"]["uid"] == before["metadata"]["uid"]
        remove_adopted(shop, "run-on")


def remove_adopted(sites: Sites, name: str) -> None:
    """Remove a federated Service whose copy in m2 was adopted: that one is only released (case 20)."""
    remove(sites, name)
    until("released", lambda: FEDERATION_LABEL not in (service(sites.m2, name)["metadata"].get("labels") or {}))
    sites.m2.kubectl("-n", SPACE, "delete", "service", name)


@slow
def test_a_member_that_is_lost_leaves_by_force_and_is_not_written_to_when_it_returns(
    shop: Sites, measure: Measure
) -> None:
    """Case 38: karmada#3740 #4431."""
    with services(shop, body("lost")):
        own = own_addresses(shop, "lost")
        before = service(shop.m2, "lost")["metadata"]
        shop.lab.stop("h3")
        try:
            began = time.monotonic()
            done = shop.acme.rancherctl("federation", "leave", "m2", "--services", "keep", "--force")
            measure("leave of a dead member, with the command's own time", time.monotonic() - began, "s")
            assert done.returncode == 0, done.stderr
            assert "its copies" in done.stderr
            until("out of DNS", lambda: shop.public(public_name("lost")) == own["m1"])
            until("out of the union", lambda: addresses(shop.acme, "lost") == own["m1"])
        finally:
            shop.lab.start("h3")
        until("API", lambda: not absent(shop.m2, "lost"))
        with services(shop, body("after", port=82)):
            until("in m1", lambda: not absent(shop.m1, "after"))
            until("published", lambda: shop.public(public_name("after")) == sorted(addresses(shop.m1, "after")))
            assert absent(shop.m2, "after")
        found = service(shop.m2, "lost")["metadata"]
        assert (found["uid"], found["annotations"]) == (before["uid"], before["annotations"])
        join(shop, shop.m2)
        until("members ready", lambda: all_ready(shop))
        until("both again", lambda: shop.public(public_name("lost")) == sorted(own["m1"] + own["m2"]))


@slow
def test_a_member_that_was_lost_says_so_and_is_cleaned_when_it_returns(shop: Sites) -> None:
    """Case 38: its own status says since when its federation does not come; one command removes what was left.

    The note is made old by hand, because it counts as old after a quarter of an hour.
    """
    with services(shop, body("stale")):
        own = own_addresses(shop, "stale")
        until("noted", lambda: shop.m2.get("configmap", "seen", "-n", OWN)["data"]["at"])
        shop.lab.stop("h3")
        try:
            done = shop.acme.rancherctl("federation", "leave", "m2", "--services", "keep", "--force")
            assert done.returncode == 0, done.stderr
        finally:
            shop.lab.start("h3")
        until("API", lambda: not absent(shop.m2, "stale"))
        old = {"data": {"at": "2026-01-01T00:00:00Z"}}
        shop.m2.kubectl("-n", OWN, "patch", "configmap", "seen", "-p", json.dumps(old))
        line = "the federation acme was last here at 2026-01-01T00:00:00Z; if it no longer knows m2"
        assert line in until("status", lambda: shop.m2.rancherctl("env", "status", "m2").stdout)
        with services(shop, body("without-m2", port=82)):
            wait_for(shop, "without-m2")
            assert absent(shop.m2, "without-m2")
        assert shop.m2.get("configmap", "seen", "-n", OWN)["data"] == old["data"]
        refused = shop.m2.rancherctl("env", "rm", "m2", "--confirm", "m2")
        assert refused.returncode == 5
        done = shop.acme.rancherctl("federation", "leave", "m2", "--services", "keep")
        assert done.returncode == 0, done.stderr
        assert "NO:" not in done.stderr
        assert traces(everything(shop.m2)) == []
        assert addresses(shop.m2, "stale") == own["m2"]
        assert "last here" not in shop.m2.rancherctl("env", "status", "m2").stdout
        open_space(shop.m2)
        join(shop, shop.m2)
        until("members ready", lambda: all_ready(shop))
        until("both again", lambda: shop.public(public_name("stale")) == sorted(own["m1"] + own["m2"]))
        remove_adopted(shop, "stale")


@slow
def test_a_join_names_every_problem_and_changes_nothing(shop: Sites) -> None:
    """Cases 30, 31: another federation there (karmada#3678), a namespace of the federation's name; and itself."""
    spaces = ("acme", "rancherctl-federation-other")
    for name in spaces:
        shop.m2.kubectl("create", "namespace", name)
    try:
        before = shop.acme.get(CLUSTERS, "m2")
        done = shop.acme.rancherctl("federation", "join", "acme", "--env", "m2", "--label", "x=y", "--renew")
        assert done.returncode == 1, done.stderr
        assert "member of the federation other: it must leave that one first" in done.stderr
        assert "has a namespace called acme" in done.stderr
        after = shop.acme.get(CLUSTERS, "m2")
        assert after["spec"] == before["spec"]
        assert after["metadata"].get("labels") == before["metadata"].get("labels")
    finally:
        shop.m2.kubectl("delete", "namespace", *spaces)
    itself = shop.acme.rancherctl("federation", "join", "acme", "--env", "acme")
    assert itself.returncode == 2
    assert "is the federation itself" in itself.stderr
    unknown = shop.acme.rancherctl("federation", "leave", "unknown", "--services", "keep")
    assert unknown.returncode == 3, unknown.stderr


@slow
def test_a_member_without_a_zone_is_published_by_region(shop: Sites) -> None:
    """Case 28: Federation v1 made this an error; here it is a condition with its reason."""
    label = "topology.kubernetes.io/zone"
    with services(shop, body("zoneless")):
        union = published(shop, "zoneless")
        shop.m2.kubectl("label", "node", "h3", f"{label}-")
        try:
            until("reported", lambda: member_state(shop, "m2", "TopologyKnown").get("status") == "False")
            assert member_state(shop, "m2", "Ready")["status"] == "True"
            until("no rung", lambda: not shop.ask(public_name("zoneless", "b.eu")).answer)
            assert shop.public(public_name("zoneless", "eu")) == union
            assert shop.public(public_name("zoneless")) == union
        finally:
            shop.m2.kubectl("label", "node", "h3", f"{label}=b")
        until("rung", lambda: shop.public(public_name("zoneless", "b.eu")) == addresses(shop.m2, "zoneless"))
        assert member_state(shop, "m2", "TopologyKnown")["status"] == "True"


@slow
def test_without_its_session_a_member_is_closed_until_it_joins_again(shop: Sites) -> None:
    """Case 33: people of the member end all access by deleting one Secret; ``join --renew`` heals it."""
    with services(shop, body("session")):
        union = published(shop, "session")
        shop.m2.kubectl("-n", "rancherctl-federation-acme", "delete", "secret", "session")
        until("reported", lambda: member_state(shop, "m2", "CredentialValid").get("status") == "False")
        assert "--renew" in member_state(shop, "m2", "CredentialValid")["message"]
        assert shop.public(public_name("session")) == union
        shop.acme.ok("federation", "join", "acme", "--env", "m2", "--renew")
        until("members ready", lambda: all_ready(shop))
        until("in sync", lambda: condition(shop, "session", "Propagated").get("status") == "True")
        assert shop.public(public_name("session")) == union
