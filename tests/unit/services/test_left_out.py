"""What the leader has measured reaches command lines: hosts left out for a while, hosts that keep their addresses."""

from __future__ import annotations

import pytest

from rancherctl.services.left_out import MAX_PAIRS, LeftOut, parse
from rancherctl.services.model import HostPorts
from rancherctl.services.operator import overview, probe
from rancherctl.services.operator.api_view import ServicesView
from rancherctl.services.translate import ServicePolicy, wanted_services
from rancherctl.services.verifier import REFUSED
from tests.fakes import services as fake


def test_it_survives_the_way_through_the_api_and_has_a_limit() -> None:
    left_out = LeftOut({("a/b", "h1"): REFUSED}, frozenset({"h2"}))
    assert parse(left_out.to_json()) == left_out
    assert LeftOut().to_json() == ""
    many = LeftOut({(f"a/{n:04}", "h1"): REFUSED for n in range(2 * MAX_PAIRS)})
    assert len(parse(many.to_json()).refused) == MAX_PAIRS


@pytest.mark.parametrize("text", ["", "[]", "{", '{"refused": [1]}', '{"held": 3}', "[" * 20000])
def test_what_is_damaged_says_nothing(text: str) -> None:
    assert parse(text) == LeftOut()


def view(left_out: LeftOut, **reports: HostPorts) -> ServicesView:
    roster = fake.roster(2)
    service = fake.service("a", scale=2, status=fake.published("10.0.0.2"))
    services = {service.meta.key: service}
    wanted = wanted_services(services, {}, roster, ServicePolicy())
    return ServicesView(services, wanted, roster, fake.reports(roster, **reports), ServicePolicy(), left_out)


def test_plan_and_show_know_a_host_that_the_leader_leaves_out() -> None:
    found = view(LeftOut({("default/a", "h1"): REFUSED}))
    rows = {row["host"]: row for row in overview.plan_rows(found, found.wanted["default/a"])}
    assert (rows["h1"]["chosen"], rows["h1"]["why"]) == (False, REFUSED)
    item = overview.detail(found, found.services["default/a"])
    assert f"h1 10.0.0.1: {REFUSED}" in overview.text(item)


def test_show_and_status_say_that_a_host_is_held() -> None:
    broken = {name: HostPorts(proxy_error="does not answer") for name in ("h1", "h2")}
    found = view(LeftOut(held=frozenset({"h1", "h2"})), **broken)
    hosts = {h["host"]: h for h in overview.detail(found, found.services["default/a"])["hosts"]}
    assert (hosts["h2"]["placed"], hosts["h2"]["note"]) == (True, overview.HELD)
    checks = probe.check(found, found.wanted.values(), timeout=0.1)
    assert any(overview.HELD in check.result for check in checks)
