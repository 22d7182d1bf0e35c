"""Verdicts on addresses: who must fail, who counts, holds, flapping (cases 43 to 47), and reports of vantage points."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping

import pytest

from rancherctl.federation.health import LEADER, Judge
from rancherctl.federation.probe_results import ProbeLog, Result, Seen, results_from_json, results_to_json
from rancherctl.federation.probe_targets import Footprint, Footprints, Target, assigned, period, targets
from rancherctl.federation.vantage import VantagePoint, targets_from_json, targets_to_json
from tests.fakes.dns_provider import service, shard

M1, M2, M3 = "203.0.113.1", "203.0.113.2", "203.0.113.3"
ADDRESSES = {"m1": M1, "m2": M2, "m3": M3}


class _World:
    """Members with one address each; ``reach(place, address)`` says what a probe finds. A round is 2 s."""

    def __init__(self, *members: str) -> None:
        self.members = members or ("m1", "m2", "m3")
        self.found = targets([Footprint.of(service("web", *(shard(m, ADDRESSES[m]) for m in self.members)))])
        self.judge = Judge()
        self.now = 1000.0
        self.cut: set[tuple[str, str]] = set()
        self.dead: set[str] = set()
        self.silent: set[str] = set()
        self.canary = True
        self.logs: dict[str, ProbeLog] = {place: ProbeLog() for place in (LEADER, *self.members)}
        self.changes = 0
        self._last: frozenset[str] = frozenset()

    def reach(self, place: str, address: str) -> bool:
        return address not in self.dead and (place, address) not in self.cut

    def round(self, reach: Callable[[str, str], bool] | None = None) -> frozenset[str]:
        """One round of probes at all places that are alive; returns the withdrawn addresses."""
        self.now += 2.0
        mine = assigned(self.found.values(), self.members)
        mine[LEADER] = list(self.found.values())
        for place, log in self.logs.items():
            if place in self.silent:
                continue
            log.record({t.key: (reach or self.reach)(place, t.address) for t in mine[place]}, self.now)
            self.judge.feed(place, log.results(self.now), self.now)
        self.verdicts = self.judge.judge(self.found, self.now, lambda: self.canary)
        out = frozenset(key for key, verdict in self.verdicts.items() if verdict.withdrawn)
        self.changes += out != self._last
        self._last = out
        return out

    def rounds(self, count: int) -> frozenset[str]:
        for _ in range(count):
            out = self.round()
        return out


def test_a_dead_member_is_withdrawn_within_four_rounds_and_returns() -> None:
    """Case 43: out within 10 s, back within 20 s after the address answers.

    k/k#36923, federation#83 #264: addresses of clusters that were off stayed in Federation v1's DNS.
    """
    world = _World()
    world.rounds(5)
    world.dead, world.silent = {M1}, {"m1"}
    died = world.now
    while world.round() != {M1}:
        assert world.now - died <= 8.0
    assert world.verdicts[M1].reason == "3 of 4 probes failed from 3 places (the federation, m2, m3)"
    world.dead, world.silent = set(), set()
    back = world.now
    while world.round():
        assert world.now - back <= 18.0


@pytest.mark.parametrize("place", [LEADER, "m2"])
def test_one_place_alone_withdraws_nothing(place: str) -> None:
    """Cases 45 and 47: the federation is cut off from one member, or one member from another."""
    world = _World()
    world.rounds(5)
    world.cut = {(place, M1)}
    assert world.rounds(400) == frozenset()


@pytest.mark.parametrize("canary", [False, True], ids=["name server away", "name server on the federation's host"])
def test_a_federation_that_is_cut_off_withdraws_nothing(canary: bool) -> None:
    """Case 45."""
    world = _World()
    world.rounds(5)
    world.cut = {(LEADER, address) for address in ADDRESSES.values()}
    world.silent, world.canary = set(world.members), canary
    assert world.rounds(400) == frozenset()
    world.cut, world.silent = set(), set()
    world.rounds(10)
    assert world.changes == 0


def test_all_members_dead_at_once_are_held() -> None:
    world = _World()
    world.rounds(5)
    world.dead, world.silent, world.canary = set(ADDRESSES.values()), set(world.members), False
    assert world.rounds(100) == frozenset()


def test_dead_addresses_without_a_living_member_are_held_with_their_names() -> None:
    """The leader and one report agree, but nothing shows that another member lives."""
    judge, found = Judge(), targets([Footprint.of(service("web", shard("m1", M1), shard("m2", M2)))])
    down = {M1: Result(Seen.DOWN, 5.0), M2: Result(Seen.DOWN, 5.0)}
    judge.feed(LEADER, down, 0.0)
    judge.feed("m1", {M2: down[M2]}, 0.0)
    assert not any(v.withdrawn for k, v in judge.judge(found, 0.0, lambda: True).items() if k == M1)


def test_two_of_three_dead_are_withdrawn_if_the_third_confirms_it() -> None:
    world = _World()
    world.rounds(5)
    world.dead, world.silent = {M1, M2}, {"m1", "m2"}
    assert world.rounds(6) == {M1, M2}


def test_of_two_members_the_other_one_confirms() -> None:
    world = _World("m1", "m2")
    world.rounds(5)
    world.dead, world.silent = {M1}, {"m1"}
    assert world.rounds(6) == {M1}


def test_a_place_that_never_reached_a_target_does_not_count() -> None:
    """Private sites: m2 and m3 cannot reach m1 at all, and the federation can."""
    world = _World()
    world.cut = {("m2", M1), ("m3", M1)}
    world.rounds(20)
    world.cut |= {(LEADER, M1)}
    assert world.rounds(14) == frozenset()
    assert world.rounds(6) == {M1}  # the only valid place, after 30 s


def test_the_only_valid_place_needs_something_else_that_answers() -> None:
    world = _World("m1")
    world.rounds(5)
    world.dead, world.canary = {M1}, False
    assert world.rounds(60) == frozenset()


def test_losing_an_api_changes_nothing() -> None:
    """Case 44: its controller reports no more, its addresses answer (k/k PR#36390, karmada PR#6258)."""
    world = _World()
    world.rounds(5)
    world.silent = {"m1"}
    assert world.rounds(300) == frozenset()


def test_a_thousand_single_lost_probes_withdraw_nothing() -> None:
    """Case 47."""
    world, choose = _World(), random.Random(7)
    lost = 0

    def reach(place: str, address: str) -> bool:
        nonlocal lost
        last = list(world.logs[place]._outcomes.get(address, ()))
        if all(last[-3:]) and choose.random() < 0.3:
            lost += 1
            return False
        return True

    while lost < 1000:
        assert world.round(reach) == frozenset()


@pytest.mark.parametrize(("seconds", "changes"), [(5, 1), (15, 1), (30, 5), (60, 7)])
def test_flapping_for_ten_minutes_changes_the_zone_a_few_times(seconds: int, changes: int) -> None:
    """Case 47."""
    world = _World()
    world.rounds(5)
    began = world.now
    while world.now - began < 600:
        world.dead = {M1} if int((world.now - began) / seconds) % 2 == 0 else set()
        world.round()
    assert world.changes <= changes


def test_an_old_report_says_nothing() -> None:
    judge = Judge()
    judge.feed("m2", {M1: Result(Seen.DOWN, 5.0)}, 0.0)
    assert judge.valid_places(M1, 25.0) == 1
    assert judge.valid_places(M1, 26.0) == 0


def test_a_new_leader_goes_on_with_what_was_withdrawn() -> None:
    world = _World()
    world.dead = {M1}
    world.judge = Judge({M1: "3 of 4 probes failed from 2 places"}, world.now)
    assert world.rounds(400) == {M1}
    world.dead = set()
    assert world.rounds(12) == frozenset()


def test_targets_are_addresses_with_their_lowest_port_and_own_checks() -> None:
    web = service("web", shard("m1", M1), health_check="http:/ready")
    dns = service("dns", shard("m1", M1), shard("m2", M2), health_check="tcp")
    found = targets(Footprints().of([web, dns]))
    assert set(found) == {M1, M2, f"{M1} http:80/ready", f"{M1} tcp:80", f"{M2} tcp:80"}
    assert found[f"{M1} http:80/ready"] == Target(f"{M1} http:80/ready", M1, 80, "/ready", frozenset({"m1"}))


def test_targets_are_probed_by_three_other_members() -> None:
    every = [Target(f"203.0.113.{n}", f"203.0.113.{n}", 80, "", frozenset({f"m{n % 6}"})) for n in range(60)]
    places = [f"m{n}" for n in range(6)]
    mine = assigned(every, places)
    assert sum(map(len, mine.values())) == 180
    assert all(place not in t.members for place, found in mine.items() for t in found)
    assert all(len(found) > 10 for found in mine.values())
    fewer = assigned(every, places[1:])
    moved = sum(len(set(fewer[p]) - set(mine[p])) for p in places[1:])
    assert moved <= len(mine["m0"])


def test_many_targets_are_probed_less_often() -> None:
    assert [period(count) for count in (10, 1000, 3000)] == [2.0, 2.0, 6.0]


def test_reports_are_read_back() -> None:
    results = {M1: Result(Seen.UP, 0.0), M2: Result(Seen.DOWN, None)}
    assert results_from_json(results_to_json(results, 3)) == results


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"results":{"a":1}}', '{"results":{"a":["odd",1]}}', '{"results":[]}']
)
def test_other_texts_are_no_reports(text: str) -> None:
    with pytest.raises(ValueError):
        results_from_json(text)


