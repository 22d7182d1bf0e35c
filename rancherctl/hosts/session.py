"""Drive one command over an open channel: sudo's question, standard input and both outputs at once, one time limit for all.

Knows a channel only by the few methods that it uses, so it imports no ssh library.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from rancherctl.errors import AuthError, RancherctlError, UnreachableError
from rancherctl.hosts import sudo
from rancherctl.hosts.command import Command, Result, Secret

READ = 1 << 18
MOST = 128 << 20
"""Bytes of each output of a command, far more than any prints: a host must not fill the memory of who asks it."""
PROMPT_LIMIT = 15.0
"""Seconds of silence after which a sudo that did not ask in our words is given the password all the same: sudoers may keep its own prompt."""
CUT = (OSError, EOFError)
"""How the ssh library tells that a connection has ended; TimeoutError, which is one of them, is told apart before."""


class Channel(Protocol):
    """What is used of an ssh channel. Blocking calls raise TimeoutError after ``settimeout`` seconds and OSError when it is cut."""

    status_event: threading.Event
    exit_status: int
    eof_received: int

    def settimeout(self, timeout: float | None) -> None: ...
    def exec_command(self, command: str) -> None: ...
    def sendall(self, s: Any) -> None: ...
    def shutdown_write(self) -> None: ...
    def recv(self, nbytes: int) -> bytes: ...
    def recv_stderr(self, nbytes: int) -> bytes: ...
    def close(self) -> None: ...


class SudoPasswordError(AuthError):
    """sudo did not take the password; the command has not begun."""


class Session:
    """One command on one channel. ``alive`` tells whether the connection still stands; ``where`` is the host's name for messages."""

    def __init__(
        self,
        channel: Channel,
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
        """Send ``blocks`` as standard input and read to the end. With a ``password`` sudo is given it first; ``wrap`` goes round the line."""
        try:
            if password is None:
                self._start(wrap(self._command.line()))
            else:
                self._marker = f"rancherctl-{secrets.token_hex(8)}"
                self._start(sudo.with_password(self._command.line(), self._marker))
                self._give(password)
            return self._exchange(blocks)
        except TimeoutError as error:
            raise UnreachableError(
                f"{self._where}: {self._command.show()[:200]} did not end within {self._command.timeout:.0f} s",
                hint="its state on the host is unknown",
            ) from error
        except CUT as error:
            raise self._cut() from error
        finally:
            self._channel.close()

    def _cut(self) -> UnreachableError:
        hint = "run the same command again: it goes on from here"
        return UnreachableError(f"{self._where}: the connection was cut during {self._command.show()[:200]}", hint=hint)

    def _limit(self, until: float | None = None) -> None:
        left = (self._deadline if until is None else until) - self._clock()
        if left <= 0:
            raise TimeoutError
        self._channel.settimeout(left)

    def _start(self, line: str) -> None:
        self._limit()
        self._channel.exec_command(line)

    def _give(self, password: Secret) -> None:
        """Give sudo its password when it asks, and wait until the command runs; AuthError when sudo says no."""
        seen, given = b"", False
        while (answer := sudo.verdict(seen, self._marker)) != "running":
            if answer == "asks" and not given:
                given = self._send(password)
            try:
                self._limit(self._deadline if given else min(self._deadline, self._clock() + PROMPT_LIMIT))
                data = self._channel.recv_stderr(READ) if answer in ("waiting", "asks") else b""
            except TimeoutError:
                if given or self._clock() >= self._deadline:
                    raise
                given = self._send(password)
                continue
            if data:
                seen += data
                continue
            # an end of input stops sudo from asking again
            self._channel.shutdown_write()
            said = (
                seen.decode("utf-8", "replace").replace(sudo.prompt(self._marker), "").strip().splitlines()
                or ["sudo ended"]
            )[-1]
            if not self._alive():
                raise self._cut()
            if answer == "wrong":
                raise SudoPasswordError(
                    f"{self._where}: the sudo password is wrong",
                    why=said,
                    hint="give the password of the login user on that host",
                )
            raise AuthError(
                f"{self._where}: sudo refused", why=said, hint="allow the login user to use sudo, or log in as root"
            )
        self._stderr.append(seen)

    def _send(self, password: Secret) -> bool:
        self._channel.sendall(memoryview(f"{password}\n".encode()))
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
                if len(stdout) > MOST:
                    raise self._too_much()
            self._finish(errors)
        finally:
            # wakes both threads, whatever they wait for; a command may well end without reading all its input
            self._channel.close()
            writer.join()
            errors.join()
            for failure in failures:
                if not isinstance(failure, CUT):
                    # the source of the input broke, which is why the rest went wrong
                    raise failure
        stderr = b"".join(self._stderr)
        return Result(
            self._command,
            self._channel.exit_status,
            bytes(stdout),
            sudo.clean(stderr, self._marker) if self._marker else stderr,
        )

    def _read(self) -> bytes:
        self._limit()
        return self._channel.recv(READ)

    def _finish(self, errors: threading.Thread) -> None:
        if not self._channel.status_event.wait(max(0.0, self._deadline - self._clock())):
            raise TimeoutError
        errors.join(max(0.0, self._deadline - self._clock()))
        # a command ended by a signal has no status either, but its outputs are closed by the server in due form
        if self._channel.exit_status < 0 and not (self._channel.eof_received and self._alive()):
            raise OSError("cut")

    def _write(self, blocks: Iterable[bytes], failures: list[BaseException]) -> None:
        try:
            for block in blocks:
                # a memoryview, because sendall slices what is left again and again
                self._channel.sendall(memoryview(block))
            self._channel.shutdown_write()
        except Exception as error:  # noqa: BLE001 - told by the reading thread
            failures.append(error)
            if not isinstance(error, CUT):
                self._channel.close()

    def _drain(self, failures: list[BaseException]) -> None:
        size = 0
        try:
            while data := self._channel.recv_stderr(READ):
                self._stderr.append(data)
                size += len(data)
                if size > MOST:
                    failures.append(self._too_much())
                    self._channel.close()
        except Exception as error:  # noqa: BLE001 - told by the reading thread
            failures.append(error)

    def _too_much(self) -> RancherctlError:
        return RancherctlError(
            f"{self._where}: {self._command.show()[:200]} printed more than {MOST >> 20} MiB",
            hint="is the host in order?",
        )
