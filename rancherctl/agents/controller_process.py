"""ControllerProcess: hold the leader election and run the controllers of one or more clusters."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from rancherctl.agents.clock import boottime, remaining
from rancherctl.agents.controllers.base import Controller
from rancherctl.agents.leader import Leader, NotLeaderError
from rancherctl.errors import ConflictError, RancherctlError
from rancherctl.kube.backoff import Backoff, describe
from rancherctl.kube.cache import Cache
from rancherctl.kube.reflector import Source
from rancherctl.kube.snapshot import Snapshot
from rancherctl.worker import Worker

log = logging.getLogger(__name__)
TICK = 0.5
"""Seconds between two calls of the controllers if nothing changes: silent hosts are found by time alone."""
RENEW = 2.0
"""Seconds between two renewals of the leadership."""


class WatchCache(Protocol):
    """The part of kube.cache.Cache that the process uses."""

    def start(self) -> None: ...
    def stop(self, timeout: float) -> None: ...
    def snapshot(self) -> Snapshot: ...


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster: the cache of what its controllers watch, and those controllers. ``name`` is for logs."""

    name: str
    cache: WatchCache
    controllers: Sequence[Controller]

    @classmethod
    def watched(cls, name: str, source: Source, controllers: Sequence[Controller], wake: Callable[[], None]) -> Cluster:
        """A cluster that watches the tables declared by its controllers; each change calls ``wake``."""
        specs = [table for controller in controllers for table in controller.spec.tables]
        return cls(name, Cache(source, specs, lambda _: wake()), controllers)


@dataclass(slots=True)
class _RateLimited:
    """A controller that pauses after a failure without delaying the others."""

    name: str
    controller: Controller
    cache: WatchCache
    backoff: Backoff
    not_before: float = 0.0


class ControllerProcess:
    """Runs until ``stop``; several may run on several hosts, one of them leads and writes.

    One election, any number of clusters: each has a watch cache of its own, and its controllers see no other's
    snapshot.
    """

    def __init__(
        self, leader: Leader, clusters: Iterable[Cluster], notify: Callable[[str], None], wake: threading.Event
    ) -> None:
        self._leader, self._clusters, self._notify, self._wake = leader, tuple(clusters), notify, wake
        choose = random.Random()  # noqa: S311  # spreads load, protects nothing
        several = len(self._clusters) > 1
        self._controllers = [
            _RateLimited(
                f"controller {cluster.name + '/' if several else ''}{controller.spec.name}",
                controller,
                cluster.cache,
                Backoff(choose),
            )
            for cluster in self._clusters
            for controller in cluster.controllers
        ]
        self._led, self._election_began = False, 0.0
        self._election = Worker("leader election", self.elect, retry=lambda _: self._election_pause())

    def run(self, stop: threading.Event) -> None:
        """Elect a leader, watch, and run the controllers until ``stop``."""
        for cluster in self._clusters:
            cluster.cache.start()
        self._election.start()
        self._notify("READY=1")
        while not stop.is_set():
            self._notify("WATCHDOG=1")
            self.step(boottime())
            self._wake.wait(TICK)
            self._wake.clear()
        self._notify("STOPPING=1")
        self._election.stop(RENEW + 3.0)
        try:
            self._leader.release()
        except RancherctlError as error:
            log.info("cannot release the leadership, a standby takes over when it expires: %s", error)
        for cluster in self._clusters:
            cluster.cache.stop(1.0)

    def step(self, now: float) -> None:
        """Call every controller that is not pausing; ``now`` in seconds of the boot clock.

        The controllers of a cluster get the same snapshot.
        """
        snapshots = {id(cluster.cache): cluster.cache.snapshot() for cluster in self._clusters}
        for limited in self._controllers:
            if now < limited.not_before:
                continue
            try:
                limited.controller.reconcile(snapshots[id(limited.cache)])
            except (ConflictError, NotLeaderError) as error:
                # Another process wrote meanwhile: the watch delivers it, and the next call decides again.
                log.info("%s: %s", limited.name, error)
                limited.not_before = now + TICK
            except Exception as error:  # the loop's border: one controller's failure must not end the others
                pause = limited.backoff.after(error)
                log.log(
                    logging.WARNING,
                    "%s failed, retrying in %.1f s: %s",
                    limited.name,
                    pause,
                    describe(error),
                    exc_info=not isinstance(error, RancherctlError),
                )
                limited.not_before = now + pause
            else:
                limited.backoff.reset()

    def elect(self) -> float:
        """Try to become or to stay leader; returns the seconds until the next try."""
        self._election_began = boottime()
        try:
            self._leader.tick()
        finally:
            # Compared with what was logged last: a process that was frozen finds its leadership over before it asks.
            self._note_leadership()
        return self._election_pause()

    def _note_leadership(self) -> None:
        leading = self._leader.leading
        if leading != self._led:
            if leading:
                log.info("elected leader, epoch %d", self._leader.epoch)
            else:
                log.info("no longer leader, standing by")
            self._wake.set()
        self._led = leading

    def _election_pause(self) -> float:
        return remaining(RENEW, boottime() - self._election_began)
