"""The plan for one member: absence never deletes, tombstones do, foreign objects are left alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from rancherctl.federation.objects import CopyView, Federated, ObjectId
from rancherctl.federation.plan import MemberPlan, Memo, State, Tombstone, Verb, WantedCopies, counts, plan
from tests.fakes.federation import FEDERATION, UID, copy_of, namespace_json, service_json, source_of

NAMESPACE = source_of(namespace_json())
WEB = source_of(service_json())
THERE = copy_of(NAMESPACE)


def wanted(*sources: Federated, **more: object) -> WantedCopies:
    return replace(WantedCopies(FEDERATION, UID, {s.id: s for s in sources}), **more)  # type: ignore[arg-type]


def have(*copies: CopyView) -> dict[ObjectId, CopyView]:
    return {copy.id: copy for copy in copies}


def steps(made: MemberPlan) -> list[tuple[Verb, str]]:
    return [(step.verb, step.id.key) for step in made.steps]


def look(want: WantedCopies, copies: Iterable[CopyView], *, first: bool = False) -> MemberPlan:
    return plan(want, have(*copies), first_look=first)


def test_a_plan_with_a_memory_is_the_plan_without_one() -> None:
    """The copy, then the object, then the namespace changes: nothing old is remembered."""
    memo: Memo = {}
    newer = source_of(service_json(selector={"app": "new"}))
    drifted = copy_of(WEB, selector={"app": "edited"})
    for source, copies in (
        (WEB, []),
        (WEB, [THERE]),
        (WEB, [THERE, copy_of(WEB)]),
        (WEB, [THERE, drifted]),
        (newer, [THERE, drifted]),
        (newer, [THERE, copy_of(newer)]),
        (newer, [copy_of(newer)]),
    ):
        for _ in range(2):
            remembered = plan(wanted(source, NAMESPACE), have(*copies), first_look=False, memo=memo)
            assert remembered == look(wanted(source, NAMESPACE), copies)


def test_a_missing_copy_is_created_once_its_namespace_is_there() -> None:
    made = look(wanted(WEB, NAMESPACE), ())
    assert steps(made) == [(Verb.CREATE, "default")]
    assert {state.state for state in made.states.values()} == {State.PENDING}
    assert steps(look(wanted(WEB, NAMESPACE), [copy_of(NAMESPACE)])) == [(Verb.CREATE, "default/web")]


def test_copies_that_are_in_sync_need_no_write() -> None:
    made = look(wanted(WEB, NAMESPACE), [copy_of(WEB), copy_of(NAMESPACE)])
    assert made.steps == ()
    assert counts(made.states) == {"wanted": 1, "inSync": 1, "conflicts": 0, "pending": 0}


def test_what_changed_on_either_side_is_updated() -> None:
    newer = source_of(service_json(selector={"app": "new"}))
    old, drifted = copy_of(WEB), copy_of(WEB, selector={"app": "edited"})
    assert [step.why for step in look(wanted(newer), [old, THERE]).steps] == ["changed in the federation"]
    assert [step.why for step in look(wanted(WEB), [drifted, THERE]).steps] == ["changed in the member"]


def test_a_label_or_annotation_that_is_foreign_stays_and_a_copied_one_comes_back() -> None:
    copy = copy_of(WEB)
    foreign = replace(copy, labels={**copy.labels, "team": "x"}, annotations={"note": "y"})
    assert look(wanted(WEB), [foreign]).steps == ()
    stripped = replace(copy, labels={})
    assert steps(look(wanted(WEB), [stripped, THERE])) == [(Verb.UPDATE, "default/web")]


def test_absence_deletes_nothing_and_is_reported() -> None:
    """Case 22."""
    made = look(wanted(), [copy_of(WEB)])
    assert made.steps == ()
    assert made.orphans == (WEB.id,)


def test_a_tombstone_deletes_the_copy_of_just_that_object() -> None:
    grave = {WEB.id: Tombstone(WEB.meta.uid)}
    assert steps(look(wanted(tombstones=grave), [copy_of(WEB)])) == [(Verb.DELETE, "default/web")]
    other = {WEB.id: Tombstone("uid of an older Service")}
    made = look(wanted(tombstones=other), [copy_of(WEB)])
    assert made.steps == ()
    assert made.done == {WEB.id}


def test_a_tombstone_is_done_when_the_copy_is_gone_or_the_object_came_again() -> None:
    grave = {WEB.id: Tombstone("old")}
    assert look(wanted(tombstones=grave), ()).done == {WEB.id}
    assert look(wanted(WEB, tombstones=grave), [copy_of(WEB)]).done == {WEB.id}
    assert look(wanted(tombstones={WEB.id: Tombstone(WEB.meta.uid)}), [copy_of(WEB)]).done == frozenset()


def test_orphaned_and_adopted_copies_are_released_not_deleted() -> None:
    orphan = {WEB.id: Tombstone(WEB.meta.uid, orphan=True)}
    assert steps(look(wanted(tombstones=orphan), [copy_of(WEB)])) == [(Verb.RELEASE, "default/web")]
    adopted = replace(copy_of(WEB), adopted="2026-11-29T00:00:00Z")
    assert steps(look(wanted(tombstones={WEB.id: Tombstone(WEB.meta.uid)}), [adopted])) == [
        (Verb.RELEASE, "default/web")
    ]
    assert steps(look(wanted(deselected={WEB.id: WEB.meta.uid}), [adopted])) == [(Verb.RELEASE, "default/web")]


def test_an_object_that_no_longer_selects_the_member_loses_its_copy() -> None:
    assert steps(look(wanted(deselected={WEB.id: WEB.meta.uid}), [copy_of(WEB)])) == [(Verb.DELETE, "default/web")]
    assert look(wanted(deselected={WEB.id: "another uid"}), [copy_of(WEB)]).steps == ()


def test_the_first_look_deletes_nothing() -> None:
    want = wanted(deselected={WEB.id: WEB.meta.uid})
    assert look(want, [copy_of(WEB)], first=True).steps == ()


def test_an_object_whose_selector_cannot_be_read_stays_where_it_is() -> None:
    want = wanted(uncertain={WEB.id: WEB})
    assert look(want, [copy_of(WEB)]).steps == ()
    assert look(want, [copy_of(WEB)]).orphans == ()
    made = look(want, ())
    assert made.steps == ()
    assert made.states == {}


def test_a_copy_of_another_federation_is_a_conflict_and_untouched() -> None:
    theirs = replace(copy_of(WEB), federation_uid="another federation")
    made = look(wanted(WEB), [theirs])
    assert made.steps == ()
    assert made.states[WEB.id].reason == "ForeignFederation"
    grave = {WEB.id: Tombstone(WEB.meta.uid)}
    assert look(wanted(tombstones=grave), [theirs]).steps == ()


def test_a_copy_of_an_older_object_with_the_same_name_is_taken_over() -> None:
    older = replace(copy_of(WEB), source_uid="uid of yesterday")
    assert steps(look(wanted(WEB), [older, THERE])) == [(Verb.UPDATE, "default/web")]


def test_a_namespace_that_an_administrator_opened_is_left_as_it_is() -> None:
    opened = CopyView(NAMESPACE.id, "uid", "1", federation=FEDERATION)
    made = look(wanted(NAMESPACE), [opened])
    assert made.steps == ()
    assert made.states[NAMESPACE.id].state is State.IN_SYNC
    assert look(wanted(tombstones={NAMESPACE.id: Tombstone(NAMESPACE.meta.uid)}), [opened]).steps == ()


def many(count: int) -> list[Federated]:
    return [source_of(service_json(f"s{number}")) for number in range(count)]


def test_many_deletes_without_tombstones_are_held_until_they_are_forced() -> None:
    """Case 55, karmada#5150 #2364: a label of a member that is lost looks like a decision."""
    sources = many(60)
    copies = [copy_of(source) for source in sources]
    deselected = {source.id: source.meta.uid for source in sources[:21]}
    made = look(wanted(*sources[21:], deselected=deselected), copies)
    assert made.steps == ()
    assert set(made.held) == deselected.keys()
    forced = look(wanted(*sources[21:], deselected=deselected, force=True), copies)
    assert [step.verb for step in forced.steps] == [Verb.DELETE] * 21
    assert forced.held == ()


def test_tombstones_explain_any_number_of_deletes() -> None:
    sources = many(60)
    graves = {source.id: Tombstone(source.meta.uid) for source in sources}
    assert len(look(wanted(tombstones=graves), [copy_of(source) for source in sources]).steps) == 60


@pytest.mark.parametrize(("leave", "verb"), [("delete", Verb.DELETE), ("keep", Verb.RELEASE)])
def test_a_member_that_leaves_loses_all_its_copies_at_once(leave: str, verb: Verb) -> None:
    """Case 55: that it leaves explains them; its first look deletes nothing."""
    copies = [copy_of(source) for source in many(60)]
    made = look(wanted(leave=leave), copies)
    assert [step.verb for step in made.steps] == [verb] * 60
    assert (made.held, look(wanted(leave=leave), copies, first=True).steps) == ((), ())


def test_few_deletes_and_a_small_share_need_no_second_opinion() -> None:
    few = many(20)
    assert len(look(wanted(deselected={s.id: s.meta.uid for s in few}), [copy_of(s) for s in few]).steps) == 20
    sources = many(100)
    part = {s.id: s.meta.uid for s in sources[:30]}
    assert len(look(wanted(*sources[30:], deselected=part), [copy_of(s) for s in sources]).steps) == 30
