"""Hold: a loss is held back while it is young, believed once it lasts, and forgotten once it ends."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rancherctl.hold import LOSS_SHARE, Hold, is_mass_loss

STEPS = st.lists(st.tuples(st.sampled_from(["loss", "none", "restart"]), st.integers(0, 20)), max_size=60)


@given(st.integers(0, 60), STEPS)
def test_a_loss_is_held_exactly_while_it_is_younger_than_the_limit(seconds: int, steps: list[tuple[str, int]]) -> None:
    """Compared with a model that keeps the whole history of what was seen."""
    hold, now = Hold(float(seconds)), 0
    began: int | None = None
    for event, passed in steps:
        now += passed
        if event == "restart":
            hold.restart()
            began = None
            assert hold.remaining(now) is None
            continue
        active = hold.active(event == "loss", float(now))
        began = None if event == "none" else now if began is None else began
        assert active == (began is not None and now - began < seconds)
        assert hold.remaining(float(now)) == (None if began is None else max(0, began + seconds - now))


@given(st.floats(0.1, 1e6), st.floats(0, 1e9), st.lists(st.floats(0, 10), max_size=20))
def test_a_loss_that_lasts_is_believed_and_stays_believed(seconds: float, start: float, later: list[float]) -> None:
    hold = Hold(seconds)
    hold.active(True, start)
    now = start + seconds * (1 + 1e-9) + 1e-3
    for passed in (0.0, *later):
        now += passed
        assert not hold.active(True, now)


@given(st.floats(0, 1e6), st.floats(0, 1e9))
def test_without_a_loss_nothing_is_ever_held(seconds: float, now: float) -> None:
    hold = Hold(seconds)
    assert not hold.active(False, now)
    hold.active(True, now)
    assert not hold.active(False, now)
    assert hold.remaining(now) is None


def test_a_second_loss_is_held_in_full() -> None:
    hold = Hold(5.0)
    assert [hold.active(loss, now) for loss, now in ((True, 0.0), (True, 4.0), (False, 5.0), (True, 6.0))] == [
        True,
        True,
        False,
        True,
    ]
    assert hold.active(True, 10.9)
    assert not hold.active(True, 11.0)


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 10))
def test_a_mass_loss_exceeds_both_the_floor_and_the_share(lost: int, existing: int, floor: int) -> None:
    assert is_mass_loss(lost, existing, floor=floor) == (lost > floor and lost > LOSS_SHARE * existing)
    assert not is_mass_loss(floor, existing, floor=floor)
    assert not is_mass_loss(0, existing, floor=floor)
