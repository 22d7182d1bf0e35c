"""The roster as JSON: every field survives, and what is not a roster is refused."""

from __future__ import annotations

import pytest

from rancherctl.placement.model import Roster, RosterHost


def test_a_roster_survives_json() -> None:
    roster = Roster(
        3,
        9,
        (
            RosterHost("h1", "192.0.2.1", "10.0.0.1", {"b": "1", "a": "2"}, blocked=(80,), users={80: "Service a/b"}),
            RosterHost("h2", "x", alive=False, lb=False, excluded=True),
        ),
    )
    assert Roster.from_json(roster.to_json()) == roster


def test_a_roster_of_an_earlier_leader_never_replaces_a_later_one() -> None:
    roster = Roster(3, 9)
    assert Roster(2, 100).newer_than(roster) is False
    assert Roster(3, 9).newer_than(roster) is True


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"hosts": [{}]}',
        '{"hosts": [1]}',
        '{"hosts": [{"name": "a", "address": "b", "blocked": ["x"]}]}',
    ],
)
def test_invalid_roster_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Roster.from_json(text)
