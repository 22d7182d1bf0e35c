"""Backoffs: per key, when the next attempt is allowed. Pure.

A key that failed backs off alone, longer each time; a key that was written waits for the watch to deliver the write.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Hashable
from dataclasses import dataclass

from rancherctl.kube.backoff import Backoff

WATCH_SECONDS = 5.0
"""Seconds that the watch may take to deliver a write; after that the write counts as lost."""


@dataclass(slots=True)
class _Closed:
    """Closed until this time (seconds), or until the object has another version ("" = any version)."""

    until: float
    version: str
    backoff: Backoff


class Backoffs:
    """Back-offs by key; ``now`` is the caller's clock in seconds.

    Keys that ``keep`` drops start again without a delay.
    """

    def __init__(self, choose: random.Random) -> None:
        self._random = choose
        self._closed: dict[Hashable, _Closed] = {}

    def open(self, key: Hashable, now: float, version: str = "") -> bool:
        """Whether an attempt is allowed now."""
        closed = self._closed.get(key)
        return closed is None or now >= closed.until or (closed.version not in ("", version))

    def done(self, key: Hashable, now: float, version: str) -> None:
        """Note a successful write for this version of the object: wait for a newer one, at most WATCH_SECONDS."""
        self._closed[key] = _Closed(now + WATCH_SECONDS, version, Backoff(self._random))

    def failed(self, key: Hashable, now: float, error: Exception) -> float:
        """Note a failure and return the seconds until the next attempt."""
        closed = self._closed.get(key)
        backoff = closed.backoff if closed is not None else Backoff(self._random)
        wait = backoff.after(error)
        self._closed[key] = _Closed(now + wait, "", backoff)
        return wait

    def keep(self, keys: Collection[Hashable]) -> None:
        """Drop all other keys."""
        self._closed = {key: closed for key, closed in self._closed.items() if key in keys}

    def wake(self, now: float) -> float | None:
        """Seconds until the next closed key opens; None if none is closed."""
        return min((closed.until - now for closed in self._closed.values() if closed.until > now), default=None)
