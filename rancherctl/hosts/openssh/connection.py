"""The connection of a master as ``hosts.remote_host.Connection``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from rancherctl.hosts.openssh.channel import MuxChannel, MuxStream
from rancherctl.hosts.openssh.messages import open_failure
from rancherctl.hosts.openssh.mux import ControlSocket, MuxRefusedError
from rancherctl.hosts.remote_host import ConnectionLostError

ANSWER_LIMIT: Final = 15.0
"""Seconds for an answer of the master, or of the server through it."""
LOG_LIMIT: Final = 1.0
"""Seconds until what the master has logged is read here."""


class OpenMaster(Protocol):
    """A master that is logged in."""

    @property
    def control(self) -> str: ...
    @property
    def ended(self) -> bool: ...
    @property
    def log(self) -> str: ...
    def wait_for(self, check: Callable[[], bool], seconds: float) -> bool: ...
    def close(self) -> None: ...


class MuxConnection:
    """Commands and TCP connections through a master that is logged in."""

    def __init__(self, master: OpenMaster) -> None:
        self._master = master
        self._lost = False

    @property
    def control(self) -> str:
        """Path of the control socket."""
        return self._master.control

    def is_active(self) -> bool:
        """Whether the master runs, as far as was noticed."""
        return not (self._lost or self._master.ended)

    def still_active(self) -> bool:
        """Whether the master answers: one that is just ending does not."""
        try:
            control = self._open()
        except ConnectionLostError:
            return False
        try:
            control.check_alive()
        except (OSError, EOFError):
            self._mark_lost()
        finally:
            control.close()
        return not self._lost

    def channel(self) -> MuxChannel:
        """A channel for one command; its ``start`` asks the server for the session."""
        return MuxChannel(self._open(), self._mark_lost)

    def open_tcp(self, address: str, port: int) -> MuxStream:
        """A TCP connection from the host to ``address:port``; OSError with the reason if there is none."""
        control = self._open()
        try:
            stream = MuxStream(control, address, port)
        except MuxRefusedError as error:
            raise OSError(self.failure(address, port) or str(error)) from error
        except EOFError as error:
            self._mark_lost()
            raise ConnectionLostError("the connection was closed") from error
        stream.settimeout(None)
        return stream

    def failure(self, address: str, port: int) -> str:
        """Why the host could not connect to ``address:port``, as the server said; "" if it did not say it."""
        self._master.wait_for(lambda: bool(open_failure(self._master.log, address, port)), LOG_LIMIT)
        return open_failure(self._master.log, address, port)

    def close(self) -> None:
        """End the master and everything that runs on it."""
        self._master.close()

    def _open(self) -> ControlSocket:
        try:
            return ControlSocket(self.control, ANSWER_LIMIT)
        except TimeoutError as error:
            raise ConnectionLostError(f"ssh did not answer within {ANSWER_LIMIT:.0f} s") from error
        except (OSError, EOFError) as error:
            self._mark_lost()
            raise ConnectionLostError("ssh has ended") from error

    def _mark_lost(self) -> None:
        """A process that is ending gives up its sockets first."""
        self._lost = True
