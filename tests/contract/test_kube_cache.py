"""The watch cache and the faults of R2 to R5."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rancherctl.kube import reflector
from rancherctl.kube.backoff import Backoff
from rancherctl.kube.cache import Cache
from rancherctl.kube.client import CONFIGMAPS
from rancherctl.kube.objects import config_map
from rancherctl.kube.rest import RestClient
from rancherctl.kube.snapshot import Snapshot
from rancherctl.kube.tables import PODS, TableSpec
from tests.fakes.kube import FakeApi

SPEC = TableSpec("configs", CONFIGMAPS, config_map)
PATH = "/api/v1/configmaps"


def put(api: FakeApi, name: str, kind: str = "ADDED", **data: str) -> None:
    api.store.put(PATH, "ns", {"metadata": {"name": name}, "data": data}, kind=kind)


class Waiter:
    """Records changes and waits for conditions."""

    def __init__(self) -> None:
        self.calls: list[frozenset[str]] = []

    def __call__(self, names: frozenset[str]) -> None:
        self.calls.append(names)


@pytest.fixture
def api() -> Iterator[FakeApi]:
    fake = FakeApi()
    yield fake
    fake.close()


@pytest.fixture
def start(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Cache]]:
    monkeypatch.setattr(reflector, "GOOD_WATCH_SECONDS", 0.0)
    made: list[Cache] = []

    def go(*specs: TableSpec, on_change: Callable[[frozenset[str]], None] = lambda _: None, **more: Any) -> Cache:
        cache = Cache(RestClient(api.url), specs or (SPEC,), on_change, choose=random.Random(3), **more)
        made.append(cache)
        cache.start()
        return cache

    yield go
    for cache in made:
        cache.stop()


def until(cache: Cache, ready: Callable[[Snapshot], bool]) -> Snapshot:
    assert cache.wait(ready, 60), cache.snapshot()
    return cache.snapshot()


def names(snapshot: Snapshot) -> set[str]:
    return set(snapshot.table("configs").items)


def test_the_cache_follows_creates_updates_and_deletes(api: FakeApi, start: Callable[..., Cache]) -> None:
    put(api, "a", k="1")
    seen = Waiter()
    cache = start(on_change=seen)
    before = until(cache, lambda s: s.healthy)
    assert before.synced
    assert names(before) == {"ns/a"}
    put(api, "b")
    put(api, "a", "MODIFIED", k="2")
    until(cache, lambda s: len(names(s)) == 2 and s.table("configs").items["ns/a"].data == {"k": "2"})
    api.store.delete(PATH, "ns", "a")
    after = until(cache, lambda s: names(s) == {"ns/b"})
    assert names(before) == {"ns/a"}, "a snapshot never changes"
    assert after.number > before.number
    assert set(seen.calls) == {frozenset({"configs"})}


def test_after_410_a_new_list_contains_every_missed_change(api: FakeApi, start: Callable[..., Cache]) -> None:
    put(api, "a")
    put(api, "b")
    cache = start()
    first = until(cache, lambda s: s.healthy)
    kept = first.table("configs").items["ns/b"]
    with api.store.changed:  # while no event can be sent
        del api.store.objects[PATH, "ns", "a"]
        put(api, "c")
        api.store.history.clear()
        api.watch_error(410)
    after = until(cache, lambda s: s.table("configs").epoch == 2 and s.healthy)
    assert names(after) == {"ns/b", "ns/c"}
    assert after.table("configs").items["ns/b"] is kept, "an unchanged object keeps its identity"


def test_readers_never_see_a_partial_list(api: FakeApi, start: Callable[..., Cache]) -> None:
    for i in range(1200):
        put(api, f"o{i:04}")
    sizes: set[int] = set()
    holder: list[Cache] = []
    cache = start(on_change=lambda _: sizes.add(len(names(holder[0].snapshot()))) if holder else None)
    holder.append(cache)
    until(cache, lambda s: s.healthy)
    api.compact()
    api.watch_error(410)
    until(cache, lambda s: s.table("configs").epoch == 2 and s.healthy)
    assert sizes == {1200}


def test_a_silent_watch_turns_unhealthy_and_then_catches_up(
    api: FakeApi, start: Callable[..., Cache], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reflector, "SILENCE_SECONDS", 0.5)
    cache = start()
    until(cache, lambda s: s.healthy)
    api.silent = True
    put(api, "during")
    until(cache, lambda s: not s.healthy)
    assert names(cache.snapshot()) == set()
    api.silent = False
    until(cache, lambda s: s.healthy and names(s) == {"ns/during"})


def test_an_older_list_is_refused_until_it_is_seen_for_long_enough(
    api: FakeApi, start: Callable[..., Cache], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = threading.Semaphore(0)

    def at_once(self: Backoff, error: Exception) -> float:
        if isinstance(error, reflector.OlderError):
            refused.release()
        return 0.01

    monkeypatch.setattr(Backoff, "after", at_once)
    now = [0.0]
    put(api, "a")
    put(api, "b")
    cache = start(clock=lambda: now[0])
    newest = until(cache, lambda s: s.healthy).table("configs").resource_version
    with api.store.changed:
        del api.store.objects[PATH, "ns", "b"]
        api.store.history.clear()
        api.store.version += 1
        api.watch_error(410)
        api.store.version = 500
    assert refused.acquire(timeout=60)
    assert refused.acquire(timeout=60)
    assert not cache.snapshot().healthy
    assert cache.snapshot().table("configs").resource_version >= newest
    assert names(cache.snapshot()) == {"ns/a", "ns/b"}, "an older state is not shown"
    now[0] = reflector.OLDER_REFUSED_SECONDS + 1
    restored = until(cache, lambda s: s.healthy)
    assert names(restored) == {"ns/a"}
    assert restored.table("configs").resource_version == "500"


def test_repeated_410_backs_off(api: FakeApi, start: Callable[..., Cache], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reflector, "GOOD_WATCH_SECONDS", 1e9)
    waits: list[float] = []
    real = Backoff.after

    def recorded(self: Backoff, error: Exception) -> float:
        waits.append(real(self, error))
        return 0.0

    monkeypatch.setattr(Backoff, "after", recorded)
    api.fail(410, times=12, watch=True)
    cache = start()
    until(cache, lambda s: s.healthy and s.table("configs").epoch >= 12)
    assert waits[0] <= 0.2
    assert waits[11] >= 15


def test_retry_after_is_respected(api: FakeApi, start: Callable[..., Cache], monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    real = Backoff.after

    def recorded(self: Backoff, error: Exception) -> float:
        waits.append(real(self, error))
        return 0.0

    monkeypatch.setattr(Backoff, "after", recorded)
    api.fail(429, retry_after="70", watch=False)
    cache = start()
    until(cache, lambda s: s.healthy)
    assert [wait >= 70 for wait in waits] == [True]
    assert len([r for r in api.requests if "watch" not in r[1]]) == 2


def test_an_object_that_cannot_be_read_does_not_stop_the_others(api: FakeApi, start: Callable[..., Cache]) -> None:
    def parse(obj: Any) -> Any:
        if (obj.get("data") or {}).get("bad"):
            raise ValueError("odd")
        return config_map(obj)

    put(api, "good")
    put(api, "odd", bad="1")
    cache = start(TableSpec("configs", CONFIGMAPS, parse))
    assert names(until(cache, lambda s: s.healthy)) == {"ns/good"}
    assert cache.problems() == {"configs/ns/odd": "ValueError: odd"}
    put(api, "odd", "MODIFIED", fine="1")
    until(cache, lambda s: names(s) == {"ns/good", "ns/odd"})
    assert cache.problems() == {}


def test_a_listener_that_fails_does_not_stop_the_watch(api: FakeApi, start: Callable[..., Cache]) -> None:
    def broken(_: frozenset[str]) -> None:
        raise RuntimeError("listener")

    cache = start(on_change=broken)
    until(cache, lambda s: s.healthy)
    put(api, "a")
    until(cache, lambda s: names(s) == {"ns/a"})


def test_the_cache_works_when_the_server_starts_later_and_stops(start: Callable[..., Cache], api: FakeApi) -> None:
    api.cut(times=3)
    cache = start(SPEC, PODS)
    until(cache, lambda s: s.healthy)
    assert set(cache.snapshot().tables) == {"configs", "pods"}
    cache.stop()
    assert not [t for t in threading.enumerate() if t.name.startswith("watch-")]


def test_a_burst_of_changes_makes_few_snapshots(api: FakeApi, start: Callable[..., Cache]) -> None:
    seen = Waiter()
    cache = start(on_change=seen)
    until(cache, lambda s: s.healthy)
    with api.store.changed:
        for i in range(3000):
            put(api, f"o{i}")
    until(cache, lambda s: len(names(s)) == 3000)
    assert len(seen.calls) < 200


def test_relist_reads_everything_again_at_once(api: FakeApi, start: Callable[..., Cache]) -> None:
    put(api, "a")
    cache = start()
    assert cache.wait(lambda s: s.table("configs").healthy, 10)
    before = cache.snapshot().table("configs").epoch
    cache.relist(("configs",))
    assert cache.wait(lambda s: s.table("configs").epoch == before + 1 and s.table("configs").healthy, 10)
    assert set(cache.snapshot().table("configs").items) == {"ns/a"}
    put(api, "b")
    assert cache.wait(lambda s: "ns/b" in s.table("configs").items, 10)


@pytest.mark.parametrize("seed", range(4))
def test_after_random_faults_the_cache_equals_the_server(
    api: FakeApi, start: Callable[..., Cache], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Random writes between random faults; snapshots never change after they are taken."""
    monkeypatch.setattr(reflector, "SILENCE_SECONDS", 1.0)
    real = Backoff.after
    monkeypatch.setattr(Backoff, "after", lambda self, error: min(real(self, error), 0.02))
    choose = random.Random(seed)
    cache = start()
    until(cache, lambda s: s.healthy)
    taken: list[tuple[Snapshot, set[str]]] = []
    faults: list[Callable[[], None]] = [
        api.compact,
        lambda: api.watch_error(choose.choice((410, 500))),
        lambda: api.fail(choose.choice((410, 429, 500, 503)), times=choose.randint(1, 3)),
        lambda: api.cut(times=choose.randint(1, 2)),
    ]
    for _ in range(150):
        name = f"o{choose.randrange(30)}"
        if choose.random() < 0.6:
            there = (PATH, "ns", name) in api.store.objects
            put(api, name, "MODIFIED" if there else "ADDED", k=str(choose.random()))
        elif (PATH, "ns", name) in api.store.objects:
            api.store.delete(PATH, "ns", name)
        if choose.random() < 0.12:
            choose.choice(faults)()
        if choose.random() < 0.1:
            now = cache.snapshot()
            taken.append((now, names(now)))
    with api.store.changed:
        want = {f"ns/{n}": o["data"] for (_, _, n), o in api.store.objects.items()}

    def equal(s: Snapshot) -> bool:
        return s.healthy and {k: v.data for k, v in s.table("configs").items.items()} == want

    until(cache, equal)
    assert all(names(snapshot) == keys for snapshot, keys in taken)
