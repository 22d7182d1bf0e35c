"""Probe one listener of this host: whether it can be opened, and whether HAProxy answers on it."""

from __future__ import annotations

import socket

from rancherctl.ingress.model import Listener


def open_error(listener: Listener) -> str:
    """Why this listener cannot be opened ("" = it can)."""
    family = socket.AF_INET6 if listener.family == "IPv6" else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if listener.family == "IPv6":
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind(("", listener.port))
            probe.listen(1)
        except OSError as error:
            return f"port {listener.port}: {error.strerror}"
    return ""


def answers(listener: Listener, timeout: float) -> bool:
    """Whether this host sends any answer to a request on the listener within ``timeout`` seconds."""
    loopback = "::1" if listener.family == "IPv6" else "127.0.0.1"
    try:
        with socket.create_connection((loopback, listener.port), timeout) as connection:
            connection.sendall(b"HEAD / HTTP/1.0\r\n\r\n")
            return bool(connection.recv(1))
    except OSError:
        return False
