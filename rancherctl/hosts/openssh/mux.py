"""The protocol of OpenSSH's control socket: sessions and TCP connections on an open connection.

Source: PROTOCOL.mux of OpenSSH, version 4. Spoken here rather than by one ``ssh -S`` process per command: a refused
session, a lost connection and a command that exits with status 255 are different messages, and no process is started.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Sequence
from typing import Final

_VERSION: Final = 4
_HELLO: Final = 0x00000001
_NEW_SESSION: Final = 0x10000002
_ALIVE_CHECK: Final = 0x10000004
_NEW_STDIO_FORWARD: Final = 0x10000008
_PERMISSION_DENIED: Final = 0x80000002
_FAILURE: Final = 0x80000003
_EXIT_MESSAGE: Final = 0x80000004
_ALIVE: Final = 0x80000005
_SESSION_OPENED: Final = 0x80000006
_NO_ESCAPE: Final = 0xFFFFFFFF
_REQUEST: Final = 0
CHECK_LIMIT: Final = 5.0
"""Seconds for the answer of a master, which is on this machine."""
MAX_MESSAGE: Final = 1 << 18


class MuxRefusedError(Exception):
    """The server, or the master, refuses the request; the message is its reason."""


class ControlSocket:
    """One connection to a master, for one request. Every wait is limited by the socket's time limit.

    Methods raise OSError (EOFError) if the master has ended, TimeoutError if it does not answer in time.
    """

    def __init__(self, path: str, seconds: float) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.socket.settimeout(seconds)
            self.socket.connect(path)
            self._greet()
        except BaseException:
            self.socket.close()
            raise

    def check_alive(self) -> None:
        """Return if the master answers."""
        self._request(_u32(_ALIVE_CHECK) + _u32(_REQUEST), (), _ALIVE)

    def start(self, line: str, ends: Sequence[socket.socket]) -> None:
        """Start a shell line on the host with these ends as its standard input, output and error."""
        flags = _u32(0) * 4  # no terminal, X11, agent or subsystem
        body = _u32(_NEW_SESSION) + _u32(_REQUEST) + _text("") + flags + _u32(_NO_ESCAPE) + _text("") + _text(line)
        self._request(body, ends, _SESSION_OPENED)

    def forward(self, address: str, port: int, ends: Sequence[socket.socket]) -> None:
        """A TCP connection from the host whose bytes come from the first end and go to the second."""
        body = _u32(_NEW_STDIO_FORWARD) + _u32(_REQUEST) + _text("") + _text(address) + _u32(port)
        self._request(body, ends, _SESSION_OPENED)

    def exit_status(self) -> int | None:
        """Wait for the command's exit status; None if the session ended without one (a signal, a lost connection)."""
        while True:
            try:
                body = self._receive()
            except (EOFError, ConnectionError):
                return None
            if int.from_bytes(body[:4], "big") == _EXIT_MESSAGE:
                return int.from_bytes(body[8:12], "big")

    def close(self) -> None:
        """End the request and what it opened; wakes a thread that waits in it."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _greet(self) -> None:
        self._send(_u32(_HELLO) + _u32(_VERSION))
        kind, version = struct.unpack(">II", self._receive()[:8])
        if (kind, version) != (_HELLO, _VERSION):
            raise ConnectionError(f"the control socket speaks version {version} of its protocol, not {_VERSION}")

    def _request(self, body: bytes, ends: Sequence[socket.socket], expected: int) -> None:
        self._send(body)
        for end in ends:
            socket.send_fds(self.socket, [b"\0"], [end.fileno()])
        answer = self._receive()
        kind = int.from_bytes(answer[:4], "big")
        if kind in (_FAILURE, _PERMISSION_DENIED):
            raise MuxRefusedError(answer[12:].decode("utf-8", "replace"))
        if kind != expected:
            raise ConnectionError(f"unexpected answer {kind:#x} at the control socket")

    def _send(self, body: bytes) -> None:
        self.socket.sendall(_u32(len(body)) + body)

    def _receive(self) -> bytes:
        size = int.from_bytes(self._read(4), "big")
        if not 4 <= size <= MAX_MESSAGE:
            raise ConnectionError(f"a message of {size} bytes at the control socket")
        return self._read(size)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise EOFError("the control socket was closed")
            data += more
        return data


def answers(path: str) -> bool:
    """Whether a master answers at a control socket."""
    try:
        control = ControlSocket(path, CHECK_LIMIT)
    except (OSError, EOFError):
        return False
    try:
        control.check_alive()
    except (OSError, EOFError, MuxRefusedError):
        return False
    finally:
        control.close()
    return True


def _u32(number: int) -> bytes:
    return struct.pack(">I", number)


def _text(text: str) -> bytes:
    data = text.encode()
    return _u32(len(data)) + data
