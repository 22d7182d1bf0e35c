"""The watch cache: one thread per table keeps it equal to the API server's, and everybody reads immutable snapshots."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rancherctl.kube.reflector import Reflector, Source
from rancherctl.kube.snapshot import Snapshot, Table
from rancherctl.kube.tables import TableSpec

log = logging.getLogger(__name__)


class Cache:
    """Tables by name, kept fresh between ``start`` and ``stop``.

    ``on_change`` gets the names of the tables that changed (content, or ``healthy``), from a cache thread: it must
    return at once, for
    example set an Event. Specs with the same name are one table. ``clock`` is monotonic seconds.
    """

    def __init__(
        self,
        source: Source,
        specs: Iterable[TableSpec],
        on_change: Callable[[frozenset[str]], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        choose: random.Random | None = None,
    ) -> None:
        self._on_change = on_change
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        unique = {spec.name: spec for spec in specs}
        self._snapshot = Snapshot(dict.fromkeys(unique, Table()), 0)
        random_ = choose or random.Random()  # noqa: S311  # spreads load, protects nothing
        self._reflectors = {
            name: Reflector(source, spec, self._publisher(name), clock=clock, choose=random_)
            for name, spec in unique.items()
        }
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin to list and watch; returns at once."""
        self._threads = [
            threading.Thread(target=r.run, name=f"watch-{name}", daemon=True) for name, r in self._reflectors.items()
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """End all watches and wait up to ``timeout`` seconds for the threads. The last snapshot stays readable."""
        for reflector in self._reflectors.values():
            reflector.stop()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def relist(self, names: Iterable[str]) -> None:
        """List these tables again now; returns at once, ``Table.epoch`` grows when it is done."""
        for name in names:
            self._reflectors[name].relist()

    def snapshot(self) -> Snapshot:
        """What is known now; an immutable value."""
        with self._lock:
            return self._snapshot

    def wait(self, ready: Callable[[Snapshot], bool], timeout: float) -> bool:
        """Block until ``ready`` holds for a snapshot (asked again after every change), at most ``timeout`` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: ready(self._snapshot), timeout)

    def problems(self) -> Mapping[str, str]:
        """``table/namespace/name`` → why this object could not be read; such objects are not in the snapshot."""
        return {f"{name}/{key}": why for name, r in self._reflectors.items() for key, why in dict(r.problems).items()}

    def _publisher(self, name: str) -> Callable[[Table[Any]], None]:
        def publish(table: Table[Any]) -> None:
            with self._changed:
                old = self._snapshot
                self._snapshot = Snapshot({**old.tables, name: table}, old.number + 1)
                self._changed.notify_all()
            try:
                self._on_change(frozenset((name,)))
            except Exception:
                log.exception("the listener for changes of %s failed", name)

        return publish
