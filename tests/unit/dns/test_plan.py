"""Plans, the guard, the state of a zone, and the messages an update is made of."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rancherctl.change import Change, Plan
from rancherctl.dns.apply import CHUNK, build, chunks, edit
from rancherctl.dns.model import RecordSet, fingerprint, zone_hash
from rancherctl.dns.plan import FLOOR, SECOND_LIST_AFTER, HeldDeletes, guard, plan
from rancherctl.dns.zone_state import ZoneState
from rancherctl.hold import is_mass_loss

names = st.integers(0, 6).map(lambda n: f"n{n}.cluster.local.")
sets = st.builds(
    RecordSet,
    names,
    st.sampled_from(["A", "TXT"]),
    st.lists(st.integers(0, 9).map(lambda n: f"10.0.0.{n}"), min_size=1, max_size=6, unique=True).map(
        lambda r: tuple(sorted(r))
    ),
    st.sampled_from([5, 30]),
)
zones = st.lists(sets, max_size=10).map(lambda found: {s.key: s for s in found})


def many(count: int, start: int = 0) -> dict[str, RecordSet]:
    return {
        s.key: s
        for s in (
            RecordSet(f"n{n}.cluster.local.", "A", (f"10.43.{n // 250}.{n % 250}",))
            for n in range(start, start + count)
        )
    }


@given(zones)
def test_equal_sets_need_no_changes(zone: dict[str, RecordSet]) -> None:
    assert not plan(zone, zone)


@given(zones, zones)
def test_applying_a_plan_gives_the_desired_sets(have: dict[str, RecordSet], want: dict[str, RecordSet]) -> None:
    state = dict(have)
    for change in plan(have, want):
        if change.new is None:
            del state[change.key]
        else:
            state[change.key] = change.new
    assert state == want


@given(zones, zones)
def test_edits_do_what_the_plan_says(have: dict[str, RecordSet], want: dict[str, RecordSet]) -> None:
    """The server's view: whole sets are cleared, single records removed and added."""
    state = {(s.name, s.type): dict.fromkeys(s.rdatas, s.ttl) for s in have.values()}
    for batch in chunks(plan(have, want), limit=200):
        for one in batch:
            if one.clear:
                state.pop((one.name, one.type), None)
        for one in batch:
            records = state.setdefault((one.name, one.type), {})
            for rdata in one.remove:
                del records[rdata]
            records.update(dict.fromkeys(one.add, one.ttl))
    assert {k: v for k, v in state.items() if v} == {
        (s.name, s.type): dict.fromkeys(s.rdatas, s.ttl) for s in want.values()
    }


@settings(deadline=None)
@given(st.lists(zones, min_size=1, max_size=5), st.integers(0, 5))
def test_a_zone_state_keeps_its_hash_up_to_date(wishes: list[dict[str, RecordSet]], forget: int) -> None:
    state = ZoneState("cluster.local.")
    state.set_actual({})
    for index, want in enumerate(wishes):
        for key in [*state.want.keys() - want.keys()]:
            state.set_wanted(key, None)
        for key, one in want.items():
            state.set_wanted(key, one)
        if index == forget:
            state.set_actual(dict(state.have or {}))
        todo = state.plan()
        marker = state.marker_after(todo, "1")
        state.accept(todo)
        assert state.have == want
        assert marker.hash == state.have_hash() == state.want_hash() == zone_hash(sum(map(fingerprint, want.values())))
        assert not state.plan()


def test_the_marker_decides_an_update_of_unknown_outcome() -> None:
    state = ZoneState("cluster.local.")
    state.set_actual(many(2))
    for key, one in many(3).items():
        state.set_wanted(key, one)
    todo = state.plan()
    state.attempt = (todo, state.marker_after(todo, "1"))
    before = state.have_hash()
    assert state.confirm(before)
    assert state.plan() == todo
    state.attempt = (todo, state.marker_after(todo, "1"))
    assert state.confirm(state.want_hash())
    assert not state.plan()
    assert not state.confirm("something else")
    assert not state.marked
    state.set_actual(many(3), state.want_hash())
    assert state.marked


def test_a_small_change_of_a_big_set_is_small() -> None:
    rdatas = tuple(sorted(f"10.42.{n // 250}.{n % 250}" for n in range(1000)))
    old = RecordSet("big.cluster.local.", "A", rdatas)
    one = edit(Change("k", old, RecordSet(old.name, "A", rdatas[1:])))
    assert (one.clear, one.remove, one.add) == (False, (rdatas[0],), ())
    assert edit(Change("k", old, RecordSet(old.name, "A", rdatas[:1]))).clear
    assert edit(Change("k", old, RecordSet(old.name, "A", rdatas, ttl=30))).clear


