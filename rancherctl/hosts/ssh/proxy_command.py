"""A ProxyCommand as a socket: run by the user's shell, as OpenSSH does, with its messages kept for the error."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
from typing import Final

from rancherctl.errors import UnreachableError
from rancherctl.text import last_line

KEPT: Final = 4096
"""Bytes of its standard error that are kept."""
END_SECONDS = 1.0


class ProxyCommand:
    """The connection that a command makes with its standard input and output: the methods of a socket.

    paramiko's own class runs the command without a shell, spins when it ends, and hides its standard error.
    """

    def __init__(self, command: str, shell: str) -> None:
        self.command = command
        self._socket, theirs = socket.socketpair()
        self._errors = b""
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [shell, "-c", f"exec {command}"],
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
        except OSError:
            self._socket.close()
            raise
        self._reader = threading.Thread(target=self._read_errors, name="stderr of the ProxyCommand", daemon=True)
        self._reader.start()

    @property
    def _closed(self) -> bool:
        """Read by paramiko."""
        return self._socket.fileno() < 0

    def send(self, data: bytes) -> int:
        """Send some of ``data``."""
        return self._socket.send(data)

    def recv(self, size: int) -> bytes:
        """Up to ``size`` bytes; b"" once the command has ended."""
        return self._socket.recv(size)

    def settimeout(self, seconds: float | None) -> None:
        """Limit each of the following calls."""
        self._socket.settimeout(seconds)

    def close(self) -> None:
        """End the command and what it started."""
        self._socket.close()
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_SECONDS)
                break
        self._reader.join(END_SECONDS)

    def failure(self, host: str, fallback: str) -> UnreachableError | None:
        """The error if the command has failed; None if it has not, so that the connection itself is to blame."""
        try:
            status = self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            return None
        self._reader.join(END_SECONDS)
        if status == 0 and not self._errors:
            return None
        return UnreachableError(
            f"{host}: the ProxyCommand of the ssh configuration ended with status {status}",
            why=last_line(self._errors, fallback),
            hint=f"run it by hand: {self.command[:300]}",
        )

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stream:
            while data := os.read(stream.fileno(), KEPT):
                self._errors = (self._errors + data)[-KEPT:]
