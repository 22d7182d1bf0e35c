"""How many commands run on one connection at once: as many as the server allows, which only its refusals tell."""

from __future__ import annotations

import threading


class SessionSlots:
    """Slots for commands; ``limit`` shrinks when the server refuses a session beside others. Thread-safe."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._running = 0
        self._changed = threading.Condition()

    def __enter__(self) -> SessionSlots:
        """Wait for a slot."""
        with self._changed:
            self._changed.wait_for(lambda: self._running < self.limit)
            self._running += 1
        return self

    def __exit__(self, *exc: object) -> None:
        with self._changed:
            self._running -= 1
            self._changed.notify_all()

    def refused(self) -> bool:
        """The server refused the caller's session: whether others run, so that it can wait for one of them to end."""
        with self._changed:
            others = self._running - 1
            self.limit = max(1, min(self.limit, others))
            return others > 0
