"""An ssh agent at a socket: its keys, and signatures by them. Every wait has a limit.

Source: draft-miller-ssh-agent. paramiko's own client knows only $SSH_AUTH_SOCK, waits for ever, and cannot use the
certificates in an agent.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import struct
from typing import Final

import paramiko

LIST_LIMIT = 5.0
"""Seconds for the list of keys."""
SIGN_LIMIT = 60.0
"""Seconds for a signature: the agent may ask its user first."""
MAX_ANSWER: Final = 1 << 20
_LIST, _KEYS, _SIGN, _SIGNED = 11, 12, 13, 14
_FLAGS: Final = {"rsa-sha2-256": 2, "rsa-sha2-512": 4}
_log = logging.getLogger(__name__)


class AgentError(Exception):
    """The agent cannot be used; the message says why."""


class SshAgent:
    """A connection to an agent; a context manager. AgentError if it does not answer."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(LIST_LIMIT)
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise AgentError(f"cannot be reached: {error.strerror or error}") from error

    def __enter__(self) -> SshAgent:
        return self

    def __exit__(self, *exc: object) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()

    def keys(self) -> list[AgentKey]:
        """The keys and certificates that it holds."""
        answer = self._ask(_LIST, b"", LIST_LIMIT)
        if answer.get_byte() != bytes([_KEYS]):
            raise AgentError("refuses to list its keys")
        return [AgentKey(self, answer.get_binary(), _text(answer.get_binary())) for _ in range(answer.get_int())]

    def sign(self, blob: bytes, data: bytes, flags: int) -> bytes:
        """A signature by the key with this public half."""
        request = paramiko.Message()
        request.add_string(blob)
        request.add_string(data)
        request.add_int(flags)
        answer = self._ask(_SIGN, request.asbytes(), SIGN_LIMIT)
        if answer.get_byte() != bytes([_SIGNED]):
            raise AgentError("refused to sign")
        return answer.get_binary()

    def _ask(self, kind: int, body: bytes, limit: float) -> paramiko.Message:
        try:
            self._socket.settimeout(limit)
            self._socket.sendall(struct.pack(">IB", len(body) + 1, kind) + body)
            size = int(struct.unpack(">I", self._read(4))[0])
            if size > MAX_ANSWER:
                raise AgentError("is not an ssh agent")
            return paramiko.Message(self._read(size))
        except TimeoutError as error:
            raise AgentError(f"did not answer within {limit:.0f} s") from error
        except OSError as error:
            raise AgentError(f"ended the connection: {error.strerror or error}") from error

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self._socket.recv(size - len(data))
            if not more:
                raise AgentError("ended the connection")
            data += more
        return data


class AgentKey(paramiko.PKey):
    """A key of an agent; ``blob`` is its public half or its certificate, as the agent names it."""

    def __init__(self, agent: SshAgent, blob: bytes, comment: str) -> None:
        self._agent, self.blob, self.comment = agent, blob, comment
        self.public_blob = None
        self.problem = ""
        """Why the agent did not sign, after an attempt."""

    def get_name(self) -> str:
        """The type of the key or certificate."""
        return _text(paramiko.Message(self.blob).get_binary())

    def asbytes(self) -> bytes:
        """The public half."""
        return self.blob

    def sign_ssh_data(self, data: bytes, algorithm: str | None = None) -> paramiko.Message:
        """The signature.

        If the agent refuses, an invalid one: the server then refuses this key, and the next one gets its turn on the
        same connection.
        """
        kind = (algorithm or self.get_name()).removesuffix("-cert-v01@openssh.com")
        try:
            return self._agent.sign(self.blob, data, _FLAGS.get(kind, 0))  # type: ignore[return-value]  # paramiko takes bytes
        except AgentError as error:
            self.problem = str(error)
            _log.info("agent key %s: the agent %s", self.comment, error)
            invalid = paramiko.Message()
            invalid.add_string(kind)
            invalid.add_string(b"")
            return invalid.asbytes()  # type: ignore[return-value]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
