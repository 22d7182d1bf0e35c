"""Plans as values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rancherctl.change import Unknown, diff

THINGS = st.dictionaries(st.text(max_size=2), st.integers(0, 3))


def test_a_plan_is_sorted_and_counted() -> None:
    plan = diff({"b": "1", "x": "1"}, {"b": "2", "a": "1"}, why=lambda old, new: f"{old} → {new}")
    assert [(c.verb, c.key, c.why) for c in plan] == [
        ("create", "a", ""),
        ("update", "b", "1 → 2"),
        ("delete", "x", ""),
    ]
    assert plan.counts() == {"create": 1, "update": 1, "delete": 1}


@given(THINGS, THINGS)
def test_an_applied_plan_leaves_nothing_to_do(have: dict[str, int], want: dict[str, int]) -> None:
    after = dict(have)
    for change in diff(have, want):
        if change.new is None:
            del after[change.key]
        else:
            after[change.key] = change.new
    assert after == want
    assert not diff(after, want)


@given(THINGS, THINGS)
def test_nothing_is_deleted_if_something_is_unknown(have: dict[str, int], want: dict[str, int]) -> None:
    assert diff(have, want, unknown=[Unknown("h2", "no answer")]).counts()["delete"] == 0
