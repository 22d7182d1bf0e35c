"""Make transports to hosts, each through its jump hosts; the same for every implementation of ssh.

A jump host that several hosts share is connected once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from rancherctl.errors import UsageError
from rancherctl.hosts.jump_hosts import JUMP_LIMIT
from rancherctl.hosts.model import SshAddress
from rancherctl.hosts.ssh_settings import SshSettings
from rancherctl.hosts.transport import RemoteTransport

T = TypeVar("T", bound=RemoteTransport)
Settings = Callable[[SshAddress], SshSettings]
"""How to connect to an address."""


class JumpTransports(Generic[T]):
    """A ``connections.TransportFactory``. Thread-safe; a transport connects when it is first used.

    ``make`` gives a transport by address, settings, name for messages and the jump host's transport (None = direct).
    """

    def __init__(self, settings: Settings, make: Callable[[SshAddress, SshSettings, str, T | None], T]) -> None:
        self._settings, self._make = settings, make
        self._lock = threading.Lock()
        self._jumps: dict[tuple[SshAddress, ...], T] = {}

    def create(self, address: SshAddress, name: str) -> T:
        """A new transport to a host; ``name`` is the host's name for messages ("" = its address)."""
        return self._create(address, name, (), None)

    def shared(self) -> Sequence[T]:
        """Transports of jump hosts, each after those that lead to it."""
        with self._lock:
            return tuple(self._jumps.values())

    def _create(self, address: SshAddress, name: str, path: tuple[SshAddress, ...], via: T | None) -> T:
        """``path`` are the hosts passed so far. A host reached through ``via`` uses no jump host of its own."""
        if len(path) > JUMP_LIMIT:
            raise UsageError(
                f"{name or address.host}: jump hosts form a loop", hint="check ProxyJump in your ssh config"
            )
        settings = self._settings(address)
        if via is None:
            for jump in settings.jump:
                path = (*path, jump)
                if path not in self._jumps:
                    made = self._create(jump, "", path, via)
                    with self._lock:
                        self._jumps.setdefault(path, made)
                via = self._jumps[path]
        return self._make(address, settings, name, via)
