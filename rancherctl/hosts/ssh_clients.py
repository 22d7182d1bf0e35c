"""Transports of the ssh client that is right for each host: paramiko, or the system's OpenSSH.

With ``auto``, a host whose server turns out to need OpenSSH is switched to it once. A refused key is not tried again
with the other client: servers count it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeVar

from rancherctl.errors import RancherctlError, UsageError
from rancherctl.hosts.command import Command, Result
from rancherctl.hosts.connections import TransportFactory
from rancherctl.hosts.model import SshAddress
from rancherctl.hosts.prompts import Prompts
from rancherctl.hosts.ssh_choice import INSTALL, OTHER_CLIENT
from rancherctl.hosts.ssh_configurations import SshConfigurations
from rancherctl.hosts.ssh_errors import BEYOND_CLIENT
from rancherctl.hosts.transport import Progress, RemoteTransport, Stream

T = TypeVar("T")
Client = Literal["paramiko", "openssh"]
Successor = Callable[[], RemoteTransport] | str
_log = logging.getLogger(__name__)


class ChosenTransports:
    """Makes transports of the right client. Thread-safe."""

    def __init__(self, prompts: Prompts, makers: Mapping[Client, Callable[[], TransportFactory]] | None = None) -> None:
        self._prompts = prompts
        self._configurations = SshConfigurations()
        self._makers = makers or {"paramiko": self._paramiko, "openssh": self._openssh}
        self._lock = threading.Lock()
        self._factories: dict[Client, TransportFactory] = {}
        self._said: set[str] = set()

    def create(self, address: SshAddress, name: str) -> RemoteTransport:
        """A new transport to a host; ``name`` is the host's name for messages ("" = its address).

        UsageError if the host needs OpenSSH, which is not there.
        """
        choice = self._configurations.choice(address)
        host = name or address.host
        self._note(f"{host}: ssh client {choice.name} ({choice.reason})")
        if choice.problem:
            what = "OpenSSH was requested" if address.client == "openssh" else choice.reason
            raise UsageError(f"{host}: {what}, but {choice.problem}", hint=choice.remedy)
        if choice.warning:
            self._warn(choice.warning)
        first = self._factory(choice.client).create(address, name)
        if choice.client == "openssh":
            return first
        return SwitchingTransport(first, self._second(address, name), self._note)

    def shared(self) -> Sequence[RemoteTransport]:
        """Transports of jump hosts, each after those that lead to it."""
        with self._lock:
            return tuple(transport for factory in self._factories.values() for transport in factory.shared())

    def _second(self, address: SshAddress, name: str) -> Successor:
        """What a host that paramiko cannot log in to gets."""
        if address.client == "paramiko":
            return OTHER_CLIENT
        if self._configurations.no_openssh(address):
            return f"{INSTALL}: rancherctl then uses it where paramiko cannot log in"
        return lambda: self._factory("openssh").create(address, name)

    def _factory(self, client: Client) -> TransportFactory:
        with self._lock:
            if client not in self._factories:
                self._factories[client] = self._makers[client]()
            return self._factories[client]

    def _paramiko(self) -> TransportFactory:
        from rancherctl.hosts.ssh.factory import SshTransports

        return SshTransports(self._prompts, self._configurations.settings)

    def _openssh(self) -> TransportFactory:
        from rancherctl.hosts.openssh.factory import OpenSshTransports

        return OpenSshTransports(self._prompts, self._configurations.settings)

    def _note(self, text: str) -> None:
        """Say it once in a run: two threads may make the transport of one host."""
        if self._is_new(text):
            _log.info("%s", text)
            if self._prompts.note is not None:
                self._prompts.note(text)

    def _warn(self, text: str) -> None:
        """Warn once in a run: usually the same lines of the configuration concern all hosts."""
        if self._is_new(text):
            _log.warning("%s", text)
            if self._prompts.warn is not None:
                self._prompts.warn(f"warning: {text}")

    def _is_new(self, text: str) -> bool:
        with self._lock:
            new = text not in self._said
            self._said.add(text)
        return new


class SwitchingTransport:
    """Connects with paramiko; if the login needs what it does not have, from then on with OpenSSH.

    ``second`` makes the other transport, or is the remedy if there is none.
    """

    def __init__(self, first: RemoteTransport, second: Successor, note: Callable[[str], None]) -> None:
        self._first, self._second, self._note = first, second, note
        self._lock = threading.Lock()
        self._current = first
        self._stopped = False

    @property
    def name(self) -> str:
        """The host's name for messages."""
        return self._first.name

    def run(self, command: Command, *, check: bool = True) -> Result:
        """Run a command to its end. With ``check`` a non-zero exit raises CommandFailedError."""
        return self._use(lambda transport: transport.run(command, check=check))

    def upload(self, source: Path, target: str, *, mode: int = 0o644, progress: Progress | None = None) -> None:
        """Copy a local file to an absolute path."""
        self._use(lambda transport: transport.upload(source, target, mode=mode, progress=progress))

    def open_tcp(self, address: str, port: int) -> Stream:
        """A connection from the host to ``address:port``."""
        return self._use(lambda transport: transport.open_tcp(address, port))

    def stop(self) -> None:
        """Begin no further attempt to connect."""
        with self._lock:
            self._stopped = True
            current = self._current
        current.stop()

    def close(self) -> None:
        """Close the connection."""
        self.stop()
        self._current.close()

    def _use(self, action: Callable[[RemoteTransport], T]) -> T:
        used = self._current
        try:
            return action(used)
        except BEYOND_CLIENT as error:
            if used is not self._first:
                raise
            if isinstance(self._second, str):
                error.hint = f"{error.hint}; or {self._second}" if error.hint else self._second
                raise
            return action(self._switch(self._second, error))

    def _switch(self, make: Callable[[], RemoteTransport], error: RancherctlError) -> RemoteTransport:
        """The second transport, made by the first thread that needs it. No command has begun yet."""
        with self._lock:
            if self._stopped:
                raise error
            if self._current is self._first:
                self._note(f"{error}; continuing with OpenSSH")
                self._current = make()
                self._first.close()
            return self._current
