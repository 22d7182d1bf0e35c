"""Commands and TCP connections on a master, as ``hosts.session.CommandChannel`` and ``hosts.transport.Stream``."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Sequence

from rancherctl.hosts.openssh.mux import ControlSocket, MuxRefusedError
from rancherctl.hosts.remote_host import SessionRefusedError


class MuxChannel:
    """One command; its input and outputs are sockets whose other ends the master holds.

    ``lost`` is called if the master ends instead of an answer.
    """

    def __init__(self, control: ControlSocket, lost: Callable[[], None]) -> None:
        self._control, self._lost = control, lost
        self._status: int | None = None
        self._closed = False
        self._ours: tuple[socket.socket, ...] = ()

    def set_timeout(self, seconds: float) -> None:
        """Limit each of the following blocking calls."""
        for end in (self._control.socket, *self._ours):
            end.settimeout(seconds)

    def start(self, line: str) -> None:
        """Start a shell line on the host. SessionRefusedError if the server refuses one more session."""
        pairs = [socket.socketpair() for _ in range(3)]
        self._ours = tuple(ours for ours, _ in pairs)
        theirs = [end for _, end in pairs]
        limit = self._control.socket.gettimeout()
        try:
            for end in self._ours:
                end.settimeout(limit)
            self._control.start(line, theirs)
        except MuxRefusedError as error:
            raise SessionRefusedError(str(error)) from error
        except (EOFError, ConnectionError):
            self._lost()
            raise
        finally:
            for end in theirs:
                end.close()

    def write(self, data: memoryview) -> None:
        """Send all of ``data`` as standard input."""
        self._ours[0].sendall(data)

    def end_input(self) -> None:
        """Close standard input."""
        # a command that has ended has closed it already
        with contextlib.suppress(OSError):
            self._ours[0].shutdown(socket.SHUT_RDWR)

    def read_output(self, size: int) -> bytes:
        """Up to ``size`` bytes of standard output; b"" at its end."""
        return self._ours[1].recv(size)

    def read_errors(self, size: int) -> bytes:
        """Up to ``size`` bytes of standard error; b"" at its end."""
        return self._ours[2].recv(size)

    def wait(self, seconds: float) -> None:
        """Wait for the exit status or the end of the session."""
        self._control.socket.settimeout(seconds)
        self._status = self._control.exit_status()

    def status(self) -> int | None:
        """The exit status; -1 if the session ended without one: by a signal, or with the connection.

        None if it was closed here meanwhile.
        """
        if self._status is None:
            return None if self._closed else -1
        return self._status

    def close(self) -> None:
        """End the session; wakes every thread that waits in it."""
        self._closed = True
        self._control.close()
        _close(self._ours)


class MuxStream:
    """A TCP connection from the host; one socket for each direction, so that one can end before the other."""

    def __init__(self, control: ControlSocket, address: str, port: int) -> None:
        self._control = control
        (self._send, source), (self._receive, sink) = socket.socketpair(), socket.socketpair()
        try:
            control.forward(address, port, (source, sink))
        except BaseException:
            self.close()
            raise
        finally:
            source.close()
            sink.close()

    def recv(self, size: int, /) -> bytes:
        """Up to ``size`` bytes; b"" at the end."""
        return self._receive.recv(size)

    def sendall(self, data: bytes, /) -> None:
        """Send all of ``data``."""
        self._send.sendall(data)

    def settimeout(self, seconds: float | None) -> None:
        """Limit each of the following calls."""
        self._send.settimeout(seconds)
        self._receive.settimeout(seconds)

    def shutdown(self, how: int, /) -> None:
        """End one direction or both, as of a socket."""
        if how != socket.SHUT_RD:
            self._send.shutdown(socket.SHUT_RDWR)
        if how != socket.SHUT_WR:
            self._receive.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the connection; wakes every thread that waits in it."""
        self._control.close()
        _close((self._send, self._receive))


def _close(ends: Sequence[socket.socket]) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
