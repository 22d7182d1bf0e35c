"""Control of the server's process: through systemd on a host, directly in tests."""

from __future__ import annotations

from typing import Protocol

from rancherctl.contract import DNS_UNIT
from rancherctl.hosts.command import command
from rancherctl.hosts.transport import Transport

UNIT = DNS_UNIT


class Daemon(Protocol):
    """The server's process. Every call returns when it is complete and raises the errors of hosts."""

    def reload(self) -> None:
        """Reload the configuration and load missing zones; the server keeps answering."""

    def stop(self) -> None:
        """Stop the process."""

    def start(self) -> None:
        """Start the process; it may not answer yet."""


class SystemdDaemon:
    """The unit on this host."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def reload(self) -> None:
        """Send SIGHUP; starts the unit if it is not running."""
        self._transport.run(command("systemctl", "reload-or-restart", UNIT, timeout=20.0))

    def stop(self) -> None:
        """Stop the unit."""
        self._transport.run(command("systemctl", "stop", UNIT, timeout=20.0))

    def start(self) -> None:
        """Start the unit."""
        self._transport.run(command("systemctl", "start", UNIT, timeout=20.0))
