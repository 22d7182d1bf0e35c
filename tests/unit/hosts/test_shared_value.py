"""A value shared by threads is created once."""

from __future__ import annotations

import threading

import pytest

from rancherctl.errors import UnreachableError
from rancherctl.hosts.shared_value import SharedValue


def test_the_value_is_created_once_and_again_when_unusable() -> None:
    made: list[int] = []
    bad: set[int] = set()

    def make() -> int:
        made.append(len(made))
        return made[-1]

    shared = SharedValue(make, lambda value: value not in bad)
    assert shared.peek() is None
    assert [shared.get(), shared.get()] == [0, 0]
    bad.add(0)
    assert shared.get() == 1
    assert shared.peek() == 1


def test_waiting_threads_share_the_failure_and_later_calls_try_again() -> None:
    begun, go = threading.Event(), threading.Event()
    tries: list[int] = []

    def make() -> int:
        tries.append(1)
        begun.set()
        assert go.wait(60)
        raise UnreachableError("h1: cannot connect")

    shared: SharedValue[int] = SharedValue(make, lambda value: True)
    failed: list[BaseException] = []

    def one() -> None:
        try:
            shared.get()
        except UnreachableError as error:
            failed.append(error)

    first = threading.Thread(target=one)
    first.start()
    assert begun.wait(60)
    others = [threading.Thread(target=one) for _ in range(5)]
    for thread in others:
        thread.start()
    while shared.waiting < 5:
        assert first.is_alive()
    go.set()
    for thread in (first, *others):
        thread.join()
    assert len(failed) == 6
    assert len(tries) == 1
    with pytest.raises(UnreachableError):
        shared.get()
    assert len(tries) == 2
