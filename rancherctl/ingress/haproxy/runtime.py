"""HAProxy's sockets: one command for each connection, with time limits.

An empty answer (not even a newline) is a failure.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable

from rancherctl.errors import RancherctlError
from rancherctl.ingress.haproxy.commands import MAX_COMMAND, RuntimeCommand

MAX_ANSWER = 64 << 20


class HaproxyError(RancherctlError):
    """HAProxy did not carry out a command, or does not answer."""

    retryable = True


class Socket:
    """A stats or master socket. ``timeout`` is in seconds, for each part of an answer.

    A frozen HAProxy must be reported within 10 s, so it is short.
    """

    def __init__(self, path: str, timeout: float = 3.0) -> None:
        self.path = path
        self._timeout = timeout

    def send(self, text: str, *, allow_empty: bool = False, limit: int = MAX_COMMAND) -> str:
        """Send one command of at most ``limit`` bytes and return its answer, stripped. Raises HaproxyError.

        ``allow_empty`` is for a master that re-executes itself.
        """
        data = text.encode("ascii") + b"\n"
        if len(data) > limit:
            raise HaproxyError(
                f"command of {len(data)} bytes is too long for HAProxy's socket", why=f"the limit is {limit}"
            )
        try:
            answer = self._exchange(data)
        except OSError as error:
            raise HaproxyError(f"HAProxy's socket {self.path} does not answer", why=str(error)) from error
        if not answer and not allow_empty:
            raise HaproxyError(f"HAProxy's socket {self.path} closed without an answer to: {text[:80]!a}")
        return answer.decode("utf-8", "replace").strip()

    def _exchange(self, data: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(self._timeout)
            connection.connect(self.path)
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            parts: list[bytes] = []
            size = 0
            while part := connection.recv(1 << 18):
                parts.append(part)
                size += len(part)
                if size > MAX_ANSWER:
                    raise OSError(f"answer larger than {MAX_ANSWER} bytes")
            return b"".join(parts)

    def run(self, commands: Iterable[RuntimeCommand]) -> int:
        """Send commands in order and return their number; the first rejected one raises HaproxyError."""
        count = 0
        for command in commands:
            answer = self.send(command.text)
            if not command.accepts(answer):
                raise HaproxyError(
                    f"HAProxy rejected a command: {command.text.splitlines()[0][:120]!a}", why=answer[:300]
                )
            count += 1
        return count
