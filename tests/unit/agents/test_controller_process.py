"""ControllerProcess: elections go on after any error, one controller's failure does not stop the others."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from rancherctl.agents.controller_process import TICK, ControllerProcess
from rancherctl.errors import ConflictError, UnreachableError
from rancherctl.kube.snapshot import Snapshot
from tests.fakes.controllers import OddApi


class StillCache:
    """A watch cache that never changes."""

    def __init__(self) -> None:
        self.running = False

    def start(self) -> None:
        self.running = True

    def stop(self, timeout: float) -> None:
        self.running = False

    def snapshot(self) -> Snapshot:
        return Snapshot()


class Election:
    """A leader election whose ``tick`` asks ``api``."""

    leading, epoch = False, 1

    def __init__(self, api: OddApi | None = None) -> None:
        self.api, self.released = api, False

    def tick(self) -> bool:
        return bool(self.api.patch()) if self.api else self.leading

    def release(self) -> None:
        self.released = True


class Counting:
    """A controller that counts its calls and fails with ``error``."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls, self.error = 0, error
        self.called = threading.Event()

    def reconcile(self, snapshot: Snapshot) -> None:
        self.calls += 1
        self.called.set()
        if self.error:
            raise self.error


def process(controllers: Sequence[Counting], election: Election | None = None) -> ControllerProcess:
    return ControllerProcess(StillCache(), election or Election(), controllers, lambda _: None, threading.Event())  # type: ignore[arg-type]


def test_no_odd_answer_ends_the_election(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rancherctl.agents.controller_process.RENEW", 0.01)
    api, stop = OddApi(), threading.Event()
    running = process((), Election(api))
    thread = threading.Thread(target=running.run, args=(stop,))
    thread.start()
    assert api.enough.wait(60)
    stop.set()
    thread.join(60)
    assert not thread.is_alive()


@pytest.mark.parametrize("error", [UnreachableError("down"), KeyError("odd"), ConflictError("written meanwhile")])
def test_a_failing_controller_pauses_alone(error: Exception) -> None:
    failing, working = Counting(error), Counting()
    running = process((failing, working))
    running.step(100.0)
    running.step(100.01)
    assert (failing.calls, working.calls) == (1, 2)
    failing.error = None
    running.step(100.0 + max(TICK, 60.0))
    assert failing.calls == 2


def test_controllers_run_until_the_process_stops_and_the_leadership_is_released() -> None:
    stop, controller, election = threading.Event(), Counting(), Election()
    running = process((controller,), election)
    thread = threading.Thread(target=running.run, args=(stop,))
    thread.start()
    assert controller.called.wait(60)
    stop.set()
    thread.join(60)
    assert election.released
