"""A host over any implementation of ssh: one connection, many commands in parallel, each with a time limit.

Reconnects when needed. The implementation provides connections; everything else is here.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, Generic, Protocol, TypeVar

from rancherctl.errors import RancherctlError, UnreachableError
from rancherctl.hosts import sudo
from rancherctl.hosts.command import Command, Result, Secret
from rancherctl.hosts.prompts import Prompts, SudoLogin
from rancherctl.hosts.remote_call import ARGV, answer_of, call, request_bytes
from rancherctl.hosts.rights import Rights
from rancherctl.hosts.session import CommandChannel, Session
from rancherctl.hosts.session_slots import SessionSlots
from rancherctl.hosts.shared_value import SharedValue
from rancherctl.hosts.transfer import feed, source_of
from rancherctl.hosts.transport import CommandFailedError, Progress, Stream

UPLOAD_LIMIT: Final = 3600.0
CHANNELS: Final = 8
"""Commands at once on one connection: sshd's MaxSessions is 10 by default."""
REFUSALS: Final = 6
"""Refusals of the only session in a row until a command fails."""


class SessionRefusedError(Exception):
    """The server refuses one more session on the connection; the command was not started."""


class ConnectionLostError(Exception):
    """The connection is closed; the command was not started."""


class Connection(Protocol):
    """An authenticated connection to a host. Thread-safe."""

    def is_active(self) -> bool:
        """Whether the connection is open, as far as is known without waiting."""

    def still_active(self) -> bool:
        """The same, asked after a channel has ended: waits until a loss would be known."""

    def channel(self) -> CommandChannel:
        """A channel for one command. SessionRefusedError, ConnectionLostError: its ``start`` may raise them, too."""

    def open_tcp(self, address: str, port: int) -> Stream:
        """A TCP connection from the host; OSError with the reason, or ConnectionLostError."""

    def close(self) -> None:
        """End the connection and everything that runs on it; safe to call twice."""


C = TypeVar("C", bound=Connection)


def jitter(attempt: int) -> float:
    """Seconds before the next attempt: growing, and random so that clients do not retry in step."""
    return float(min(0.2 * 2**attempt, 5.0) * random.uniform(0.5, 1.5))  # noqa: S311 - no secret


class RemoteHost(Generic[C]):
    """Connects at the first command and again after the connection was lost.

    ``connect`` makes a connection (UnreachableError, AuthError), ``login`` says who logs in, ``closed`` ends all
    waiting.
    """

    client = ""
    """The name of the implementation for messages."""

    def __init__(
        self,
        name: str,
        connect: Callable[[], C],
        login: SudoLogin,
        prompts: Prompts,
        *,
        closed: threading.Event,
        backoff: Callable[[int], float] = jitter,
    ) -> None:
        self._name = name
        self._slots = SessionSlots(CHANNELS)
        self._backoff = backoff
        self._closed = closed
        self._connect = connect
        self._connection: SharedValue[C] = SharedValue(self._log_in, lambda made: made.is_active())
        self._rights = Rights(login, prompts)

    @property
    def name(self) -> str:
        """The host's name for messages."""
        return self._name

    def run(self, command: Command, *, check: bool = True) -> Result:
        """Run a command to its end. With ``check`` a non-zero exit raises CommandFailedError."""
        result = self._execute(command, (command.stdin,) if command.stdin else ())
        if check and not result.ok:
            raise CommandFailedError(self._name, result)
        return result

    def upload(self, source: Path, target: str, *, mode: int = 0o644, progress: Progress | None = None) -> None:
        """Send a file to a temporary file beside the target, resuming an earlier attempt.

        The host checks the hash and renames.
        """
        sent = source_of(source)
        base = {"path": target, "source": sent.key, "size": sent.size}
        offset = int(call(self, {"op": "offset", **base})["offset"])
        head = request_bytes({"op": "receive", **base, "offset": offset, "mode": mode, "owner": "root:root"})

        def blocks() -> Iterator[bytes]:
            yield head
            yield from feed(sent, offset, progress)

        answer_of(self._name, self._execute(Command(ARGV, None, True, UPLOAD_LIMIT), blocks()), f"upload to {target}")

    def open_tcp(self, address: str, port: int) -> Stream:
        """A TCP connection from the host to ``address:port``. UnreachableError if the host cannot connect."""
        try:
            return self.connected().open_tcp(address, port)
        except (OSError, ConnectionLostError) as error:
            raise UnreachableError(
                f"{self._name}: cannot connect from this host to {address}:{port}", why=str(error)
            ) from error

    def stop(self) -> None:
        """Begin no further attempt to connect; does not wait for one in progress."""
        self._closed.set()

    def close(self) -> None:
        """Close the connection (not the jump host's); running commands fail with "connection lost"."""
        self.stop()
        connection = self._connection.peek()
        if connection is not None:
            connection.close()

    def connected(self) -> C:
        """The connection, made now if there is none. UnreachableError, AuthError."""
        if self._closed.is_set():
            raise UnreachableError(f"{self._name}: the connection is closed")
        return self._connection.get()

    def _log_in(self) -> C:
        """A new connection; errors say which client could not make it."""
        try:
            return self._connect()
        except RancherctlError as error:
            if (client := f"(ssh client: {self.client})") not in error.why:
                # a jump host's error has passed here already
                error.why = f"{error.why} {client}".lstrip()
            raise

    def _execute(self, command: Command, blocks: Iterable[bytes]) -> Result:
        way = self._rights.way(lambda probe: self._execute(probe, ())) if command.root else "root"
        if way == "password":
            return self._rights.with_password(lambda password: self._session(command, blocks, password, str))
        return self._session(command, blocks, None, sudo.without_password if way == "sudo" else str)

    def _session(
        self, command: Command, blocks: Iterable[bytes], password: Secret | None, wrap: Callable[[str], str]
    ) -> Result:
        refusals = 0
        while True:
            with self._slots:
                connection = self.connected()
                try:
                    session = Session(connection.channel(), command, where=self._name, alive=connection.still_active)
                    return session.run(blocks, password=password, wrap=wrap)
                except ConnectionLostError as error:
                    raise UnreachableError(
                        f"{self._name}: connection lost", why=str(error), hint="run the same command again"
                    ) from error
                except SessionRefusedError as error:
                    # MaxSessions is lower, so the next slot is waited for; or other clients of this login use them all
                    if not self._slots.refused():
                        refusals += 1
                        if self._closed.wait(self._backoff(refusals)) or refusals == REFUSALS:
                            raise UnreachableError(
                                f"{self._name}: the ssh server refuses more sessions", why=str(error)
                            ) from error
