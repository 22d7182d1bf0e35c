"""Names behind ExternalName services, resolved in the background: a slow resolver never holds up the load balancer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from rancherctl.ingress.role import dns_query

REFRESH = 10.0
MAX_NAMES = 500


def by_server(server: str) -> Callable[[str], tuple[str, ...]]:
    """Resolves names by one DNS server: the host's own, which knows the cluster's names too."""
    return lambda name: dns_query.lookup(name, server)


@dataclass(slots=True)
class _Entry:
    addresses: tuple[str, ...] = ()
    asked: float = float("-inf")
    pending: bool = False
    given: bool = False
    """Somebody went on with these addresses, so other ones are news."""
    done: threading.Event = field(default_factory=threading.Event)


class Resolver:
    """Keeps the last good answer of every name that is asked for; one thread a name while it is being asked."""

    def __init__(
        self, ask: Callable[[str], tuple[str, ...]], clock: Callable[[], float] = time.monotonic, patience: float = 1.0
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._patience = patience
        self.changed: Callable[[], None] = lambda: None
        self._entries: dict[str, _Entry] = {}
        self._lock = threading.Lock()

    def addresses(self, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """What is known of these names; others are forgotten. Waits up to ``patience`` seconds for those never heard of."""
        wanted = sorted(set(names))[:MAX_NAMES]
        now = self._clock()
        with self._lock:
            self._entries = {name: self._entries.get(name) or _Entry() for name in wanted}
            entries = dict(self._entries)
            due = [n for n, e in entries.items() if not e.pending and now - e.asked >= REFRESH]
            for name in due:
                entries[name].pending = True
        for name in due:
            threading.Thread(
                target=self._refresh, args=(name, entries[name]), name=f"resolve {name}", daemon=True
            ).start()
        deadline = time.monotonic() + self._patience
        for entry in entries.values():
            entry.done.wait(max(0.0, deadline - time.monotonic()))
        with self._lock:
            for entry in entries.values():
                entry.given = True
            return {name: entry.addresses for name, entry in entries.items()}

    def _refresh(self, name: str, entry: _Entry) -> None:
        try:
            addresses: tuple[str, ...] | None = self._ask(name)
        except (OSError, ValueError):
            addresses = None  # the last good answer stays
        with self._lock:
            entry.pending = False
            entry.asked = self._clock()
            news = addresses is not None and addresses != entry.addresses and entry.given
            if addresses is not None:
                entry.addresses = addresses
        entry.done.set()
        if news:
            self.changed()
