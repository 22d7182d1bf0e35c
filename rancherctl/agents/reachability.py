"""Reachability: whether silent hosts answer a TCP connect; a refused connection is an answer.

A failure on the own side (no network, no free sockets) says nothing about the hosts: they count as answering.
"""

from __future__ import annotations

import errno
import selectors
import socket
import time
from collections.abc import Mapping

from rancherctl.net import is_ip

KUBELET_PORT = 10250
_ANSWERS = {0, errno.ECONNREFUSED, errno.ECONNRESET}
_LOCAL_FAILURES = {
    errno.ENETUNREACH,
    errno.ENETDOWN,
    errno.EADDRNOTAVAIL,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOBUFS,
    errno.ENOMEM,
}


def answering(addresses: Mapping[str, str], *, port: int = KUBELET_PORT, timeout: float = 1.0) -> frozenset[str]:
    """Names of the hosts (name → address) that answer a TCP connect within ``timeout`` seconds.

    Hosts set their addresses themselves: a text that is not an IP address is never resolved, and counts as no answer.
    """
    found: set[str] = set()
    with selectors.DefaultSelector() as waiting:
        for name, address in addresses.items():
            if is_ip(address) and _answers_at_once(name, address, port, waiting):
                found.add(name)
        deadline = time.monotonic() + timeout
        while waiting.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in waiting.select(left):
                sock: socket.socket = key.fileobj  # type: ignore[assignment]
                if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in _ANSWERS | _LOCAL_FAILURES:
                    found.add(key.data)
                waiting.unregister(sock)
                sock.close()
        for key in list((waiting.get_map() or {}).values()):
            key.fileobj.close()  # type: ignore[union-attr]
    return frozenset(found)


def _answers_at_once(name: str, address: str, port: int, waiting: selectors.BaseSelector) -> bool:
    """Begin a connect. True: answered already, or it cannot begin because of a local failure."""
    try:
        sock = socket.socket(
            socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK
        )
    except OSError as error:
        return error.errno in _LOCAL_FAILURES
    code = sock.connect_ex((address, port))
    if code == errno.EINPROGRESS:
        waiting.register(sock, selectors.EVENT_WRITE, name)
        return False
    sock.close()
    return code in _ANSWERS | _LOCAL_FAILURES
