"""A master connection that the user's own ssh holds (ControlMaster): used for commands, and never ended.

It was logged in by the user, perhaps with a second factor, so that no login of our own can replace it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from weakref import WeakSet

from rancherctl.hosts.openssh.connection import MuxConnection
from rancherctl.hosts.openssh.mux import ControlSocket, answers


class UserMaster:
    """What ``MuxConnection`` asks of a master; only its control socket is known."""

    log = ""

    def __init__(self, control: str) -> None:
        self.control = control

    @property
    def ended(self) -> bool:
        """Whether it no longer answers."""
        return not answers(self.control)

    def wait_for(self, check: Callable[[], bool], seconds: float) -> bool:  # noqa: ARG002 - its log is elsewhere
        """Whether ``check`` is true; the log of the user's ssh cannot be read here."""
        return check()

    def close(self) -> None:
        """Nothing: the user goes on with it."""


class BorrowedConnection(MuxConnection):
    """Commands and TCP connections through the user's master. ``close`` ends these, not the master."""

    def __init__(self, control: str) -> None:
        super().__init__(UserMaster(control))
        self._lock = threading.Lock()
        self._requests: WeakSet[ControlSocket] = WeakSet()

    def close(self) -> None:
        """End what runs on the connection."""
        with self._lock:
            requests = list(self._requests)
        for request in requests:
            request.close()

    def _open(self) -> ControlSocket:
        control = super()._open()
        with self._lock:
            self._requests.add(control)
        return control
