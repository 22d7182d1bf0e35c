"""The open connections of one run: one per host, closed together. Callers reach hosts through this class."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

from rancherctl.hosts.model import Host, SshAddress
from rancherctl.hosts.prompts import Prompts
from rancherctl.hosts.transport import RemoteTransport


class TransportFactory(Protocol):
    """Makes transports: an ssh client, or the choice between two."""

    def create(self, address: SshAddress, name: str) -> RemoteTransport:
        """A transport to a host, not yet connected; ``name`` is for messages ("" = the address)."""

    def shared(self) -> Sequence[RemoteTransport]:
        """Transports that others lead through (jump hosts), in the order in which they were made."""


class Connections:
    """A context manager.

    ``transport(host)`` returns the same transport for the same host name; it connects when first used.
    """

    def __init__(self, prompts: Prompts | None = None, factory: TransportFactory | None = None) -> None:
        self._prompts = prompts or Prompts()
        self._factory = factory
        self._lock = threading.Lock()
        self._open: dict[str, RemoteTransport] = {}

    def __enter__(self) -> Connections:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def transport(self, host: Host) -> RemoteTransport:
        """The transport of an environment's host."""
        return self.address(host.ssh, host.name)

    def address(self, address: SshAddress, name: str = "") -> RemoteTransport:
        """The transport of a bare address (``env fetch user@host``)."""
        key = name or f"{address.user}@{address.host}:{address.port}"
        if key not in self._open:
            # created outside the lock, so that many hosts are resolved at once; all callers use the first of two for
            # one host
            created = self._transports().create(address, name)
            with self._lock:
                return self._open.setdefault(key, created)
        return self._open[key]

    def close(self) -> None:
        """Close all connections, jump hosts last; safe to call twice and from another thread."""
        with self._lock:
            shared = self._factory.shared() if self._factory is not None else ()
            everything = [*self._open.values(), *reversed(shared)]
        # stop all before closing any: while one is still connecting, the others must not begin another attempt
        for transport in everything:
            transport.stop()
        for transport in everything:
            transport.close()

    def _transports(self) -> TransportFactory:
        with self._lock:
            if self._factory is None:
                from rancherctl.hosts.ssh_clients import ChosenTransports

                self._factory = ChosenTransports(self._prompts)
            return self._factory
