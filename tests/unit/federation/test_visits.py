"""The note of a federation in its member, and what it says when it is old."""

from __future__ import annotations

import pytest

from rancherctl import visits

AT = 1_790_000_000.0


@pytest.mark.parametrize(
    ("note", "later", "said"),
    [
        (visits.text(AT), visits.STALE_SECONDS - 1, False),
        (visits.text(AT), visits.STALE_SECONDS, True),
        (visits.text(AT), -3600.0, False),
        ("", 1e6, False),
        ("yesterday", 1e6, False),
    ],
    ids=["young", "old", "a clock that is behind", "no note", "unreadable"],
)
def test_only_an_old_note_is_said(note: str, later: float, said: bool) -> None:
    line = visits.stale("m2", "acme", note, AT + later)
    assert bool(line) is said
    assert not said or line.startswith("the federation acme was last here at 2026-09-21T")


def test_a_note_is_read_as_it_was_written() -> None:
    assert visits.seconds(visits.text(AT)) == AT
