"""Run one command over an open channel.

Sudo's password, standard input and both outputs at once, with one time limit.

Knows a channel only by the Protocol below, so that any ssh implementation can provide it.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from rancherctl.errors import AuthError, RancherctlError, UnreachableError
from rancherctl.hosts import sudo
from rancherctl.hosts.command import Command, Result, Secret
from rancherctl.hosts.login_shell import for_login_shell
from rancherctl.text import last_line

READ: Final = 1 << 18
MAX_OUTPUT = 128 << 20
"""Bytes of each output, far more than any command prints: a host must not fill the memory of its caller."""
PROMPT_LIMIT = 15.0
"""Seconds of silence after which sudo gets the password although its own prompt was not seen.

Sudoers may override the prompt.
"""
CUT: Final = (OSError, EOFError)
"""Errors of a channel whose connection was cut; TimeoutError, one of them, is handled before."""


class CommandChannel(Protocol):
    """One command on a host.

    Blocking calls raise TimeoutError after ``set_timeout`` seconds, OSError or EOFError if cut.
    """

    def set_timeout(self, seconds: float) -> None: ...
    def start(self, line: str) -> None:
        """Start a shell line on the host."""

    def write(self, data: memoryview) -> None:
        """Send all of ``data`` as standard input."""

    def end_input(self) -> None:
        """Close standard input; the outputs stay open."""

    def read_output(self, size: int) -> bytes:
        """Up to ``size`` bytes of standard output; b"" at its end."""

    def read_errors(self, size: int) -> bytes:
        """Up to ``size`` bytes of standard error; b"" at its end."""

    def wait(self, seconds: float) -> None:
        """Wait for the end of the command."""

    def status(self) -> int | None:
        """Exit status after ``wait`` (negative: ended by a signal).

        None if the channel was cut before the status came.
        """

    def close(self) -> None: ...


class SudoPasswordError(AuthError):
    """sudo rejected the password; the command was not started."""


class Session:
    """One command on one channel. ``alive`` checks the connection; ``where`` is the host's name for messages."""

    def __init__(
        self,
        channel: CommandChannel,
        command: Command,
        *,
        where: str,
        alive: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._channel = channel
        self._command = command
        self._where = where
        self._alive = alive
        self._clock = clock
        self._deadline = clock() + command.timeout
        self._stderr: list[bytes] = []
        self._marker = ""

    def run(
        self, blocks: Iterable[bytes], *, password: Secret | None = None, wrap: Callable[[str], str] = str
    ) -> Result:
        """Send ``blocks`` as standard input and read all output; ``wrap`` is applied to the shell line.

        With a ``password`` the command runs under sudo, which gets the password first.
        """
        try:
            if password is None:
                self._start(wrap(self._command.line()))
            else:
                self._marker = f"rancherctl-{secrets.token_hex(8)}"
                self._start(sudo.with_password(self._command.line(), self._marker))
                self._authenticate(password)
            return self._exchange(blocks)
        except TimeoutError as error:
            raise UnreachableError(
                f"{self._where}: {self._command.show()[:200]} did not finish within {self._command.timeout:.0f} s",
                hint="its state on the host is unknown",
            ) from error
        except CUT as error:
            raise self._cut() from error
        finally:
            self._channel.close()

    def _cut(self) -> UnreachableError:
        hint = "run the same command again; it resumes where it stopped"
        return UnreachableError(f"{self._where}: connection lost during {self._command.show()[:200]}", hint=hint)

    def _limit(self, until: float | None = None) -> None:
        left = (self._deadline if until is None else until) - self._clock()
        if left <= 0:
            raise TimeoutError
        self._channel.set_timeout(left)

    def _start(self, line: str) -> None:
        self._limit()
        self._channel.start(for_login_shell(line))

    def _authenticate(self, password: Secret) -> None:
        """Send the password when sudo asks for it, and wait until the command runs; AuthError if sudo refuses."""
        seen, sent = b"", False
        while (state := sudo.state_of(seen, self._marker)) != "running":
            if state == "asks" and not sent:
                sent = self._send(password)
            try:
                self._limit(self._deadline if sent else min(self._deadline, self._clock() + PROMPT_LIMIT))
                data = self._channel.read_errors(READ) if state in ("waiting", "asks") else b""
            except TimeoutError:
                if sent or self._clock() >= self._deadline:
                    raise
                sent = self._send(password)
                continue
            if data:
                seen += data
                continue
            # the end of input keeps sudo from asking again
            self._channel.end_input()
            if not self._alive():
                raise self._cut()
            raise self._sudo_error(state == "wrong", last_line(sudo.messages(seen, self._marker), "sudo ended"))
        self._stderr.append(seen)

    def _sudo_error(self, wrong: bool, why: str) -> AuthError:
        if wrong:
            hint = "enter the password of the login user on that host"
            return SudoPasswordError(f"{self._where}: the sudo password is wrong", why=why, hint=hint)
        hint = "allow the login user to use sudo, or log in as root"
        return AuthError(f"{self._where}: sudo refused", why=why, hint=hint)

    def _send(self, password: Secret) -> bool:
        self._channel.write(memoryview(f"{password}\n".encode()))
        return True

    def _exchange(self, blocks: Iterable[bytes]) -> Result:
        failures: list[BaseException] = []
        writer = threading.Thread(target=self._write, args=(blocks, failures), name=f"stdin {self._where}", daemon=True)
        errors = threading.Thread(target=self._drain, args=(failures,), name=f"stderr {self._where}", daemon=True)
        writer.start()
        errors.start()
        stdout = bytearray()
        try:
            while data := self._read():
                stdout += data
                if len(stdout) > MAX_OUTPUT:
                    raise self._too_much()
            status = self._finish(errors)
        finally:
            # wakes both threads: a command may end without reading all of its input
            self._channel.close()
            writer.join()
            errors.join()
            for failure in failures:
                if not isinstance(failure, CUT):
                    # the source of the input failed, which caused everything else
                    raise failure
        stderr = b"".join(self._stderr)
        return Result(
            self._command, status, bytes(stdout), sudo.clean(stderr, self._marker) if self._marker else stderr
        )

    def _read(self) -> bytes:
        self._limit()
        return self._channel.read_output(READ)

    def _finish(self, errors: threading.Thread) -> int:
        """The exit status. A command ended by a signal has no status either, but its channel ends in order."""
        self._channel.wait(max(0.0, self._deadline - self._clock()))
        errors.join(max(0.0, self._deadline - self._clock()))
        status = self._channel.status()
        if status is None or (status < 0 and not self._alive()):
            raise OSError("connection lost")
        return status

    def _write(self, blocks: Iterable[bytes], failures: list[BaseException]) -> None:
        try:
            for block in blocks:
                # a memoryview: slicing what is left of bytes would copy it again and again
                self._channel.write(memoryview(block))
            self._channel.end_input()
        except Exception as error:  # noqa: BLE001 - raised by the reading thread
            failures.append(error)
            if not isinstance(error, CUT):
                self._channel.close()

    def _drain(self, failures: list[BaseException]) -> None:
        size = 0
        try:
            while data := self._channel.read_errors(READ):
                self._stderr.append(data)
                size += len(data)
                if size > MAX_OUTPUT:
                    failures.append(self._too_much())
                    self._channel.close()
        except Exception as error:  # noqa: BLE001 - raised by the reading thread
            failures.append(error)

    def _too_much(self) -> RancherctlError:
        what = f"{self._where}: {self._command.show()[:200]} printed more than {MAX_OUTPUT >> 20} MiB"
        return RancherctlError(what, hint="check that the host is not compromised or faulty")
