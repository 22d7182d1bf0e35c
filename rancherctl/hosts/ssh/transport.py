"""A host over ssh with paramiko."""

from __future__ import annotations

import threading
from collections.abc import Callable

import paramiko

from rancherctl.hosts.host_keys import AcceptedKeys
from rancherctl.hosts.prompts import Prompts
from rancherctl.hosts.remote_host import ConnectionLostError, RemoteHost, SessionRefusedError, jitter
from rancherctl.hosts.ssh.channel import ParamikoChannel
from rancherctl.hosts.ssh.login import CONNECT_LIMIT, ParamikoLogin
from rancherctl.hosts.ssh.messages import line_of
from rancherctl.hosts.ssh_settings import SshSettings


class ParamikoConnection:
    """A connection of paramiko as ``hosts.remote_host.Connection``."""

    def __init__(self, transport: paramiko.Transport) -> None:
        self._transport = transport

    def is_active(self) -> bool:
        """Whether the connection is open."""
        return bool(self._transport.is_active())

    def still_active(self) -> bool:
        """The same; channels see a loss a moment before the connection itself counts as closed."""
        self._transport.join(0.3)
        return self.is_active()

    def channel(self) -> ParamikoChannel:
        """A session channel. SessionRefusedError, ConnectionLostError."""
        try:
            return ParamikoChannel(self._transport.open_session(timeout=CONNECT_LIMIT))
        except (paramiko.SSHException, OSError, EOFError) as error:
            if not (isinstance(error, paramiko.SSHException) and self.is_active()):
                raise ConnectionLostError(line_of(error)) from error
            # of several refusals at once paramiko raises ChannelException with the reason in one thread only, and a
            # bare SSHException in the others
            raise SessionRefusedError(line_of(error)) from error

    def open_tcp(self, address: str, port: int) -> paramiko.Channel:
        """A TCP connection from the host to ``address:port``; OSError with the reason if there is none."""
        try:
            return self.forward(address, port)
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise OSError(line_of(error)) from error

    def forward(self, address: str, port: int) -> paramiko.Channel:
        """The same, raising errors of socket and paramiko: for a login through this host."""
        return self._transport.open_channel("direct-tcpip", (address, port), ("127.0.0.1", 0), timeout=CONNECT_LIMIT)

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()


class SshTransport(RemoteHost[ParamikoConnection]):
    """A host through paramiko; ``via`` is the jump host's transport."""

    client = "paramiko"

    def __init__(
        self,
        settings: SshSettings,
        *,
        name: str = "",
        prompts: Prompts | None = None,
        via: SshTransport | None = None,
        backoff: Callable[[int], float] = jitter,
        accepted: AcceptedKeys | None = None,
    ) -> None:
        name, prompts, closed = name or settings.host, prompts or Prompts(), threading.Event()
        login = ParamikoLogin(settings, name, prompts, via, closed, backoff, accepted)
        super().__init__(
            name,
            lambda: ParamikoConnection(login.connect()),
            login.who,
            prompts,
            closed=closed,
            backoff=backoff,
        )

    def forward(self, address: str, port: int) -> paramiko.Channel:
        """A TCP connection from the host, raising errors of socket and paramiko: for a login through this host."""
        return self.connected().forward(address, port)
