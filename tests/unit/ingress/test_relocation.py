"""What happens to all Ingresses if a host is gone."""

from __future__ import annotations

from typing import Any

import pytest

from rancherctl.errors import UsageError
from rancherctl.ingress.operator.overview import plan_rows
from rancherctl.ingress.operator.relocation import without_hosts
from rancherctl.ingress.translate.rules import translate
from rancherctl.kube.objects import Ingress
from rancherctl.placement.model import Roster, RosterHost
from rancherctl.placement.place import place
from tests.fakes import ingress as fake
from tests.fakes.operator_view import api_view

ROSTER = fake.roster("h1", "h2", "h3")
ADDRESS = {h.name: h.address for h in ROSTER.hosts}


def one(name: str, roster: Roster = ROSTER, **annotations: str) -> tuple[Ingress, tuple[str, ...]]:
    """An Ingress, published where it is placed, and these hosts."""
    rules = [(f"{name}.com", "Prefix", "/", "web:80")]
    hosts = place(translate(fake.ingress(name, rules, annotations=annotations)).for_placement, roster).hosts
    published = [h.address for h in roster.hosts if h.name in hosts]
    return fake.ingress(name, rules, annotations=annotations, status=published), hosts


def rows(ingress: Ingress, lost: str, roster: Roster = ROSTER) -> dict[str, Any]:
    """The row of each Ingress that changes without the lost host."""
    return {row["name"]: row for row in without_hosts(api_view([ingress], roster), [lost]).rows}


def test_each_ingress_of_a_lost_host_moves_as_the_agents_would_move_it() -> None:
    every = [one(f"i{n}") for n in range(12)]
    view = api_view([ingress for ingress, _ in every], ROSTER)
    found = without_hosts(view, ["h2"])
    moved = {row["name"]: row for row in found.rows}
    assert moved.keys() == {i.meta.name for i, hosts in every if hosts == ("h2",)}
    assert 0 < len(moved) == 12 - found.unchanged
    left = fake.roster("h1", "h3")
    for ingress, hosts in every:
        if row := moved.get(ingress.meta.name):
            (target,) = place(translate(ingress).for_placement, left).hosts
            assert (row["change"], row["loses"], row["gains"]) == ("moves", list(hosts), [target])
            assert (row["leaving"], row["joining"]) == ([ADDRESS["h2"]], [ADDRESS[target]])


def test_an_ingress_on_all_hosts_has_fewer_and_says_why() -> None:
    row = rows(one("a", scale="3")[0], "h2")["a"]
    assert (row["change"], row["after"], row["gains"], row["leaving"]) == ("fewer", ["h1", "h3"], [], [ADDRESS["h2"]])
    assert (row["reason"], row["wanted"]) == ("TooFewHosts", 3)
    assert "3 instances requested, 2 eligible hosts" in row["message"]
    everywhere = rows(one("b", ROSTER, **{"io.rancher.scheduler.global": "true"})[0], "h2")["b"]
    assert (everywhere["change"], everywhere["message"], everywhere["wanted"]) == ("fewer", "", "all")


def test_an_ingress_that_no_other_host_may_carry_cannot_be_placed() -> None:
    hosts = tuple(RosterHost(h.name, h.address, labels={"disk": "ssd"} if h.name == "h2" else {}) for h in ROSTER.hosts)
    roster = Roster(1, 1, hosts)
    ingress, placed = one("a", roster, **{"io.rancher.scheduler.affinity.host_label": "disk=ssd"})
    assert placed == ("h2",)
    row = rows(ingress, "h2", roster)["a"]
    assert (row["change"], row["after"], row["leaving"]) == ("unplaceable", [], [ADDRESS["h2"]])
    assert row["message"] == "no eligible host among 2 hosts: 2 label disk=ssd is missing"


def test_an_address_that_is_still_published_leaves_even_if_nothing_moves() -> None:
    ingress, hosts = one("a")
    rest = next(name for name in ADDRESS if name not in hosts)
    stale = fake.ingress("a", [("a.com", "Prefix", "/", "web:80")], status=[ADDRESS[rest], ADDRESS[hosts[0]]])
    row = rows(stale, rest)["a"]
    assert (row["loses"], row["gains"], row["leaving"]) == ([], [], [ADDRESS[rest]])
    assert rows(ingress, rest) == {}


def test_a_namespace_limits_the_rows_and_an_unknown_host_is_an_error() -> None:
    view = api_view([one("a", scale="3")[0]], ROSTER)
    assert without_hosts(view, ["h1"], "other").rows == ()
    with pytest.raises(UsageError, match="unknown host: h9") as caught:
        without_hosts(view, ["h1", "h9"])
    assert caught.value.why == "the load-balancer hosts are h1, h2, h3"
    assert caught.value.hint


def test_the_plan_of_one_ingress_says_which_host_was_left_out() -> None:
    why = {row["host"]: row["why"] for row in plan_rows(api_view([]), one("a")[0], without=("h1",))}
    assert why == {"h1": "left out by --without"}
