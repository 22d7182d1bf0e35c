"""A host over ssh with paramiko: one connection, many commands in parallel, each with a time limit.

Reconnects when needed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import paramiko

from rancherctl.errors import UnreachableError
from rancherctl.hosts import sudo
from rancherctl.hosts.command import Command, Result, Secret
from rancherctl.hosts.host_keys import AcceptedKeys
from rancherctl.hosts.prompts import Prompts
from rancherctl.hosts.remote_call import ARGV, answer_of, call, request_bytes
from rancherctl.hosts.rights import Rights
from rancherctl.hosts.session import Session
from rancherctl.hosts.shared_value import SharedValue
from rancherctl.hosts.ssh.channel import ParamikoChannel
from rancherctl.hosts.ssh.login import CONNECT_LIMIT, DROPS, ParamikoLogin, jitter, line_of
from rancherctl.hosts.ssh_settings import SshSettings
from rancherctl.hosts.transfer import feed, source_of
from rancherctl.hosts.transport import CommandFailedError, Progress

UPLOAD_LIMIT = 3600.0


class SshTransport:
    """Connects at the first command and again after the connection was lost.

    ``via`` is the jump host's transport.
    """

    def __init__(
        self,
        settings: SshSettings,
        *,
        name: str = "",
        prompts: Prompts | None = None,
        via: SshTransport | None = None,
        channels: int = 8,
        backoff: Callable[[int], float] | None = None,
        accepted: AcceptedKeys | None = None,
    ) -> None:
        self._name = name or settings.host
        # sshd's MaxSessions is 10 by default
        self._slots = threading.BoundedSemaphore(channels)
        self._backoff = backoff or jitter
        self._closed = threading.Event()
        prompts = prompts or Prompts()
        login = ParamikoLogin(settings, self._name, prompts, via, self._closed, self._backoff, accepted)
        self._connection = SharedValue(login.connect, paramiko.Transport.is_active)
        self._rights = Rights(login.who, prompts)

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

    def open_tcp(self, address: str, port: int) -> paramiko.Channel:
        """A TCP connection from the host to ``address:port``. UnreachableError if the host cannot connect."""
        try:
            return self.forward(address, port)
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise UnreachableError(
                f"{self._name}: cannot connect from this host to {address}:{port}", why=line_of(error)
            ) from error

    def forward(self, address: str, port: int) -> paramiko.Channel:
        """The same, raising errors of socket and paramiko: for a login through this host."""
        return self._connected().open_channel("direct-tcpip", (address, port), ("127.0.0.1", 0), timeout=CONNECT_LIMIT)

    def stop(self) -> None:
        """Begin no further attempt to connect; does not wait for one in progress."""
        self._closed.set()

    def close(self) -> None:
        """Close the connection (not the jump host's); running commands fail with "connection lost"."""
        self.stop()
        transport = self._connection.peek()
        if transport is not None:
            transport.close()

    def _execute(self, command: Command, blocks: Iterable[bytes]) -> Result:
        way = self._rights.way(lambda probe: self._execute(probe, ())) if command.root else "root"
        if way == "password":
            return self._rights.with_password(lambda password: self._session(command, blocks, password, str))
        return self._session(command, blocks, None, sudo.without_password if way == "sudo" else str)

    def _session(
        self, command: Command, blocks: Iterable[bytes], password: Secret | None, wrap: Callable[[str], str]
    ) -> Result:
        with self._slots:
            transport = self._connected()

            def alive() -> bool:
                # channels see the loss a moment before the connection itself counts as closed
                transport.join(0.3)
                return transport.is_active()

            session = Session(ParamikoChannel(self._channel(transport)), command, where=self._name, alive=alive)
            try:
                return session.run(blocks, password=password, wrap=wrap)
            except paramiko.SSHException as error:
                raise UnreachableError(
                    f"{self._name}: connection lost during {command.show()[:200]}", why=line_of(error)
                ) from error

    def _channel(self, transport: paramiko.Transport) -> paramiko.Channel:
        for attempt in range(DROPS):
            try:
                return transport.open_session(timeout=CONNECT_LIMIT)
            except (paramiko.SSHException, OSError, EOFError) as error:
                if not (isinstance(error, paramiko.SSHException) and transport.is_active()):
                    raise UnreachableError(
                        f"{self._name}: connection lost", why=line_of(error), hint="run the same command again"
                    ) from error
                # other clients of this login, or a lower MaxSessions, use all sessions; of several refusals at once
                # paramiko raises ChannelException with the reason in one thread only, and a bare SSHException in the
                # others
                if self._closed.wait(self._backoff(attempt)) or attempt == DROPS - 1:
                    raise UnreachableError(
                        f"{self._name}: the ssh server refuses more sessions", why=line_of(error)
                    ) from error
        raise AssertionError

    def _connected(self) -> paramiko.Transport:
        if self._closed.is_set():
            raise UnreachableError(f"{self._name}: the connection is closed")
        return self._connection.get()
