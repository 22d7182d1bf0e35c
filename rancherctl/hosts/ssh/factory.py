"""Make transports to hosts, each through its jump hosts.

A jump host that several hosts share is connected once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from rancherctl.errors import UsageError
from rancherctl.hosts.host_keys import AcceptedKeys
from rancherctl.hosts.jump_hosts import JUMP_LIMIT
from rancherctl.hosts.model import SshAddress
from rancherctl.hosts.prompts import Prompts
from rancherctl.hosts.ssh.login import resolve_without_openssh
from rancherctl.hosts.ssh.transport import SshTransport
from rancherctl.hosts.ssh_settings import SshSettings, resolve


def settings_for(address: SshAddress) -> SshSettings:
    """The settings of an address by its ssh configuration."""
    return resolve(address) or resolve_without_openssh(address)


class SshTransports:
    """Transports of the paramiko implementation. Thread-safe; a transport connects when it is first used."""

    def __init__(self, prompts: Prompts, settings: Callable[[SshAddress], SshSettings] = settings_for) -> None:
        self._prompts = prompts
        self._settings = settings
        self._accepted = AcceptedKeys()
        self._lock = threading.Lock()
        self._jumps: dict[tuple[SshAddress, ...], SshTransport] = {}

    def create(self, address: SshAddress, name: str) -> SshTransport:
        """A new transport to a host; ``name`` is the host's name for messages ("" = its address)."""
        return self._create(address, name, (), None)

    def shared(self) -> Sequence[SshTransport]:
        """Transports of jump hosts, each after those that lead to it."""
        with self._lock:
            return tuple(self._jumps.values())

    def _create(
        self, address: SshAddress, name: str, path: tuple[SshAddress, ...], via: SshTransport | None
    ) -> SshTransport:
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
        return SshTransport(settings, name=name, prompts=self._prompts, via=via, accepted=self._accepted)
