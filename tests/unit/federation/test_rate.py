"""The limit of writes in one member: a burst after a pause, then a steady rate, for any number of writers."""

from __future__ import annotations

import pytest

from rancherctl.federation.rate import TokenBucket
from rancherctl.federation.worker import BURST, RATE, WRITERS


@pytest.mark.parametrize("writers", [1, WRITERS])
def test_a_member_gets_fifty_writes_a_second_after_the_first_hundred(writers: int) -> None:
    """Case 63, karmada#6094: nothing limited the calls to a member. Each writer waits as long as it is asked to."""
    now, times = 0.0, list[float]()
    bucket = TokenBucket(RATE, BURST, lambda: now)
    free = [0.0] * writers
    while len(times) < 600:
        now = max(now, min(free))
        index = free.index(min(free))
        free[index] = now + bucket.take()
        times.append(free[index])
    times.sort()
    for second in range(int(times[-1])):
        made = sum(second <= at < second + 1 for at in times)
        assert made <= (BURST + RATE if second == 0 else RATE)
    assert times[-1] == pytest.approx((600 - BURST) / RATE)


def test_a_pause_fills_the_burst_and_no_more() -> None:
    now = 0.0
    bucket = TokenBucket(RATE, BURST, lambda: now)
    for _ in range(BURST):
        assert bucket.take() == 0.0
    assert bucket.take() > 0.0
    now = 3600.0
    assert [bucket.take() for _ in range(BURST)] == [0.0] * BURST
    assert bucket.take() == pytest.approx(1 / RATE)