def test_what_a_hostile_federation_sends_is_limited() -> None:
    assert targets_from_json("") == []
    assert targets_from_json("[1]") == []
    assert targets_from_json('{"targets":[1,["a"],["k","203.0.113.1",80,""]]}') == [Target("k", M1, 80)]
    many = targets_to_json([Target(str(n), M1, 80) for n in range(3000)])
    assert len(targets_from_json(many)) == 2000


def test_a_vantage_point_reports_changes_at_once_and_else_every_ten_seconds() -> None:
    now, alive = [0.0], [True]
    written: list[Mapping[str, Result]] = []

    def probe_all(found: Iterable[Target]) -> dict[str, bool | None]:
        return {t.key: alive[0] for t in found}

    point = VantagePoint(
        lambda text: written.append(results_from_json(text)), clock=lambda: now[0], probe_all=probe_all
    )
    point.want([Target(M1, M1, 80)])
    for _ in range(16):
        assert point.step() == 2.0
        now[0] += 2.0
    assert [r[M1].seen for r in written] == [Seen.MIXED, Seen.UP, Seen.UP, Seen.UP]
    written.clear()
    alive[0] = False
    for _ in range(3):
        point.step()
        now[0] += 2.0
    assert [r[M1].seen for r in written] == [Seen.MIXED, Seen.DOWN]
