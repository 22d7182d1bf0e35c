"""RoleRunner: run one role in its own thread, woken by changes of its tables, with back-off."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from rancherctl.kube.backoff import Backoff, describe
from rancherctl.kube.snapshot import Snapshot
from rancherctl.role_spec import HostRole
from rancherctl.text import shorten
from rancherctl.worker import Worker

Report = Callable[[str, Mapping[str, Any]], None]
"""Takes a role's name and its section of the host's report."""
MIN_RETRY_SECONDS = 0.5
"""Minimum pause after a failed reconcile; wake-ups are ignored meanwhile, so a broken node does not delay the rest."""
MAX_ERROR_CHARS = 500


@runtime_checkable
class Wakeable(Protocol):
    """A role with other reasons to run than the API, for example netlink messages or a dead process."""

    def start(self, wake: Callable[[], None]) -> None:
        """Called once before the first reconcile; ``wake`` asks for another one."""


@runtime_checkable
class LookingAhead(Protocol):
    """A role that asks during a reconcile what the next one will get."""

    def look_ahead(self, newest: Callable[[], Snapshot]) -> None:
        """Called once before the first reconcile; ``newest`` returns the newest snapshot, from any thread."""


class RoleRunner:
    """Run one role until stopped.

    ``busy_since`` is when the reconcile in progress began (monotonic seconds, 0 = idle): a watchdog sees one that
    hangs.
    """

    def __init__(
        self, role: HostRole, snapshot: Callable[[], Snapshot], report: Report, *, backoff: Backoff | None = None
    ) -> None:
        self.role = role
        self.busy_since = 0.0
        self._snapshot, self._report = snapshot, report
        self._backoff = backoff or Backoff(random.Random())  # noqa: S311  # spreads load, protects nothing
        self._worker = Worker(f"role {role.name}", self._reconcile, retry=self._retry, min_retry=MIN_RETRY_SECONDS)

    def start(self) -> None:
        """Start the thread; the first reconcile follows at once."""
        if isinstance(self.role, LookingAhead):
            self.role.look_ahead(self._snapshot)
        if isinstance(self.role, Wakeable):
            self.role.start(self._worker.wake)
        self._worker.start()

    def changed(self, tables: frozenset[str]) -> None:
        """Wake the role if it reads one of these tables."""
        if any(spec.name in tables for spec in self.role.tables):
            self._worker.wake()

    def once(self) -> float:
        """Reconcile once and report a failure. Returns the seconds until the next call if nothing happens."""
        pause, _ = self._worker.once()
        return pause or 0.0

    def stop(self, timeout: float = 10.0) -> None:
        """End the thread after the reconcile in progress, then release the role."""
        self._worker.stop(timeout)
        self.role.stop()

    def _reconcile(self) -> float:
        self.busy_since = time.monotonic()
        try:
            self._report(self.role.name, self.role.reconcile(self._snapshot()))
        finally:
            self.busy_since = 0.0
        self._backoff.reset()
        return self.role.resync

    def _retry(self, error: Exception) -> float:
        self._report(self.role.name, {"error": shorten(describe(error), MAX_ERROR_CHARS)})
        return self._backoff.after(error)
