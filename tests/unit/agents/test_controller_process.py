"""ControllerProcess: elections continue after errors; a failing controller stops no other."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from rancherctl.agents.controller_process import TICK, Cluster, ControllerProcess
from rancherctl.errors import ConflictError, UnreachableError
from rancherctl.kube.snapshot import Snapshot
from rancherctl.kube.tables import NODES, PODS
from rancherctl.role_spec import ControllerSpec
from tests.fakes.controllers import OddApi


class StillCache:
    """A watch cache that never changes."""

    def __init__(self, number: int = 0) -> None:
        self.running, self.number = False, number

    def start(self) -> None:
        self.running = True

    def stop(self, timeout: float) -> None:
        self.running = False

    def snapshot(self) -> Snapshot:
        return Snapshot({}, self.number)


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
        self.spec = ControllerSpec("counting", ())
        self.calls, self.error = 0, error
        self.seen: set[int] = set()
        self.called = threading.Event()

    def reconcile(self, snapshot: Snapshot) -> None:
        self.calls += 1
        self.seen.add(snapshot.number)
        self.called.set()
        if self.error:
            raise self.error


def process(controllers: Sequence[Counting], election: Election | None = None) -> ControllerProcess:
    cluster = Cluster("demo", StillCache(), controllers)
    return ControllerProcess(election or Election(), [cluster], lambda _: None, threading.Event())  # type: ignore[arg-type]


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


def test_one_process_serves_several_clusters_each_with_its_own_cache_and_back_off() -> None:
    caches = StillCache(1), StillCache(2)
    one, failing, other = Counting(), Counting(UnreachableError("cluster two is down")), Counting()
    clusters = [Cluster("one", caches[0], (one,)), Cluster("two", caches[1], (failing, other))]
    stop = threading.Event()
    running = ControllerProcess(Election(), clusters, lambda _: None, threading.Event())  # type: ignore[arg-type]
    thread = threading.Thread(target=running.run, args=(stop,))
    thread.start()
    assert one.called.wait(60)
    assert other.called.wait(60)
    assert all(cache.running for cache in caches)
    stop.set()
    thread.join(60)
    assert (one.seen, failing.seen, other.seen) == ({1}, {2}, {2})
    assert not any(cache.running for cache in caches)


def test_a_cluster_watches_the_tables_that_its_controllers_declare() -> None:
    controller = Counting()
    controller.spec = ControllerSpec("counting", (NODES, PODS))
    cluster = Cluster.watched("demo", None, [controller], lambda: None)  # type: ignore[arg-type]
    assert set(cluster.cache.snapshot().tables) == {"nodes", "pods"}
