"""Make transports to hosts with the system's OpenSSH, each through its jump hosts.

A jump host that several hosts share is connected once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from rancherctl.errors import UsageError
from rancherctl.hosts.jump_hosts import JUMP_LIMIT
from rancherctl.hosts.model import SshAddress
from rancherctl.hosts.openssh.host_key_policy import AcceptedFingerprints
from rancherctl.hosts.openssh.transport import OpenSshTransport
from rancherctl.hosts.prompts import Prompts
from rancherctl.hosts.remote_host import jitter
from rancherctl.hosts.ssh_settings import SshSettings, resolve


def settings_for(address: SshAddress) -> SshSettings:
    """The settings of an address by its ssh configuration. UsageError if OpenSSH cannot be used."""
    if (settings := resolve(address)) is None:
        raise UsageError(
            f"{address.host}: OpenSSH's client cannot be used",
            why="ssh is not installed, or does not work for this user id",
            hint="install openssh-client",
        )
    return settings


class OpenSshTransports:
    """Transports of the OpenSSH implementation. Thread-safe; a transport connects when it is first used."""

    def __init__(
        self,
        prompts: Prompts,
        settings: Callable[[SshAddress], SshSettings] = settings_for,
        *,
        backoff: Callable[[int], float] = jitter,
    ) -> None:
        self._prompts = prompts
        self._settings = settings
        self._backoff = backoff
        self._accepted = AcceptedFingerprints()
        self._lock = threading.Lock()
        self._jumps: dict[tuple[SshAddress, ...], OpenSshTransport] = {}

    def create(self, address: SshAddress, name: str) -> OpenSshTransport:
        """A new transport to a host; ``name`` is the host's name for messages ("" = its address).

        UsageError if OpenSSH is not installed or refuses its configuration.
        """
        return self._create(address, name, (), None)

    def shared(self) -> Sequence[OpenSshTransport]:
        """Transports of jump hosts, each after those that lead to it."""
        with self._lock:
            return tuple(self._jumps.values())

    def _create(
        self, address: SshAddress, name: str, path: tuple[SshAddress, ...], via: OpenSshTransport | None
    ) -> OpenSshTransport:
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
        return OpenSshTransport(
            address,
            settings,
            name=name,
            prompts=self._prompts,
            via=via,
            backoff=self._backoff,
            accepted=self._accepted,
        )
