"""TokenBucket: a limit of calls per second with a burst, for several threads. Standard library only."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class TokenBucket:
    """``rate`` calls a second, and ``burst`` at once after a pause. ``clock``: monotonic seconds."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, float(burst), clock
        self._lock = threading.Lock()
        self._tokens, self._at = self._burst, clock()

    def take(self, count: float = 1.0) -> float:
        """Take tokens, also before they are there; returns the seconds to wait before the call may be made."""
        with self._lock:
            now = self._clock()
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
            self._at = now
            self._tokens -= count
            return max(0.0, -self._tokens / self._rate)
