"""A master connection that the user's own ssh holds (ControlMaster): used for commands, and never ended.

It was logged in by the user, perhaps with a second factor, so that no login of our own can replace it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar
from weakref import WeakSet

from rancherctl.hosts.openssh.channel import MuxChannel, MuxStream
from rancherctl.hosts.openssh.connection import MuxConnection
from rancherctl.hosts.openssh.mux import answers

T = TypeVar("T", MuxChannel, MuxStream)


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
    """Commands and TCP connections through the user's master. ``close`` ends these, not the master.

    It ends them at this side, and does not wait for the master, which may be slow to notice that its output is no
    longer read.
    """

    def __init__(self, control: str) -> None:
        super().__init__(UserMaster(control))
        self._lock = threading.Lock()
        self._opened: WeakSet[MuxChannel | MuxStream] = WeakSet()
        self._closed = False

    def channel(self) -> MuxChannel:
        """A channel for one command; its ``start`` asks the server for the session."""
        return self._add(super().channel())

    def open_tcp(self, address: str, port: int) -> MuxStream:
        """A TCP connection from the host to ``address:port``; OSError with the reason if there is none."""
        return self._add(super().open_tcp(address, port))

    def close(self) -> None:
        """End what runs on the connection."""
        with self._lock:
            self._closed, opened = True, list(self._opened)
        for one in opened:
            one.close()

    def _add(self, opened: T) -> T:
        with self._lock:
            self._opened.add(opened)
            late = self._closed
        if late:  # it was being opened while the connection was closed
            opened.close()
        return opened