@given(st.integers(0, 8), st.integers(0, 8), st.integers(0, 8), st.sampled_from([1, 60]))
def test_an_edit_is_never_larger_than_the_whole_set(kept: int, gone: int, come: int, size: int) -> None:
    def first_problems(mark: str, count: int, size: int) -> tuple[str, ...]:
        return tuple(f"0 100 80 {mark * size}{n}.svc.cluster.local." for n in range(count))

    before, after = (
        first_problems("k", kept, 1) + part
        for part in (first_problems("g", gone, size), first_problems("n", come, size))
    )
    new = RecordSet("s.cluster.local.", "SRV", after or ("0 100 80 x.",))
    old = RecordSet("s.cluster.local.", "SRV", before) if before else None
    assert edit(Change("k", old, new)).size() <= edit(Change("k", None, new)).size()


def test_half_of_a_set_as_large_as_a_message_may_change_at_once() -> None:
    """Long hostnames and their long replacements do not fit one message, and nothing after it would be sent."""
    short, long = (
        tuple(f"0 100 80 {'h' * size}{mark}{n}.web.default.svc.cluster.local." for n in range(340))
        for size, mark in ((1, "a"), (58, "b"))
    )
    old, new = (
        RecordSet("web.default.svc.cluster.local.", "SRV", tuple(sorted((*short, *part))))
        for part in (long, [t.replace("b", "c", 1) for t in long])
    )
    batches = list(chunks(plan({old.key: old}, {new.key: new})))
    for batch in batches:
        build("cluster.local.", batch, first=True, marker=None).sign("rancherctl", b"x" * 32, number=1, now=1)
    assert len(batches) == 1


def test_messages_hold_whole_sets_and_deletes_come_first() -> None:
    big = RecordSet("big.cluster.local.", "A", tuple(sorted(f"10.42.{n // 250}.{n % 250}" for n in range(3000))))
    gone = RecordSet("z.cluster.local.", "CNAME", ("x.",))
    todo = plan({gone.key: gone}, {**many(1000), big.key: big, "z": RecordSet("z.cluster.local.", "A", ("10.0.0.1",))})
    found = list(chunks(todo))
    assert found[0][0].name == gone.name
    assert all(sum(e.size() for e in batch) <= CHUNK or len(batch) == 1 for batch in found)
    assert [len(batch[0].add) for batch in found if batch[0].name == big.name] == [3000]
    seen = [(e.name, e.type) for batch in found for e in batch]
    assert len(seen) == len(set(seen)) == 1003


def test_the_guard_lets_normal_changes_pass() -> None:
    todo = plan(many(100), {**many(75), **many(5, start=200)})
    assert guard(todo, existing=100, epochs=(2, 2), trusted=(1, 1), hold=None, now=0.0).plan == todo


def test_deletes_that_the_watch_reported_are_believed() -> None:
    todo = plan(many(100), {})
    assert guard(todo, existing=100, epochs=(2, 2), trusted=(2, 2), hold=None, now=0.0).plan == todo


def test_a_list_that_lost_most_names_waits_for_a_second() -> None:
    todo = plan(many(100), many(1, start=500))
    first = guard(todo, existing=100, epochs=(2, 2), trusted=(1, 1), hold=None, now=10.0)
    assert [c.verb for c in first.plan] == ["create"]
    assert "100 of 100" in first.alarm
    assert first.hold is not None
    assert not first.relist_due(10.0 + SECOND_LIST_AFTER - 1)
    assert first.relist_due(10.0 + SECOND_LIST_AFTER)
    rest = plan(many(100), {})
    for epochs, now in [((2, 2), 1000.0), ((3, 2), 1000.0)]:
        again = guard(rest, existing=101, epochs=epochs, trusted=(1, 1), hold=first.hold, now=now)
        assert not again.plan, (epochs, now)
        assert again.hold == first.hold
    second = guard(rest, existing=101, epochs=(3, 3), trusted=(1, 1), hold=first.hold, now=10.0 + SECOND_LIST_AFTER)
    assert second.plan == rest
    assert second.hold is None


