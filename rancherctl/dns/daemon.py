"""Telling the server's process what to do: through systemd on a host, directly in tests."""

from __future__ import annotations

from typing import Protocol

from rancherctl.contract import DNS_UNIT
from rancherctl.hosts.command import command
from rancherctl.hosts.transport import Transport

UNIT = DNS_UNIT


class Daemon(Protocol):
    """The server's process. Every call returns when it is done and raises an error of hosts when it failed."""

    def reload(self) -> None:
        """Read the configuration again and load zones that are not loaded; goes on answering meanwhile."""

    def stop(self) -> None:
        """End the process."""

    def start(self) -> None:
        """Start the process; it may not answer yet."""


class SystemdDaemon:
    """The unit on this host."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def reload(self) -> None:
        """SIGHUP; a unit that is not running is started instead."""
        self._transport.run(command("systemctl", "reload-or-restart", UNIT, timeout=20.0))

    def stop(self) -> None:
        """Stop the unit."""
        self._transport.run(command("systemctl", "stop", UNIT, timeout=20.0))

    def start(self) -> None:
        """Start the unit."""
        self._transport.run(command("systemctl", "start", UNIT, timeout=20.0))
