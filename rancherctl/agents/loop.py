"""The loop: one thread a role, woken by changes, coalescing, resyncing, backing off; and the watchdog that sees one hang."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from rancherctl.agents.role import Role
from rancherctl.errors import RancherctlError
from rancherctl.kube.backoff import Backoff, describe
from rancherctl.kube.snapshot import Snapshot

log = logging.getLogger(__name__)

Report = Callable[[str, Mapping[str, Any]], None]
"""Takes a role's name and its section."""
DEAF_SECONDS = 0.5
"""How long a role that failed hears no news: what it could not do (one odd node's route) must not delay by half a minute what it can."""


class Wake:
    """A flag that threads wait on: any number of ``set`` before a ``wait`` count as one."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Let the waiter run (soon, once)."""
        self._event.set()

    def wait(self, timeout: float) -> bool:
        """Wait for ``set`` at most ``timeout`` seconds and clear it; True when it was set."""
        woken = self._event.wait(timeout)
        self._event.clear()
        return woken


@runtime_checkable
class Wakeable(Protocol):
    """A role that has other reasons to run than the API (netlink, a dead process)."""

    def start(self, wake: Callable[[], None]) -> None:
        """Called once before the first reconcile."""


class Runner:
    """Runs one role until stopped. ``busy_since`` (monotonic seconds, 0 = idle) lets a watchdog see a reconcile that hangs."""

    def __init__(
        self, role: Role, snapshot: Callable[[], Snapshot], report: Report, *, backoff: Backoff | None = None
    ) -> None:
        self.role = role
        self.busy_since = 0.0
        self._snapshot = snapshot
        self._report = report
        self._backoff = backoff or Backoff(random.Random())  # noqa: S311  # spreads load, protects nothing
        self._wake = Wake()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=role.name, daemon=True)

    def start(self) -> None:
        """Start the thread; the first reconcile comes at once."""
        if isinstance(self.role, Wakeable):
            self.role.start(self._wake.set)
        self._thread.start()

    def changed(self, tables: frozenset[str]) -> None:
        """Wake the role if one of its tables changed."""
        if any(spec.name in tables for spec in self.role.tables):
            self._wake.set()

    def once(self) -> float:
        """One reconcile; returns how long to wait before the next if nothing happens.

        Any failure is reported and waits longer each time, the first DEAF_SECONDS of it whatever happens.
        """
        self.busy_since = time.monotonic()
        try:
            self._report(self.role.name, self.role.reconcile(self._snapshot()))
        except Exception as error:  # the loop's border: a role's failure must not end the agent
            pause = self._backoff.after(error)
            known = isinstance(error, RancherctlError)
            log.log(
                logging.ERROR,
                "%s: failed, trying again in %.1f s: %s",
                self.role.name,
                pause,
                describe(error),
                exc_info=not known,
            )
            self._report(self.role.name, {"error": describe(error)[:500]})
            deaf = min(pause, DEAF_SECONDS)
            self._stop.wait(deaf)
            return pause - deaf
        finally:
            self.busy_since = 0.0
        self._backoff.reset()
        return self.role.resync

    def _run(self) -> None:
        while not self._stop.is_set():
            pause = self.once()
            if pause:
                self._wake.wait(pause)

    def stop(self, timeout: float = 10.0) -> None:
        """End the thread after the reconcile under way, then release the role."""
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout)
        self.role.stop()
