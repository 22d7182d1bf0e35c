"""Exponential back-off with jitter, never shorter than the server asks for. Pure apart from the given random."""

from __future__ import annotations

import random

from rancherctl.errors import RancherctlError, UnreachableError
from rancherctl.kube.client import ThrottledError

FIRST = 0.2
LONGEST = 30.0
LONGEST_UNREACHABLE = 5.0
"""Seconds. A failed connect puts load on no server, and a control plane that returns must be noticed soon."""


class Backoff:
    """Waits for one loop. ``reset`` after something worked for a while."""

    def __init__(self, choose: random.Random) -> None:
        self._random = choose
        self._tries = 0

    def reset(self) -> None:
        """The next wait is a short one again."""
        self._tries = 0

    def after(self, error: Exception) -> float:
        """Seconds to wait after ``error``: 0.2 s doubling to 30 s (5 s if unreachable), times 0.5 to 1.

        Never less than Retry-After, plus up to a fifth of it.
        """
        longest = LONGEST_UNREACHABLE if isinstance(error, UnreachableError) else LONGEST
        wait = min(FIRST * 2.0 ** min(self._tries, 16), longest) * self._random.uniform(0.5, 1.0)
        self._tries += 1
        if isinstance(error, ThrottledError):
            return max(wait, error.retry_after * self._random.uniform(1.0, 1.2))
        return wait


def describe(error: Exception) -> str:
    """One line for a log."""
    return str(error) if isinstance(error, RancherctlError) else f"{type(error).__name__}: {error}"
