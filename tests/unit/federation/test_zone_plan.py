"""The plan for a public zone: ownership, conflicts, adoption, orphans, aliases that are not possible."""

from __future__ import annotations

from collections.abc import Iterable

from rancherctl.change import Plan
from rancherctl.dns.model import RecordSet
from rancherctl.federation.ownership import MARKER_TTL, Marker, NameState, ZoneView, zone_view
from rancherctl.federation.records import Context, Desired, desired
from rancherctl.federation.zone_plan import ZonePlan, zone_plan
from tests.fakes.dns_provider import EU_A, EU_B, OWNER, SETTINGS, service, shard

FENCE = "_rancherctl-acme.acme.example."
LAST, ZONE_B = "web.default.acme.svc.acme.example.", "web.default.acme.svc.b.eu.acme.example."
WISH = desired([service("web", shard("m1", "203.0.113.1"))], SETTINGS, {}, Context((EU_A, EU_B)))


def _after(*parts: Desired | Iterable[RecordSet]) -> ZoneView:
    """The zone with these wishes and records in it."""
    sets: list[RecordSet] = []
    for part in parts:
        if isinstance(part, Desired):
            for name, state in part.names.items():
                assert state.marker is not None
                sets += [*state.sets, RecordSet(f"_rancherctl.{name}", "TXT", state.marker.rdatas(), MARKER_TTL)]
        else:
            sets += part
    return zone_view(sets, FENCE)


def _record(name: str, kind: str, *rdatas: str) -> RecordSet:
    return RecordSet(name, kind, rdatas, 60)


def _verbs(plan: ZonePlan) -> dict[str, str]:
    return {c.key: c.verb for c in plan.changes}


def test_a_zone_as_wanted_has_an_empty_plan() -> None:
    plan = zone_plan(_after(WISH), WISH, OWNER)
    assert plan == ZonePlan(Plan())
    assert not plan.changes


def test_changes_are_sorted_and_have_a_digest() -> None:
    plan = zone_plan(ZoneView(), WISH, OWNER)
    keys = [c.key for c in plan.changes]
    assert keys == sorted(WISH.names)
    assert plan.changes.digest() == zone_plan(ZoneView(), WISH, OWNER).changes.digest()


def test_a_record_of_others_is_a_conflict_and_stays() -> None:
    plan = zone_plan(_after([_record(LAST, "A", "192.0.2.9")]), WISH, OWNER)
    assert LAST not in _verbs(plan)
    (conflict,) = plan.conflicts
    assert (conflict.name, conflict.object) == (LAST, "service/default/web")
    assert "A 192.0.2.9 without our marker" in conflict.why
    assert "federation dns adopt web.default.acme.svc.acme.example" in conflict.why


def test_an_alias_does_not_lead_to_records_of_others() -> None:
    """A rung whose next rung is in conflict has our addresses instead of a CNAME to it."""
    region = "web.default.acme.svc.eu.acme.example."
    plan = zone_plan(_after([_record(region, "A", "192.0.2.9")]), WISH, OWNER)
    new = {c.key: c.new for c in plan.changes}[ZONE_B]
    assert new is not None
    # The region's own wish has the addresses that the zone gets.
    assert [s.type for s in new.sets] == ["A"]
    assert new.addresses() == ("203.0.113.1",)


def test_adoption_replaces_the_records_and_writes_the_marker() -> None:
    have = _after([_record(LAST, "A", "192.0.2.9"), _record(LAST, "TXT", '"note"')])
    plan = zone_plan(have, WISH, OWNER, adopt={LAST})
    change = {c.key: c for c in plan.changes}[LAST]
    assert plan.conflicts == ()
    assert change.old == NameState((_record(LAST, "A", "192.0.2.9"),), None)
    assert change.new == WISH.names[LAST]


def test_names_of_another_federation_are_never_taken() -> None:
    theirs = desired([service("web", shard("m1", "192.0.2.9"))], SETTINGS, {}, Context())
    have = {
        name: NameState(state.sets, Marker("acme/dead", ("A",), "service/default/web"))
        for name, state in theirs.names.items()
    }
    plan = zone_plan(ZoneView(have), WISH, OWNER, adopt=set(have), gone={"service/default/web"}, force=True)
    assert set(_verbs(plan)).isdisjoint(have)
    assert all("belongs to the federation acme/dead" in c.why for c in plan.conflicts)
    plan = zone_plan(ZoneView(have), Desired({}, {}), OWNER, gone={"service/default/web"}, force=True)
    assert plan == ZonePlan(Plan())


