"""This machine as a host: used by agents and by commands that run on a host. Standard library only."""

from __future__ import annotations

import io
import os
import signal
import subprocess
from pathlib import Path

from rancherctl.errors import AuthError, UnreachableError
from rancherctl.hosts.command import Command, Result
from rancherctl.hosts.remote import disk, receive
from rancherctl.hosts.remote_call import HostStepError
from rancherctl.hosts.transfer import Blocks, feed, source_of
from rancherctl.hosts.transport import CommandFailedError, Progress


class LocalTransport:
    """Runs commands as this process's user, without sudo.

    ``root`` requires that the process already runs as root.
    """

    def __init__(self, name: str = "localhost") -> None:
        self._name = name

    @property
    def name(self) -> str:
        """The host's name for messages."""
        return self._name

    def run(self, command: Command, *, check: bool = True) -> Result:
        """Run a command to its end, or kill its process group at the time limit."""
        if command.root and os.geteuid() != 0:
            raise AuthError(
                f"{self._name}: {command.show()[:120]} needs root",
                why="this process is not root",
                hint="run it as root",
            )
        result = self._execute(command, command.stdin or b"")
        if check and not result.ok:
            raise CommandFailedError(self._name, result)
        return result

    def _execute(self, command: Command, stdin: bytes) -> Result:
        try:
            process = subprocess.Popen(
                [str(word) for word in command.argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            return Result(command, 127, b"", f"{error.filename}: not found\n".encode())
        except PermissionError as error:
            return Result(command, 126, b"", f"{error.filename}: permission denied\n".encode())
        with process:
            try:
                stdout, stderr = process.communicate(stdin, timeout=command.timeout)
            except subprocess.TimeoutExpired as error:
                _end(process)
                raise UnreachableError(
                    f"{self._name}: {command.show()[:200]} did not finish within {command.timeout:.0f} s"
                ) from error
            except BaseException:
                _end(process)
                raise
        return Result(command, process.returncode, stdout, stderr)

    def upload(self, source: Path, target: str, *, mode: int = 0o644, progress: Progress | None = None) -> None:
        """Copy a file on this machine with the code that hosts run: resume, fsync, rename, stamp."""
        sent = source_of(source)
        base = {"path": target, "source": sent.key, "size": sent.size}
        owner = "root:root" if os.geteuid() == 0 else disk.owner_of(os.geteuid(), os.getegid())
        try:
            offset = int(receive.offset(base)["offset"])
            stream = io.BufferedReader(Blocks(feed(sent, offset, progress)))
            receive.receive({**base, "offset": offset, "mode": mode, "owner": owner}, stream)
        except (OSError, disk.StepError) as error:
            raise HostStepError(f"{self._name}: cannot write {target}", why=str(error)) from error

    def close(self) -> None:
        """Do nothing: nothing is open."""


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()
