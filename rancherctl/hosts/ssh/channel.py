"""A paramiko channel as ``hosts.session.CommandChannel``."""

from __future__ import annotations

import paramiko


class ParamikoChannel:
    """One command on a session channel of the connection."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel

    def set_timeout(self, seconds: float) -> None:
        """Limit each of the following blocking calls."""
        self._channel.settimeout(seconds)

    def start(self, line: str) -> None:
        """Start a shell line on the host."""
        try:
            self._channel.exec_command(line)
        except paramiko.SSHException as error:
            # the server closed the channel instead of an answer
            raise ConnectionError(str(error)) from error

    def write(self, data: memoryview) -> None:
        """Send all of ``data`` as standard input."""
        self._channel.sendall(data)  # type: ignore[arg-type]  # it slices and packs; a memoryview is sliced without a copy

    def end_input(self) -> None:
        """Close standard input."""
        self._channel.shutdown_write()

    def read_output(self, size: int) -> bytes:
        """Up to ``size`` bytes of standard output; b"" at its end."""
        return self._channel.recv(size)

    def read_errors(self, size: int) -> bytes:
        """Up to ``size`` bytes of standard error; b"" at its end."""
        return self._channel.recv_stderr(size)

    def wait(self, seconds: float) -> None:
        """Wait for the exit status or the end of the channel."""
        if not self._channel.status_event.wait(seconds):
            raise TimeoutError

    def status(self) -> int | None:
        """The exit status; -1 after a signal, None if the channel ended before its outputs were closed."""
        status = self._channel.exit_status
        return None if status < 0 and not self._channel.eof_received else status

    def close(self) -> None:
        """Close the channel; wakes every thread that waits in it."""
        self._channel.close()
