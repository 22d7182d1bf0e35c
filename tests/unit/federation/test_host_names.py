"""Host names of members' load balancers: what is looked up when, and what stays if it cannot be."""

from __future__ import annotations

import pytest

from rancherctl.errors import NotFoundError, UnreachableError
from rancherctl.federation.host_names import MAX_NAMES, MAX_SECONDS, MIN_SECONDS, RETRY_SECONDS, Answer, HostNames
from rancherctl.federation.model import Lookup

LB, OTHER = "lb.example.org", "Other.Example.org."


class _World:
    """DNS as a table, and a clock; ``HostNames`` without its thread."""

    def __init__(self) -> None:
        self.table: dict[str, Answer | Exception] = {}
        self.asked: list[str] = []
        self.now, self.changes = 0.0, 0
        self.names = HostNames("acme.example", self.resolve, changed=self.changed, clock=lambda: self.now)
        self.names._started = True  # the test calls step itself

    def resolve(self, name: str) -> Answer:
        self.asked.append(name)
        found = self.table.get(name, NotFoundError("it does not exist in DNS"))
        if isinstance(found, Exception):
            raise found
        return found

    def changed(self) -> None:
        self.changes += 1

    def step(self, *names: str) -> float | None:
        self.names.want(names)
        return self.names.step()


@pytest.mark.parametrize(("ttl", "pause"), [(5.0, MIN_SECONDS), (60.0, 60.0), (86400.0, MAX_SECONDS)])
def test_an_answer_is_used_for_its_time_within_limits(ttl: float, pause: float) -> None:
    world = _World()
    world.table[f"{LB}."] = Answer(("203.0.113.7",), ttl)
    assert world.step(LB) == pause
    assert world.names.answers() == {LB: Lookup(("203.0.113.7",))}
    world.now = pause - 1
    assert world.step(LB) == 1.0
    assert world.asked == [f"{LB}."]
    world.now = pause
    world.step(LB)
    assert (world.asked, world.changes) == ([f"{LB}."] * 2, 1)


@pytest.mark.parametrize(
    ("error", "said", "pause"),
    [
        (NotFoundError("it does not exist in DNS"), "without an address: it does not exist in DNS", MIN_SECONDS),
        (UnreachableError("timeout"), "not resolved: timeout", RETRY_SECONDS),
    ],
)
def test_a_name_that_cannot_be_resolved_keeps_its_addresses(error: Exception, said: str, pause: float) -> None:
    world = _World()
    world.table[f"{LB}."] = Answer(("203.0.113.7",), 60.0)
    world.step(LB)
    world.table[f"{LB}."], world.now = error, 60.0
    assert world.step(LB) == pause
    assert world.names.answers() == {LB: Lookup(("203.0.113.7",), said)}
    world.table[f"{LB}."], world.now = Answer(("203.0.113.8",), 60.0), 60.0 + pause
    world.step(LB)
    assert world.names.answers() == {LB: Lookup(("203.0.113.8",))}


def test_a_name_that_was_never_resolved_has_no_address_and_a_reason() -> None:
    world = _World()
    world.step(LB)
    assert world.names.answers() == {LB: Lookup((), "without an address: it does not exist in DNS")}


def test_names_are_looked_up_absolute_and_forgotten_when_no_member_has_them() -> None:
    world = _World()
    world.table["other.example.org."] = Answer(("203.0.113.7",), 60.0)
    world.step(LB, OTHER)
    assert sorted(world.asked) == [f"{LB}.", "other.example.org."]
    assert world.names.answers()[OTHER] == Lookup(("203.0.113.7",))
    assert world.step() is None
    assert world.names.answers() == {}


@pytest.mark.parametrize("name", ["web.default.acme.svc.acme.example", "acme.example", "WWW.Acme.Example."])
def test_names_of_the_own_zone_are_not_followed(name: str) -> None:
    """An alias to a public name of the federation would keep itself published for ever."""
    world = _World()
    world.step(name)
    assert (world.asked, world.names.answers()[name].problem) == ([], "a name of the federation's own zone")


def test_other_texts_are_not_asked_for() -> None:
    world = _World()
    world.step("a b", "x" * 300)
    assert world.asked == []
    assert {found.problem for found in world.names.answers().values()} == {"not a valid DNS name"}


def test_a_member_cannot_have_any_number_of_names_looked_up() -> None:
    world = _World()
    world.step(*(f"n{number:04}.example.org" for number in range(MAX_NAMES + 5)))
    assert len(world.asked) == MAX_NAMES
    problems = [found.problem for found in world.names.answers().values()]
    assert problems.count(f"one of more than {MAX_NAMES} host names") == 5
