"""From shards to record sets: rungs, healthy shards, priority, what stays if nothing is healthy, and reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from rancherctl.federation.model import FederatedService, Place, Shard, ShardAddress, Verdict
from rancherctl.federation.ownership import NameState
from rancherctl.federation.records import Context, Desired, DnsPhase, desired
from tests.fakes.dns_provider import EU_A, EU_B, SETTINGS, service, shard

M1, M2 = "203.0.113.1", "203.0.113.2"
LAST = "web.default.acme.svc.acme.example."
DOWN = Verdict(True, "3 of 4 probes failed from 2 places", 0.0)


def _wish(*services: FederatedService, verdicts: Mapping[str, Verdict] | None = None, **context: object) -> Desired:
    return desired(services, SETTINGS, verdicts or {}, Context(**context))  # type: ignore[arg-type]


def _shown(wish: Desired) -> dict[str, str]:
    """Name without the zone → ``TYPE rdatas``."""
    return {
        name.removesuffix(".acme.example."): "; ".join(f"{s.type} {' '.join(s.rdatas)}" for s in state.sets)
        for name, state in wish.names.items()
    }


def _published(wish: Desired) -> Context:
    """A context in which the wish is in the zone."""
    by_object: dict[str, dict[str, NameState]] = {}
    for name, state in wish.names.items():
        assert state.marker is not None
        by_object.setdefault(state.marker.object, {})[name] = state
    return Context(published=lambda target: by_object.get(target, {}))


def test_each_rung_has_the_addresses_of_its_place() -> None:
    wish = _wish(service("web", shard("m1", M1), shard("m2", M2, place=EU_B)))
    assert _shown(wish) == {
        "web.default.acme.svc": f"A {M1} {M2}",
        "web.default.acme.svc.eu": f"A {M1} {M2}",
        "web.default.acme.svc.a.eu": f"A {M1}",
        "web.default.acme.svc.b.eu": f"A {M2}",
    }
    assert wish.names[LAST].sets[0].ttl == 30


def test_a_zone_without_a_shard_is_an_alias_of_its_region() -> None:
    places = (EU_A, Place("eu", "c"), Place("us", None))
    wish = _wish(service("web", shard("m1", M1)), places=places)
    assert _shown(wish)["web.default.acme.svc.c.eu"] == "CNAME web.default.acme.svc.eu.acme.example."
    assert _shown(wish)["web.default.acme.svc.us"] == f"CNAME {LAST}"
    marker = wish.names["web.default.acme.svc.us.acme.example."].marker
    assert marker is not None
    assert (marker.types, marker.object) == (("CNAME",), "service/default/web")


def test_a_zone_without_a_region_has_no_rung() -> None:
    assert _shown(_wish(service("web", shard("m1", M1, place=Place(None, "a"))))) == {"web.default.acme.svc": f"A {M1}"}


def test_the_place_of_an_address_decides_not_that_of_its_member() -> None:
    two = Shard("m1", EU_A, (ShardAddress(M1, EU_A, (80,)), ShardAddress(M2, EU_B, (80,))))
    assert _shown(_wish(service("web", two)))["web.default.acme.svc.b.eu"] == f"A {M2}"


def test_both_address_families_are_sets_of_one_name() -> None:
    wish = _wish(service("web", shard("m1", M1, "2001:db8::1")))
    assert _shown(wish)["web.default.acme.svc"] == f"A {M1}; AAAA 2001:db8::1"
    marker = wish.names[LAST].marker
    assert marker is not None
    assert marker.types == ("A", "AAAA")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"drained": True}, "member m2 is drained"),
        ({"in_sync": False}, "the copy in m2 is not in sync"),
        ({"ready": False}, "no ready endpoint in m2"),
        ({"refused": {M2: "outside spec.addresses"}}, "outside spec.addresses"),
    ],
)
def test_an_address_that_is_not_published_has_its_reason(fields: dict[str, object], why: str) -> None:
    wish = _wish(service("web", shard("m1", M1), shard("m2", M2, place=EU_B, **fields)))
    assert wish.services["default/web"].published == (M1,)
    assert wish.services["default/web"].withheld == {M2: why}
    assert _shown(wish)["web.default.acme.svc.b.eu"] == "CNAME web.default.acme.svc.eu.acme.example."


def test_a_withdrawn_address_is_out_of_all_rungs() -> None:
    wish = _wish(service("web", shard("m1", M1), shard("m2", M2)), verdicts={M2: DOWN})
    assert set(_shown(wish).values()) == {f"A {M1}"}
    assert wish.services["default/web"].withheld == {M2: DOWN.reason}


def test_a_silent_api_changes_nothing() -> None:
    """R-b: losing an API is not losing the service (karmada PR#6258)."""
    both = (shard("m1", M1, ready=True, api_reachable=False), shard("m2", M2))
    assert _wish(service("web", *both)).services["default/web"].published == (M1, M2)


def test_addresses_of_a_member_that_was_never_read_stay_published() -> None:
    before = _wish(service("web", shard("m1", M1), shard("m2", M2, place=EU_B)))
    restarted = service("web", Shard("m1", api_reachable=False), shard("m2", M2, place=EU_B))
    context = _published(before)
    assert desired([restarted], SETTINGS, {}, context).names == before.names
    assert desired([restarted], SETTINGS, {M1: DOWN}, context).services["default/web"].published == (M2,)


@pytest.mark.parametrize(
    ("offline", "now", "published"),
    [
        ("keep", 1000.0, (M1, M2)),
        ("drop", 0.0, (M1,)),
        ("drop-after 10m", 599.0, (M1, M2)),
        ("drop-after 10m", 600.0, (M1,)),
    ],
)
def test_offline_says_when_a_withdrawn_address_goes(offline: str, now: float, published: tuple[str, ...]) -> None:
    web = service("web", shard("m1", M1), shard("m2", M2), offline=offline)
    wish = _wish(web, verdicts={M2: DOWN}, now=now)
    assert wish.services["default/web"].published == published
    assert wish.next == (600.0 if now == 599.0 else None)


def test_priority_publishes_the_best_healthy_member() -> None:
    web = service("web", shard("m1", M1), shard("m2", M2), shard("m3", "203.0.113.3"), priority={"m1": 1, "m2": 2})
    first = _wish(web).services["default/web"]
    assert first.published == (M1,)
    assert first.withheld[M2] == "standby: priority 2, members of 1 are healthy"
    assert first.withheld["203.0.113.3"] == "standby: priority unlisted, members of 1 are healthy"
    assert _wish(web, verdicts={M1: DOWN}).services["default/web"].published == (M2,)
    assert _wish(web, verdicts={M1: DOWN, M2: DOWN}).services["default/web"].published == ("203.0.113.3",)


def test_what_was_published_stays_if_nothing_is_healthy() -> None:
    before = _wish(service("web", shard("m1", M1), shard("m2", M2, place=EU_B)))
    unready = service("web", shard("m1", M1, ready=False), shard("m2", M2, place=EU_B, ready=False))
    wish = desired([unready], SETTINGS, {}, _published(before))
    assert wish.names == before.names
    state = wish.services["default/web"]
    assert (state.phase, state.published) == (DnsPhase.KEPT, (M1, M2))
    assert state.withheld == {M1: "no ready endpoint in m1", M2: "no ready endpoint in m2"}


def test_a_service_that_was_never_healthy_has_no_names() -> None:
    wish = _wish(service("web", shard("m1", M1, ready=False)))
    assert wish.names == {}
    assert wish.services["default/web"].phase is DnsPhase.WAITING


@pytest.mark.parametrize(
    ("when_none", "now", "left"),
    [("remove", 0.0, False), ("remove-after 10m", 599.0, True), ("remove-after 10m", 600.0, False)],
)
def test_when_none_remove_deletes_the_names(when_none: str, now: float, left: bool) -> None:
    before = _wish(service("web", shard("m1", M1)))
    context = Context(published=_published(before).published, none_since={"default/web": 0.0}, now=now)
    wish = desired([service("web", shard("m1", M1, ready=False), when_none=when_none)], SETTINGS, {}, context)
    assert bool(wish.names) is left
    assert wish.next == (600.0 if left else None)


def test_drained_and_gone_members_leave_what_is_kept() -> None:
    three = [shard(f"m{n}", f"203.0.113.{n}") for n in (1, 2, 3)]
    before = _wish(service("web", *three))
    now = service("web", shard("m1", M1, drained=True), shard("m2", M2, ready=False))
    context = Context(published=_published(before).published, forgotten=frozenset({"203.0.113.3"}))
    assert desired([now], SETTINGS, {}, context).services["default/web"].published == (M2,)


def test_a_drained_member_is_kept_if_it_is_the_last_one() -> None:
    before = _wish(service("web", shard("m1", M1)))
    wish = desired([service("web", shard("m1", M1, drained=True))], SETTINGS, {}, _published(before))
    assert wish.services["default/web"].published == (M1,)


def test_a_service_without_members_keeps_its_names_and_deletes_none() -> None:
    """R-a: an emptied list of members harms no name."""
    before = _wish(service("web", shard("m1", M1)))
    wish = desired([service("web", when_none="remove")], SETTINGS, {}, _published(before))
    assert wish.names == before.names
    assert wish.alive == frozenset()


def test_own_host_names_have_the_addresses_of_the_last_rung() -> None:
    wish = _wish(
        service("web", shard("m1", M1), shard("m2", M2, place=EU_B), hostnames=("www.acme.example", "acme.example"))
    )
    assert _shown(wish)["www"] == f"A {M1} {M2}"
    assert wish.names["acme.example."].sets[0].rdatas == (M1, M2)


def test_the_older_of_two_services_has_a_host_name() -> None:
    young = service("a", shard("m1", M1), hostnames=("www.acme.example",), created="2026-11-02T00:00:00Z")
    old = service("b", shard("m2", M2), hostnames=("www.acme.example",), created="2026-11-01T00:00:00Z")
    wish = _wish(young, old)
    assert _shown(wish)["www"] == f"A {M2}"
    assert wish.services["default/a"].problems == ("www.acme.example belongs to the Service default/b, which is older",)
    assert wish.services["default/b"].problems == ()


def test_names_that_are_too_long_leave_the_others() -> None:
    long = Place("r" * 63, "z" * 63)
    wish = _wish(replace(service("w" * 63, shard("m1", M1, place=long)), namespace="n" * 32))
    assert len(wish.names) == 2
    (problem,) = wish.services[f"{'n' * 32}/{'w' * 63}"].problems
    assert problem.endswith("has 246 characters, at most 241 can be published")


def test_a_service_check_withdraws_its_own_address_only() -> None:
    checked = service("web", shard("m1", M1), shard("m2", M2), health_check="http:/ready")
    plain = service("api", shard("m1", M1), shard("m2", M2))
    wish = _wish(checked, plain, verdicts={f"{M2} http:80/ready": DOWN})
    assert wish.services["default/web"].published == (M1,)
    assert wish.services["default/api"].published == (M1, M2)


def test_loopback_is_never_published() -> None:
    state = _wish(service("web", shard("m1", "127.0.0.1"), shard("m2", M2))).services["default/web"]
    assert state.published == (M2,)
    assert state.withheld == {"127.0.0.1": "a loopback address"}
