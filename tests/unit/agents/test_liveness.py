"""Liveness: silence within our own healthy watch counts, nothing else does."""

from hypothesis import given
from hypothesis import strategies as st

from rancherctl.agents.liveness import Liveness, suspicious


def feed(
    live: Liveness, start: float, end: float, hosts: dict[str, float], *, own_until: float = 1e9, healthy: bool = True
) -> None:
    """Each second from start to end, hosts renew until their value, and the own Lease likewise."""
    t = start
    while t <= end:
        leases = {h: str(min(int(t), int(until))) for h, until in hosts.items()}
        live.observe(leases, str(min(t, own_until)), t, healthy=healthy)
        t += 1.0


def test_a_silent_host_is_lost_after_the_limit_and_not_before() -> None:
    live = Liveness(limit=6.0)
    feed(live, 0, 10, {"h1": 1e9, "h2": 1e9})
    feed(live, 11, 16, {"h1": 1e9, "h2": 10})
    assert live.silent(["h1", "h2"], 16.0) == frozenset()
    feed(live, 17, 17, {"h1": 1e9, "h2": 10})
    assert live.silent(["h1", "h2"], 17.0) == {"h2"}


def test_an_unhealthy_watch_loses_no_host_and_restarts_the_measure() -> None:
    live = Liveness(limit=6.0)
    feed(live, 0, 10, {"h1": 1e9})
    feed(live, 11, 100, {"h1": 10}, healthy=False)
    assert live.silent(["h1"], 100.0) == frozenset()
    feed(live, 101, 106, {"h1": 10})
    assert live.silent(["h1"], 106.0) == frozenset()
    feed(live, 107, 108, {"h1": 10})
    assert live.silent(["h1"], 108.0) == {"h1"}


def test_a_frozen_api_is_detected_by_the_own_lease() -> None:
    live = Liveness(limit=6.0, canary=4.0)
    feed(live, 0, 10, {"h1": 1e9, "h2": 1e9})
    feed(live, 11, 60, {"h1": 10, "h2": 10}, own_until=10)
    assert not live.trusted
    assert live.silent(["h1", "h2"], 60.0) == frozenset()


def test_a_host_is_proven_only_after_a_renewal_was_seen() -> None:
    live = Liveness()
    live.observe({"h1": "a"}, "x", 0.0, healthy=True)
    assert live.proven(0.0) == frozenset()
    live.observe({"h1": "b"}, "y", 1.0, healthy=True)
    assert live.proven(1.0) == {"h1"}


def test_a_renewal_proves_nothing_once_it_is_old_or_the_measure_restarted() -> None:
    live = Liveness(limit=6.0)
    feed(live, 0, 10, {"h1": 1e9, "h2": 5})
    assert live.proven(11.5) == {"h1"}
    live.restart(11.0)
    assert live.proven(11.0) == frozenset()


def test_a_change_delivered_by_a_reconnect_proves_nothing() -> None:
    live = Liveness()
    feed(live, 0, 3, {"h1": 1e9})
    live.observe({"h1": "later"}, "4", 4.0, healthy=False)
    live.observe({"h1": "later still"}, "5", 5.0, healthy=True)
    assert live.proven(5.0) == frozenset()
    live.observe({"h1": "now"}, "6", 6.0, healthy=True)
    assert live.proven(6.0) == {"h1"}


def test_a_host_without_a_lease_is_silent_after_the_limit() -> None:
    live = Liveness(limit=6.0)
    feed(live, 0, 6, {"h1": 1e9})
    assert live.silent(["h1", "gone"], 6.0) == frozenset()
    feed(live, 7, 7, {"h1": 1e9})
    assert live.silent(["h1", "gone"], 7.0) == {"gone"}


def test_a_host_is_not_silent_because_its_lease_was_deleted() -> None:
    """It is created again, empty, and the host renews it with its next beat."""
    live = Liveness(limit=6.0)
    feed(live, 0, 10, {"h1": 1e9, "h2": 1e9})
    feed(live, 11, 13, {"h1": 1e9})
    assert live.silent(["h1", "h2"], 13.0) == frozenset()
    feed(live, 14, 14, {"h1": 1e9, "h2": 1e9})
    assert live.proven(14.0) == {"h1", "h2"}
    feed(live, 15, 21, {"h1": 1e9})
    assert live.silent(["h1", "h2"], 21.0) == {"h2"}


def test_a_host_is_late_after_half_the_limit() -> None:
    live = Liveness(limit=6.0)
    feed(live, 0, 14, {"h1": 1e9, "h2": 10, "h3": 12})
    assert live.silent(["h1", "h2", "h3"], 14.0) == frozenset()
    assert live.late(["h1", "h2", "h3"], 14.0) == {"h2"}


def test_the_clock_of_a_host_does_not_matter() -> None:
    live = Liveness(limit=6.0)
    for t in range(20):
        live.observe({"h1": f"1999-01-01T00:00:{t:02}Z"}, str(t), float(t), healthy=True)
    assert live.silent(["h1"], 19.0) == frozenset()


def test_a_loss_of_more_than_one_host_and_30_percent_is_suspicious() -> None:
    assert not suspicious(1, 1)
    assert not suspicious(1, 3)
    assert suspicious(2, 3)
    assert not suspicious(3, 10)
    assert suspicious(4, 10)


@given(
    st.integers(1, 30),
    st.lists(st.sampled_from(["well", "well", "well", "unhealthy", "frozen", "election"]), min_size=1, max_size=60),
)
def test_whatever_happens_to_the_leader_live_hosts_stay_and_dead_ones_do_not_return(
    died: int, events: list[str]
) -> None:
    """One host lives, one dies; meanwhile the watch breaks, the own Lease freezes, leaders change."""
    live = Liveness(limit=6.0, canary=4.0)
    alive, own, rose = {"well": False, "mortal": False}, 0, 0
    for now, event in enumerate(["well"] * died + events):
        own += event != "frozen"
        renewed = {"well": str(now), "mortal": str(min(now, died))}
        if event == "election":
            live.restart(now)
        live.observe(renewed, str(own), now, healthy=event != "unhealthy")
        gone, proven = live.silent(alive, now), live.proven(now)
        before = dict(alive)
        alive = {h: h not in gone and (a or h in proven) for h, a in alive.items()}
        assert alive["well"] or not before["well"]
        rose += alive["mortal"] and not before["mortal"] and now > died + 6
    assert rose == 0