def test_a_second_list_that_lacks_other_names_counts_as_a_first() -> None:
    hold = HeldDeletes(frozenset(many(60)), 0.0, (2,))
    todo = plan(many(200), {**many(140, start=60)} | {})
    other = plan(many(200), many(60) | many(60, start=140))
    assert guard(todo, existing=200, epochs=(3,), trusted=(1,), hold=hold, now=SECOND_LIST_AFTER).plan == todo
    verdict = guard(other, existing=200, epochs=(3,), trusted=(1,), hold=hold, now=SECOND_LIST_AFTER)
    assert not verdict.plan
    assert verdict.hold is not None
    again = guard(other, existing=200, epochs=(3,), trusted=(1,), hold=verdict.hold, now=SECOND_LIST_AFTER + 2)
    assert not again.plan, "one list must not confirm itself"


def test_names_that_only_the_later_list_lacks_wait_for_another_list() -> None:
    first = guard(plan(many(200), many(100)), existing=200, epochs=(2,), trusted=(1,), hold=None, now=0.0)
    empty = plan(many(200), {})
    late = guard(empty, existing=200, epochs=(3,), trusted=(1,), hold=first.hold, now=SECOND_LIST_AFTER - 1)
    assert not late.plan
    second = guard(empty, existing=200, epochs=(4,), trusted=(1,), hold=late.hold, now=SECOND_LIST_AFTER + 1)
    assert {c.key for c in second.plan} == many(100, start=100).keys()
    assert second.hold == HeldDeletes(frozenset(many(100)), SECOND_LIST_AFTER + 1, (4,))


def test_two_lists_at_the_same_time_count_as_one() -> None:
    todo = plan(many(100), {})
    first = guard(todo, existing=100, epochs=(2,), trusted=(1,), hold=None, now=0.0)
    soon = guard(todo, existing=100, epochs=(3,), trusted=(1,), hold=first.hold, now=1.0)
    assert not guard(todo, existing=100, epochs=(3,), trusted=(1,), hold=soon.hold, now=SECOND_LIST_AFTER).plan
    assert guard(todo, existing=100, epochs=(4,), trusted=(1,), hold=soon.hold, now=SECOND_LIST_AFTER).plan == todo


def test_a_name_that_changes_its_type_is_not_lost() -> None:
    """The server ignores a CNAME beside other records: with the old address held back, the CNAME would be missing."""
    have = many(100)
    alias = RecordSet("n7.cluster.local.", "CNAME", ("elsewhere.example.",))
    verdict = guard(plan(have, {alias.key: alias}), existing=100, epochs=(2,), trusted=(1,), hold=None, now=0.0)
    assert [(c.key, c.verb) for c in verdict.plan] == [("n7.cluster.local. A", "delete"), (alias.key, "create")]


@given(
    st.lists(
        st.tuples(st.sampled_from([0, 30]), st.sampled_from([0, 30, 60]), st.sampled_from([0.0, 30.0, 60.0])),
        max_size=6,
    )
)
def test_a_single_list_never_removes_much(steps: list[tuple[int, int, float]]) -> None:
    """Each step is a list of the API: names n``start`` to n``end``, seconds since the last; the guard sees it twice."""
    have: dict[str, RecordSet] = many(60)
    hold, now = None, 0.0
    lists: list[tuple[float, dict[str, RecordSet]]] = []
    for epoch, (start, end, passed) in enumerate([*steps, (0, 0, 0.0)], 2):
        now += passed
        want = many(max(0, end - start), start=start)
        lists.append((now, want))
        for _ in range(2):
            verdict = guard(plan(have, want), existing=len(have), epochs=(epoch,), trusted=None, hold=hold, now=now)
            gone = {c.key for c in verdict.plan if c.new is None}
            sure = {
                key
                for key in gone
                if any(key not in known and now - when >= SECOND_LIST_AFTER for when, known in lists)
            }
            assert not is_mass_loss(len(gone - sure), len(have), floor=FLOOR)
            have = {key: one for key, one in have.items() if key not in gone} | {
                c.key: c.new for c in verdict.plan if c.new is not None
            }
            hold = verdict.hold


def test_an_empty_plan_raises_no_alarm() -> None:
    held = HeldDeletes(frozenset({"a"}), 0.0, (1,))
    verdict = guard(Plan(), existing=100, epochs=(9,), trusted=None, hold=held, now=5.0)
    assert (verdict.plan, verdict.hold, verdict.alarm) == (Plan(), None, "")


@pytest.mark.parametrize("existing", [0, 10, 20])
def test_small_zones_may_change_completely(existing: int) -> None:
    todo = plan(many(existing), {})
    assert guard(todo, existing=existing, epochs=(2,), trusted=(1,), hold=None, now=0.0).plan == todo
