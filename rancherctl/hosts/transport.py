"""The Protocol between rancherctl and a host; ssh, local and the tests' fake implement it.

Errors of every method: UnreachableError (no connection, connection lost, no end within the time limit: the state of the
host is unknown), AuthError (key, password, host key or sudo refused). A non-zero exit of a command is a Result, not an
error, unless ``check`` is set.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from rancherctl.errors import RancherctlError
from rancherctl.hosts.command import Command, Result
from rancherctl.text import last_line

Progress = Callable[[int, int], None]
"""Called with the bytes sent and the bytes in total."""


class CommandFailedError(RancherctlError):
    """A command exited non-zero where success was required; ``result`` holds its output."""

    def __init__(self, host: str, result: Result) -> None:
        why = last_line(result.stderr, "no message on standard error")[:500]
        super().__init__(f"{host}: {result.command.show()[:200]} exited with status {result.status}", why=why)
        self.result = result


class Transport(Protocol):
    """A host that commands and files can be sent to. Thread-safe: several threads may use one transport."""

    @property
    def name(self) -> str:
        """The host's name for messages."""

    def run(self, command: Command, *, check: bool = True) -> Result:
        """Run a command to its end. With ``check`` a non-zero exit raises CommandFailedError."""

    def upload(self, source: Path, target: str, *, mode: int = 0o644, progress: Progress | None = None) -> None:
        """Copy a local file to an absolute path, owned by root: temporary file, fsync, rename.

        Resumes a partial copy.
        """

    def close(self) -> None:
        """Close the connection; safe to call twice."""


class Stream(Protocol):
    """One end of a TCP connection: the methods of a socket that are used.

    They raise OSError or EOFError once it has ended.
    """

    def recv(self, size: int, /) -> bytes: ...
    def sendall(self, data: bytes, /) -> Any: ...
    def shutdown(self, how: int, /) -> Any: ...
    def close(self) -> None: ...


@runtime_checkable
class TcpOpener(Protocol):
    """A transport that can open TCP connections from its host."""

    def open_tcp(self, address: str, port: int) -> Stream:
        """A connection from the host to ``address:port``. UnreachableError if the host cannot connect."""


class RemoteTransport(Transport, TcpOpener, Protocol):
    """A host reached over a network: connects at the first command and again after the connection was lost."""

    def stop(self) -> None:
        """Begin no further attempt to connect; does not wait for one in progress."""
