"""HAProxy's sockets: one command a connection, with time limits; an answer of no bytes at all is a failure, never a success."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from rancherctl.errors import RancherctlError
from rancherctl.ingress.haproxy.commands import MAX_COMMAND, RuntimeCommand

MAX_ANSWER = 64 << 20


class HaproxyError(RancherctlError):
    """HAProxy did not do what it was told, or could not be asked."""

    retryable = True


class Socket:
    """A stats or master socket. ``timeout`` is seconds for each part of an answer: a host whose HAProxy is frozen has 10 to say so."""

    def __init__(self, path: str, timeout: float = 3.0) -> None:
        self.path = path
        self._timeout = timeout

    def ask(self, text: str, *, silent: bool = False) -> str:
        """Send one command and return the answer, stripped. With ``silent`` an empty answer is all right (a master that re-executes itself)."""
        data = text.encode("ascii") + b"\n"
        if len(data) > MAX_COMMAND:
            raise HaproxyError(
                f"command of {len(data)} bytes is too long for HAProxy's socket", why=f"the limit is {MAX_COMMAND}"
            )
        try:
            answer = self._exchange(data)
        except OSError as error:
            raise HaproxyError(f"HAProxy's socket {self.path} does not answer", why=str(error)) from error
        if not answer and not silent:
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
        """Run commands in order and return how many; the first bad answer raises HaproxyError, the rest is not sent."""
        count = 0
        for command in commands:
            answer = self.ask(command.text)
            if not command.good(answer):
                raise HaproxyError(f"HAProxy refused: {command.text.splitlines()[0][:120]!a}", why=answer[:300])
            count += 1
        return count
