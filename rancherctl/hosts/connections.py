"""The open connections of one run: one per host, jump hosts shared, all closed together. This is what callers use to reach hosts."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from rancherctl.errors import UsageError
from rancherctl.hosts.model import Host, SshAddress
from rancherctl.hosts.prompts import Prompts
from rancherctl.hosts.ssh_settings import JUMP_LIMIT, resolve

if TYPE_CHECKING:
    from rancherctl.hosts.ssh.transport import SshTransport


class Connections:
    """Use as a context manager. ``transport(host)`` gives the same transport for the same host name; it connects when first used."""

    def __init__(self, prompts: Prompts | None = None) -> None:
        self._prompts = prompts or Prompts()
        self._lock = threading.Lock()
        self._open: dict[str, SshTransport] = {}
        self._jumps: dict[tuple[SshAddress, ...], SshTransport] = {}

    def __enter__(self) -> Connections:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def transport(self, host: Host) -> SshTransport:
        """The transport of an environment's host."""
        return self.address(host.ssh, host.name)

    def address(self, address: SshAddress, name: str = "") -> SshTransport:
        """The transport of a bare address (``env fetch user@host``)."""
        key = name or f"{address.user}@{address.host}:{address.port}"
        if key not in self._open:
            # made outside the lock, so that many hosts are resolved at once; of two made for one host the first is used by both
            made = self._make(address, name)
            with self._lock:
                return self._open.setdefault(key, made)
        return self._open[key]

    def _make(
        self, address: SshAddress, name: str, path: tuple[SshAddress, ...] = (), via: SshTransport | None = None
    ) -> SshTransport:
        """A transport; ``path`` are the hosts that lead to it. A host that is given its way (``via``) uses no jump of its own."""
        from rancherctl.hosts.ssh.login import resolve_without_openssh
        from rancherctl.hosts.ssh.transport import SshTransport

        if len(path) > JUMP_LIMIT:
            raise UsageError(
                f"{name or address.host}: its jump hosts lead in a circle",
                hint="check ProxyJump in your ssh configuration",
            )
        settings = resolve(address) or resolve_without_openssh(address)
        if via is None:
            for jump in settings.jump:
                path = (*path, jump)
                if path not in self._jumps:
                    made = self._make(jump, "", path, via)
                    with self._lock:
                        self._jumps.setdefault(path, made)
                via = self._jumps[path]
        return SshTransport(settings, name=name, prompts=self._prompts, via=via)

    def close(self) -> None:
        """Close all connections, those through jump hosts first; safe to call twice and from another thread."""
        with self._lock:
            everything = [*self._open.values(), *reversed(self._jumps.values())]
        # all are told before any is waited for: one that is just connecting must not let the others begin their next try
        for transport in everything:
            transport.stop()
        for transport in everything:
            transport.close()
