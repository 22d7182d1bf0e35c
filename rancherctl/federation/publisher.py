"""DnsPublisher: keep one public zone as the federation wants it, from one thread, and say what is known of it.

The last wish counts; while the provider is away it waits. ``zone_keeper`` does the work.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from rancherctl.errors import RancherctlError
from rancherctl.federation.dns_state import DnsState
from rancherctl.federation.inventory import InventoryStore
from rancherctl.federation.model import FederatedService, FederationSettings, Place, Verdict
from rancherctl.federation.providers.base import DnsProvider
from rancherctl.federation.records import object_of
from rancherctl.federation.wish import Wish
from rancherctl.federation.zone_keeper import ZoneKeeper
from rancherctl.kube.backoff import Backoff
from rancherctl.worker import Worker

MIN_RETRY_SECONDS: Final = 1.0
"""Minimum pause after a failure: wishes that arrive meanwhile wait, so that a broken server is not kept busy."""


class DnsPublisher:
    """``gate`` raises if this process does not lead; it is called before each write. ``on_change``: the state changed.

    ``step`` does the work of the thread and returns the seconds until the next one; tests call it themselves.
    """

    def __init__(
        self,
        settings: FederationSettings,
        provider: DnsProvider,
        *,
        gate: Callable[[], object],
        store: InventoryStore,
        on_change: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        choose: random.Random | None = None,
    ) -> None:
        self._provider, self._gate, self._on_change = provider, gate, on_change
        choose = choose or random.Random()  # noqa: S311 - spreads load, protects nothing
        self._lock = threading.Lock()
        self._wish: Wish | None = None
        self._adopt: set[str] = set()
        self._force = False
        self._release = False
        self._state = DnsState()
        self._keeper = ZoneKeeper(
            settings, provider, gate=gate, store=store, report=self._set, clock=clock, choose=choose
        )
        backoff = self._backoff = Backoff(choose)
        self._worker = Worker(
            f"public DNS {settings.zone}", self.step, retry=backoff.after, min_retry=MIN_RETRY_SECONDS, clock=clock
        )

    def start(self) -> None:
        """Start the thread; nothing is sent before the first wish."""
        self._worker.start()

    def stop(self, timeout: float | None = 10.0) -> None:
        """End the thread after the call in progress."""
        self._worker.stop(timeout)

    def want(
        self,
        services: Sequence[FederatedService],
        verdicts: Mapping[str, Verdict],
        *,
        places: Iterable[Place] = (),
        gone: Collection[str] = (),
        left: Collection[str] = (),
        settled: bool = True,
    ) -> None:
        """Say what is wanted; the last wish counts. Returns at once.

        ``places``: those of all members. ``gone``: Services (``namespace/name``) whose names are to be deleted; a
        Service that is merely absent keeps them. ``left``: members that left. ``settled``: every member that can be
        read was read; before, nothing is taken out.
        """
        targets = frozenset(map(object_of, gone))
        wish = Wish(tuple(services), dict(verdicts), tuple(dict.fromkeys(places)), targets, frozenset(left), settled)
        with self._lock:
            if wish == self._wish:
                return
            self._wish = wish
        self._worker.wake()

    def adopt(self, name: str) -> None:
        """Take over the unmarked records of a wanted name."""
        with self._lock:
            self._adopt.add(name.lower().removesuffix(".") + ".")
        self._worker.wake()

    def force(self) -> None:
        """Delete the orphans in the next run, and in that only."""
        with self._lock:
            self._force = True
        self._worker.wake()

    def release(self) -> None:
        """Delete all names of this federation and its zone marker; nothing is written until a Service has shards again.

        For a federation that is removed: its members have left.
        """
        with self._lock:
            self._release = True
        self._worker.wake()

    def state(self) -> DnsState:
        """What is known now; an immutable value."""
        with self._lock:
            return self._state

    def answers(self) -> bool:
        """Ask the provider whether it answers: shows that this host is not cut off."""
        try:
            self._provider.info()
        except RancherctlError:
            return False
        return True

    def step(self) -> float | None:
        """Bring the zone to the wish once. Returns the seconds until the next call, None without a wish."""
        with self._lock:
            wish, adopt, force, release = self._wish, frozenset(self._adopt), self._force, self._release
        if wish is None:
            return None
        if self._state.released and not wish.has_shards():
            return None
        self._gate()
        following: float | None = None
        try:
            if release and not wish.has_shards():
                self._keeper.give_up(wish)
            else:
                following = self._keeper.update(wish, adopt, force=force)
        except RancherctlError as error:
            self._set(replace(self._state, problem=str(error), hint=error.hint, tombstones=self._keeper.tombstones))
            self._keeper.failed(error)
            raise
        self._backoff.reset()
        with self._lock:
            self._adopt -= adopt
            self._force = self._force and not force
            self._release = self._release and not release
        return following

    def _set(self, state: DnsState) -> None:
        with self._lock:
            changed, self._state = state != self._state, state
        if changed:
            self._on_change()
