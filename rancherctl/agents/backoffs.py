"""What must not be tried again yet, one thing at a time: what failed waits alone and longer each time, what was done waits for the watch. Pure."""

from __future__ import annotations

import random
from collections.abc import Collection, Hashable
from dataclasses import dataclass

from rancherctl.kube.backoff import Backoff

NEWS_SECONDS = 5.0
"""How long the watch may take to bring what was written; then it is taken as lost."""


@dataclass(slots=True)
class _Pause:
    """Until when (seconds), unless the object has another version than this one ("" = whatever version)."""

    until: float
    version: str
    backoff: Backoff


class Pauses:
    """By any key; ``now`` is always the caller's clock in seconds. Keys that are not in ``keep`` begin afresh."""

    def __init__(self, choose: random.Random) -> None:
        self._random = choose
        self._held: dict[Hashable, _Pause] = {}

    def open(self, key: Hashable, now: float, version: str = "") -> bool:
        """Whether it may be tried now."""
        held = self._held.get(key)
        return held is None or now >= held.until or (held.version not in ("", version))

    def done(self, key: Hashable, now: float, version: str) -> None:
        """It was done for the object of this version: nothing to do before a newer one comes, or does not come."""
        self._held[key] = _Pause(now + NEWS_SECONDS, version, Backoff(self._random))

    def failed(self, key: Hashable, now: float, error: Exception) -> float:
        """Seconds that it waits now."""
        held = self._held.get(key)
        backoff = held.backoff if held is not None else Backoff(self._random)
        wait = backoff.after(error)
        self._held[key] = _Pause(now + wait, "", backoff)
        return wait

    def keep(self, keys: Collection[Hashable]) -> None:
        """Forget all others."""
        self._held = {key: held for key, held in self._held.items() if key in keys}

    def wake(self, now: float) -> float | None:
        """Seconds until the next one may be tried; None if nothing waits."""
        return min((held.until - now for held in self._held.values() if held.until > now), default=None)
