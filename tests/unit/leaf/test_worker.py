"""Worker: calls come when due or asked for, failures back off and are logged once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from rancherctl.errors import RancherctlError, UnreachableError
from rancherctl.worker import REMIND_SECONDS, Worker

LIMIT = 60.0
"""Seconds after which a test that waits for a thread gives up."""


class Calls:
    """An action that counts its calls and raises its errors in turn; call n sets ``after[n]``."""

    def __init__(self, *errors: Exception | None, pause: float | None = None) -> None:
        self.errors, self.pause, self.count = list(errors), pause, 0
        self.after = [threading.Event() for _ in range(5)]

    def __call__(self) -> float | None:
        self.count += 1
        error = self.errors.pop(0) if self.errors else None
        if self.count < len(self.after):
            self.after[self.count].set()
        if error is not None:
            raise error
        return self.pause


def never(_: Exception) -> float:
    return 3600.0


def at_once(_: Exception) -> float:
    return 0.0


@pytest.fixture
def running() -> Iterator[Callable[[Worker], Worker]]:
    workers: list[Worker] = []

    def start(worker: Worker) -> Worker:
        workers.append(worker)
        worker.start()
        return worker

    yield start
    for worker in workers:
        worker.stop()


Start = Callable[[Worker], Worker]


def test_the_first_call_comes_at_once_and_the_next_when_woken(running: Start) -> None:
    calls = Calls()
    worker = running(Worker("w", calls, retry=never))
    assert calls.after[1].wait(LIMIT)
    worker.wake()
    assert calls.after[2].wait(LIMIT)


def test_a_short_pause_repeats_the_call_without_a_wake_up(running: Start) -> None:
    calls = Calls(pause=0.0)
    running(Worker("w", calls, retry=never))
    assert calls.after[4].wait(LIMIT)


def test_a_wake_up_ends_the_delay_of_the_first_call(running: Start) -> None:
    calls = Calls()
    worker = running(Worker("w", calls, retry=never, first=3600.0))
    worker.wake()
    assert calls.after[1].wait(LIMIT)


def test_a_wake_up_during_a_call_causes_one_more_call(running: Start) -> None:
    entered, leave, count = threading.Event(), threading.Event(), []
    again = threading.Event()

    def action() -> None:
        count.append(1)
        if len(count) == 1:
            entered.set()
            assert leave.wait(LIMIT)
        else:
            again.set()

    worker = running(Worker("w", action, retry=never))
    assert entered.wait(LIMIT)
    for _ in range(5):
        worker.wake()
    leave.set()
    assert again.wait(LIMIT)
    worker.stop()
    assert len(count) == 2, "many wake-ups before a call count as one"


def test_no_error_ends_the_thread(running: Start) -> None:
    calls = Calls(KeyError("spec"), UnreachableError("down"), OSError(28, "full"))
    running(Worker("w", calls, retry=at_once))
    assert calls.after[4].wait(LIMIT)


def test_a_wake_up_does_not_shorten_the_minimum_pause_after_a_failure(running: Start) -> None:
    calls = Calls(UnreachableError("down"))
    worker = running(Worker("w", calls, retry=never))
    assert calls.after[1].wait(LIMIT)
    worker.wake()
    assert not calls.after[2].wait(0.1)


def test_after_the_minimum_pause_a_wake_up_ends_the_rest(running: Start) -> None:
    calls = Calls(UnreachableError("down"))
    worker = running(Worker("w", calls, retry=never, min_retry=0.0))
    assert calls.after[1].wait(LIMIT)
    worker.wake()
    assert calls.after[2].wait(LIMIT)


@pytest.mark.parametrize("pause", [None, 3600.0])
def test_stop_ends_every_wait(running: Start, pause: float | None) -> None:
    calls = Calls(pause=pause)
    worker = running(Worker("w", calls, retry=never))
    assert calls.after[1].wait(LIMIT)
    worker.stop(LIMIT)
    assert not worker.running
    assert worker.stopping.is_set()


def test_stop_before_the_first_call_prevents_it(running: Start) -> None:
    calls = Calls()
    worker = running(Worker("w", calls, retry=never, first=3600.0))
    worker.stop(LIMIT)
    assert calls.count == 0


def test_an_action_may_stop_its_own_worker(running: Start) -> None:
    done = threading.Event()

    def action() -> None:
        worker.stop()
        done.set()

    worker = Worker("w", action, retry=never)
    running(worker)
    assert done.wait(LIMIT)
    worker.stop(LIMIT)
    assert not worker.running


def test_a_failure_is_logged_when_it_begins_or_changes_and_its_recovery_once(caplog: pytest.LogCaptureFixture) -> None:
    down, other = UnreachableError("down"), UnreachableError("other")
    worker = Worker("w", Calls(down, down, other, None, None), retry=lambda _: 2.0)
    with caplog.at_level(logging.INFO, "rancherctl.worker"):
        results = [worker.once() for _ in range(5)]
    assert [failed for _, failed in results] == [True, True, True, False, False]
    assert [record.message for record in caplog.records] == [
        "w failed, retrying in 2.0 s: down",
        "w failed, retrying in 2.0 s: other",
        "w recovered",
    ]


def test_an_unchanged_failure_is_logged_again_every_hour(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    worker = Worker("w", Calls(*[UnreachableError("down")] * 4), retry=never, clock=lambda: now[0])
    for now[0] in (0.0, 60.0, REMIND_SECONDS, REMIND_SECONDS + 60.0):
        worker.once()
    assert len(caplog.records) == 2


@pytest.mark.parametrize(("error", "traceback"), [(RancherctlError("known"), False), (KeyError("odd"), True)])
def test_only_an_unexpected_error_is_logged_with_its_traceback(
    caplog: pytest.LogCaptureFixture, error: Exception, traceback: bool
) -> None:
    Worker("w", Calls(error), retry=never).once()
    (record,) = caplog.records
    assert bool(record.exc_info) == traceback
