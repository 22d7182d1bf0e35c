"""Connections to one API server: TCP options, deadlines, and an idle pool that follows certificate changes."""

from __future__ import annotations

import io
import socket
import ssl
import threading
import time
from typing import Any

from rancherctl.errors import AuthError, RancherctlError, UnreachableError
from rancherctl.kube.http.tls import ApiEndpoint, make_context, stamp
from rancherctl.proxy.connect import connect

CONNECT_SECONDS = 5.0
IDLE_KEPT = 8


class Connection:
    """One connection whose reads and writes end at ``deadline`` (monotonic seconds).

    With ``waits`` False a read returns only bytes that have already arrived.
    """

    def __init__(self, sock: socket.socket, generation: int) -> None:
        self._sock = sock
        self.generation = generation
        self.deadline = 0.0
        self.waits = True
        self.ended = False

    def send(self, data: bytes) -> None:
        """Send all of ``data``; TimeoutError at the deadline."""
        self._sock.settimeout(self._left())
        self._sock.sendall(data)

    def receive_into(self, buffer: Any) -> int | None:
        """Bytes read (0 = the peer closed; ``ended`` is set), None if ``waits`` is False and nothing is there."""
        self._sock.settimeout(self._left() if self.waits else 0.0)
        try:
            count = self._sock.recv_into(buffer)
        except (BlockingIOError, ssl.SSLWantReadError):
            if self.waits:
                raise TimeoutError from None
            return None
        self.ended = self.ended or count == 0
        return count

    def makefile(self, *_: str) -> io.BufferedReader:
        """A buffered reader for http.client.HTTPResponse; closing it leaves the connection open."""
        return io.BufferedReader(_Reader(self), 65536)

    def stale(self) -> bool:
        """Whether an idle connection has been closed or spoken on by the peer: either way it cannot be used again."""
        self.waits = False
        try:
            return self.receive_into(bytearray(1)) is not None
        except OSError:
            return True
        finally:
            self.waits = True

    def interrupt(self) -> None:
        """Wake a reader in another thread with an end of stream. Leaves TLS alone: the other thread is inside it."""
        try:
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)
        except OSError:
            return  # no longer connected: a reader cannot be waiting

    def close(self) -> None:
        """Close the socket; safe to call twice."""
        self._sock.close()

    def _left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Reader(io.RawIOBase):
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        return self._connection.receive_into(buffer)


class ConnectionPool:
    """Idle connections to one server. Thread-safe. A changed certificate file retires TLS context and connections."""

    def __init__(self, server: ApiEndpoint) -> None:
        self.server = server
        self.tls, self.host, self.port, self.prefix = server.parts()
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._context: ssl.SSLContext | None = None
        self._stamps: tuple[object, ...] = ()
        self._generation = 0
        self._closed = False

    def take(self, deadline: float, *, fresh: bool = False) -> tuple[Connection, bool]:
        """A connection and whether it was used before. UnreachableError, AuthError (certificates)."""
        context, generation = self._current()
        while not fresh:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                break
            if connection.generation == generation and not connection.stale():
                connection.deadline = deadline
                return connection, True
            connection.close()
        return self._connect(deadline, context, generation), False

    def give_back(self, connection: Connection) -> None:
        """Keep a connection whose last answer was read to its end."""
        with self._lock:
            if not self._closed and connection.generation == self._generation and len(self._idle) < IDLE_KEPT:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Close idle connections; later ones are closed when given back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _connect(self, deadline: float, context: ssl.SSLContext | None, generation: int) -> Connection:
        sock: socket.socket | None = None
        server = self.server
        try:
            left = min(CONNECT_SECONDS, deadline - time.monotonic())
            if left <= 0:
                raise TimeoutError
            sock = connect(self.host, self.port, server.proxy, left, ca=server.ca)
            if context:
                sock = context.wrap_socket(sock, server_hostname=server.server_name or self.host)
        except OSError as e:
            if sock is not None:
                sock.close()
            raise _not_connected(f"{self.host}:{self.port}", e) from e
        connection = Connection(sock, generation)
        connection.deadline = deadline
        return connection

    def _current(self) -> tuple[ssl.SSLContext | None, int]:
        if not self.tls:
            return None, self._generation
        with self._lock:
            stamps = tuple(stamp(p) for p in (self.server.ca, self.server.cert, self.server.key))
            if self._context is None or stamps != self._stamps:
                try:
                    context = make_context(self.server)
                except (OSError, ssl.SSLError) as e:
                    # During a rotation, key and certificate may not match yet: keep the pair, check again later.
                    if self._context is None:
                        raise AuthError(f"cannot load the credentials for {self.host}:{self.port}", why=str(e)) from e
                else:
                    self._context, self._stamps = context, stamps
                    self._generation += 1
            return self._context, self._generation


def _not_connected(where: str, e: OSError) -> RancherctlError:
    if isinstance(e, ssl.SSLCertVerificationError):
        what = f"{where}: the API server's certificate is not trusted"
        return AuthError(what, why=e.verify_message or str(e), hint="check the CA and the server address")
    return UnreachableError(
        f"cannot connect to the API server {where}",
        why=_reason(e),
        hint="check that it runs and that nothing filters the port",
    )


def _reason(e: OSError) -> str:
    return f"no answer within {CONNECT_SECONDS:.0f} s" if isinstance(e, TimeoutError) else e.strerror or str(e)
