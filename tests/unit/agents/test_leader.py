"""Election: one leader, takeover by the own clock only, no write by a leader that was frozen."""

import copy
from typing import Any

import pytest

from rancherctl.agents.leader import Leader, NotLeaderError
from rancherctl.errors import ConflictError, NotFoundError, UnreachableError


class Store:
    """One Lease with optimistic concurrency."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.down = False

    def _keep(self, body: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        self.lease = copy.deepcopy(body)
        self.lease["metadata"]["resourceVersion"] = str(self.version)
        return copy.deepcopy(self.lease)

    def get(self, *_: Any, **__: Any) -> dict[str, Any]:
        if self.down:
            raise UnreachableError("down")
        if self.lease is None:
            raise NotFoundError("no lease")
        return copy.deepcopy(self.lease)

    def create(self, _: Any, body: dict[str, Any], **__: Any) -> dict[str, Any]:
        if self.lease is not None:
            raise ConflictError("exists")
        return self._keep(body)

    def replace(self, _: Any, body: dict[str, Any], **__: Any) -> dict[str, Any]:
        assert self.lease is not None
        if body["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            raise ConflictError("changed")
        return self._keep(body)


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def pair() -> tuple[Store, Time, Leader, Leader]:
    store, time = Store(), Time()
    make = lambda name: Leader(store, name, duration=8.0, clock=time, now=lambda: f"t{time.now}")  # type: ignore[arg-type]
    return store, time, make("a"), make("b")


def test_the_first_process_leads_and_the_second_waits() -> None:
    _, _, a, b = pair()
    assert a.tick()
    assert not b.tick()
    assert a.epoch == 1


def test_a_standby_takes_over_after_the_duration_on_its_own_clock_with_a_higher_epoch() -> None:
    _, time, a, b = pair()
    a.tick()
    b.tick()
    time.now = 8.0
    assert not b.tick()
    time.now = 8.5
    assert b.tick()
    assert b.epoch > a.epoch


def test_a_leader_that_was_frozen_may_not_write_even_before_it_reads_the_lease() -> None:
    _, time, a, b = pair()
    a.tick()
    assert a.check() == 1
    time.now = 20.0  # frozen meanwhile
    with pytest.raises(NotLeaderError):
        a.check()
    b.tick()
    time.now = 40.0
    assert b.tick()
    assert not a.tick()


def test_renewals_keep_the_leadership_and_the_epoch() -> None:
    _, time, a, b = pair()
    for t in range(0, 60, 2):
        time.now = float(t)
        assert a.tick()
        assert not b.tick()
    assert a.epoch == 1


def test_leadership_expires_while_the_api_is_unreachable() -> None:
    store, time, a, _ = pair()
    a.tick()
    store.down = True
    time.now = 5.0
    with pytest.raises(UnreachableError):
        a.tick()
    assert a.leading
    time.now = 6.5
    assert not a.leading


def test_a_restarted_process_of_the_same_name_gets_a_new_epoch_at_once() -> None:
    store, time, a, _ = pair()
    a.tick()
    again = Leader(store, "a", duration=8.0, clock=time, now=lambda: "later")  # type: ignore[arg-type]
    assert again.tick()
    assert again.epoch == 2


def test_a_process_that_was_frozen_yields_to_a_later_one_of_its_name() -> None:
    """The controller was started again by hand while the first was frozen: only one may lead."""
    store, time, frozen, _ = pair()
    frozen.tick()
    later = Leader(store, "a", duration=8.0, clock=time, now=lambda: f"later {time.now}")  # type: ignore[arg-type]
    time.now = 10.0
    assert later.tick()
    for t in range(11, 40):
        time.now = float(t)
        assert not frozen.tick()
        assert later.tick()
        with pytest.raises(NotLeaderError):
            frozen.check()
    later.release()
    time.now = 40.0
    assert frozen.tick()
    assert (frozen.epoch, later.epoch) == (3, 2)


def test_a_leader_survives_edits_of_its_lease_by_others() -> None:
    """A label or an emptied spec does not end the leadership."""
    store, time, a, b = pair()
    a.tick()
    assert store.lease
    store.lease["metadata"]["labels"] = {"seen": "by hand"}
    time.now = 2.0
    assert a.tick()
    assert a.epoch == 1
    store.lease["spec"] = {}
    time.now = 4.0
    assert a.tick()
    assert a.epoch == 2
    assert not b.tick()


def test_a_deleted_lease_does_not_make_a_second_leader() -> None:
    store, time, a, b = pair()
    a.tick()
    b.tick()
    time.now = 1.0
    store.lease = None
    assert not b.tick()
    assert a.tick()
    assert a.epoch == 2
    store.lease = None
    time.now = 8.0
    assert not b.tick()
    time.now = 8.5
    assert b.tick(), "its holder stopped renewing, too"


def test_a_released_lease_is_taken_over_at_once() -> None:
    _, _, a, b = pair()
    a.tick()
    a.release()
    assert not a.leading
    assert b.tick()


def test_leaders_of_different_leases_do_not_compete() -> None:
    """A process of another kind, such as a federation's, is elected by a Lease of its own."""
    names: list[str] = []

    class Named(Store):
        def create(self, _: Any, body: dict[str, Any], **options: Any) -> dict[str, Any]:
            names.append(body["metadata"]["name"])
            return super().create(_, body, **options)

    for lease in ("one", "two"):
        assert Leader(Named(), "a", lease=lease).tick()  # type: ignore[arg-type]
    assert names == ["one", "two"]