def test_another_text_at_the_marker_is_a_conflict() -> None:
    plan = zone_plan(_after([_record(f"_rancherctl.{LAST}", "TXT", '"hello"')]), WISH, OWNER)
    assert "is not a marker of this federation" in plan.conflicts[0].why


def test_an_alias_at_the_place_of_a_marker_is_a_conflict() -> None:
    """A server would leave out the marker beside it: our records would look like those of others."""
    alias = _record(f"_rancherctl.{LAST}", "CNAME", "x.example.")
    for have in (_after([alias]), _after([alias, _record(LAST, "A", "203.0.113.1")])):
        plan = zone_plan(have, WISH, OWNER, adopt={LAST})
        assert LAST not in _verbs(plan)
        assert f"_rancherctl.{LAST[:-1]} is an alias of others" in plan.conflicts[0].why


def test_a_type_that_others_added_at_our_name_is_a_conflict() -> None:
    have = _after(WISH, [_record(LAST, "AAAA", "2001:db8::9")])
    plan = zone_plan(have, WISH, OWNER)
    assert not plan.changes
    assert "AAAA 2001:db8::9 was added by others" in plan.conflicts[0].why


def test_a_foreign_text_beside_an_alias_makes_it_addresses() -> None:
    have = _after([_record(ZONE_B, "TXT", '"note"')])
    new = {c.key: c.new for c in zone_plan(have, WISH, OWNER).changes}[ZONE_B]
    assert new is not None
    assert [s.type for s in new.sets] == ["A"]


def test_no_alias_is_written_if_the_provider_cannot_change_types() -> None:
    plan = zone_plan(ZoneView(), WISH, OWNER, flatten=True)
    assert {s.type for c in plan.changes if c.new for s in c.new.sets} == {"A"}
    flat = Desired({c.key: c.new for c in plan.changes if c.new}, {})
    assert not zone_plan(_after(flat), WISH, OWNER, flatten=True).changes


def test_a_set_that_others_edited_is_restored() -> None:
    edited = [s if s.name != LAST else _record(LAST, "A", "192.0.2.9") for v in WISH.names.values() for s in v.sets]
    have = _after(
        edited, [RecordSet(f"_rancherctl.{n}", "TXT", v.marker.rdatas()) for n, v in WISH.names.items() if v.marker]
    )
    plan = zone_plan(have, WISH, OWNER)
    assert _verbs(plan) == {LAST: "update", **{s.name: "update" for s in edited if s.ttl == 60}}
    assert {c.key: c.why for c in plan.changes}[LAST] == "A -192.0.2.9 +203.0.113.1"


def test_absence_deletes_nothing() -> None:
    plan = zone_plan(_after(WISH), Desired({}, {}), OWNER)
    assert not plan.changes
    assert {o.name for o in plan.orphans} == set(WISH.names)
    assert plan.alarm == ""


def test_a_tombstone_and_force_delete() -> None:
    for more in ({"gone": {"service/default/web"}}, {"force": True}):
        plan = zone_plan(_after(WISH), Desired({}, {}), OWNER, **more)
        assert set(_verbs(plan).values()) == {"delete"}
        assert set(_verbs(plan)) == set(WISH.names)


def test_a_place_that_no_member_has_any_more_explains_its_delete() -> None:
    smaller = desired([service("web", shard("m1", "203.0.113.1"))], SETTINGS, {}, Context((EU_A,)))
    assert _verbs(zone_plan(_after(WISH), smaller, OWNER)) == {ZONE_B: "delete"}


def test_many_orphans_are_an_alarm_and_deletes_with_a_tombstone_are_none() -> None:
    services = [service(f"s{n}", shard("m1", "203.0.113.1")) for n in range(20)]
    have = _after(desired(services, SETTINGS, {}, Context()))
    some = desired(services[:12], SETTINGS, {}, Context())
    plan = zone_plan(have, some, OWNER)
    assert not plan.changes
    assert plan.alarm.startswith("24 of 60 published names belong to objects that the federation no longer has")
    gone = {f"service/default/s{n}" for n in range(12, 20)}
    plan = zone_plan(have, some, OWNER, gone=gone)
    assert plan.changes.counts() == {"create": 0, "update": 0, "delete": 24}
    assert plan.alarm == ""


def test_nothing_is_taken_out_before_all_members_were_read() -> None:
    before = desired(
        [service("web", shard("m1", "203.0.113.1"), shard("m2", "203.0.113.2"))], SETTINGS, {}, Context((EU_B,))
    )
    after = desired([service("web", shard("m1", "203.0.113.1"), shard("m3", "203.0.113.3"))], SETTINGS, {}, Context())
    plan = zone_plan(_after(before), after, OWNER, settled=False)
    assert not plan.changes
    assert set(plan.waiting) == set(before.names)
