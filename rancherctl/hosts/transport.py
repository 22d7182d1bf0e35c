"""The one small protocol between rancherctl and a host; ssh, local and the test fake implement it.

Errors of every method: UnreachableError (no connection, cut, silent past the time limit: the state of the host is unknown),
AuthError (key, password, host key or sudo refused). A command's own non-zero exit is a Result, not an error, unless ``check``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from rancherctl.errors import RancherctlError
from rancherctl.hosts.command import Command, Result

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""


class CommandFailedError(RancherctlError):
    """A command exited non-zero where success was needed; ``result`` has it all."""

    def __init__(self, host: str, result: Result) -> None:
        tail = result.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no message on standard error"]
        super().__init__(f"{host}: {result.command.show()[:200]} exited with {result.status}", why=tail[0][:500])
        self.result = result


class Transport(Protocol):
    """A host that commands and files can be sent to. Thread-safe: several threads may use one transport."""

    @property
    def name(self) -> str:
        """The host's name for messages."""

    def run(self, command: Command, *, check: bool = True) -> Result:
        """Run to the end. With ``check`` a non-zero exit raises CommandFailedError."""

    def upload(self, source: Path, target: str, *, mode: int = 0o644, progress: Progress | None = None) -> None:
        """Copy a local file to an absolute path: temp + fsync + rename, resuming a partial copy of the same source; owner root."""

    def close(self) -> None:
        """End the connection; safe to call twice."""
