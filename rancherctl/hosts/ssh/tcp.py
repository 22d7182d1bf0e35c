"""TCP connections with the options AddressFamily and BindAddress of the ssh configuration."""

from __future__ import annotations

import socket
from typing import Any, Final

from rancherctl.hosts.ssh_settings import SshSettings

FAMILIES: Final = {"any": socket.AF_UNSPEC, "inet": socket.AF_INET, "inet6": socket.AF_INET6}


def connect(settings: SshSettings, limit: float) -> socket.socket:
    """A connection to the host, by the first of its addresses that accepts within ``limit`` seconds; OSError."""
    failure: OSError | None = None
    targets = socket.getaddrinfo(settings.host, settings.port, FAMILIES[settings.family], socket.SOCK_STREAM)
    for family, kind, protocol, _, target in targets:
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(limit)
            if settings.bind_address:
                connection.bind(_source(settings.bind_address, family))
            connection.connect(target)
        except OSError as error:
            connection.close()
            failure = failure or error
        else:
            return connection
    raise failure or OSError(f"{settings.host} has no address")


def _source(address: str, family: int) -> Any:
    try:
        return socket.getaddrinfo(address, 0, family, socket.SOCK_STREAM)[0][4]
    except OSError as error:
        raise OSError(f"BindAddress {address}: {error.strerror or error}") from error
