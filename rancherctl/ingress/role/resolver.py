"""Resolve the names behind ExternalName Services in the background.

A slow DNS server must not delay a reconcile.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from rancherctl.ingress.role import dns_query

REFRESH_SECONDS: Final = 10.0
MAX_NAMES: Final = 500


def by_server(server: str) -> Callable[[str], tuple[str, ...]]:
    """A lookup by one DNS server. The host's own server also knows the names of the cluster."""
    return lambda name: dns_query.lookup(name, server)


@dataclass(slots=True)
class _Name:
    addresses: tuple[str, ...] = ()
    asked: float = float("-inf")
    pending: bool = False
    in_use: bool = False
    """The caller has seen these addresses, so different ones are a change to report."""
    done: threading.Event = field(default_factory=threading.Event)


class Resolver:
    """Keeps the last good answer for each name in use. Each running lookup has a thread of its own."""

    def __init__(
        self,
        lookup: Callable[[str], tuple[str, ...]],
        clock: Callable[[], float] = time.monotonic,
        first_wait: float = 1.0,
    ) -> None:
        self._lookup = lookup
        self._clock = clock
        self._first_wait = first_wait
        self.changed: Callable[[], None] = lambda: None
        self._names: dict[str, _Name] = {}
        self._lock = threading.Lock()

    def addresses(self, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """The known addresses of these names; all other names are forgotten.

        Waits up to ``first_wait`` seconds for names that were never resolved.
        """
        wanted = sorted(set(names))[:MAX_NAMES]
        now = self._clock()
        with self._lock:
            self._names = {name: self._names.get(name) or _Name() for name in wanted}
            entries = dict(self._names)
            due = [n for n, e in entries.items() if not e.pending and now - e.asked >= REFRESH_SECONDS]
            for name in due:
                entries[name].pending = True
        for name in due:
            threading.Thread(
                target=self._refresh, args=(name, entries[name]), name=f"resolve {name}", daemon=True
            ).start()
        deadline = time.monotonic() + self._first_wait
        for entry in entries.values():
            entry.done.wait(max(0.0, deadline - time.monotonic()))
        with self._lock:
            for entry in entries.values():
                entry.in_use = True
            return {name: entry.addresses for name, entry in entries.items()}

    def _refresh(self, name: str, entry: _Name) -> None:
        try:
            addresses: tuple[str, ...] | None = self._lookup(name)
        except (OSError, ValueError):
            addresses = None  # keep the last good answer
        with self._lock:
            entry.pending = False
            entry.asked = self._clock()
            changed = addresses is not None and addresses != entry.addresses and entry.in_use
            if addresses is not None:
                entry.addresses = addresses
        entry.done.set()
        if changed:
            self.changed()
