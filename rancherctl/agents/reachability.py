"""A second opinion on silent hosts: does anything answer at their address? A refused connection is an answer, silence is not.

What fails on our own side (no network, no more sockets) is no opinion about the others: they count as answering.
"""

from __future__ import annotations

import errno
import selectors
import socket
import time
from collections.abc import Mapping
from ipaddress import ip_address

KUBELET_PORT = 10250
_ANSWERS = {0, errno.ECONNREFUSED, errno.ECONNRESET}
_OUR_OWN = {
    errno.ENETUNREACH,
    errno.ENETDOWN,
    errno.EADDRNOTAVAIL,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOBUFS,
    errno.ENOMEM,
}


def answering(addresses: Mapping[str, str], *, port: int = KUBELET_PORT, timeout: float = 1.0) -> frozenset[str]:
    """Names of the hosts (name → address) that answer a TCP connect within ``timeout`` seconds; all are asked at once.

    Hosts say their addresses themselves: one that is none is not looked up, and does not answer.
    """
    found: set[str] = set()
    with selectors.DefaultSelector() as waiting:
        for name, address in addresses.items():
            if _is_address(address) and _asked(name, address, port, waiting):
                found.add(name)
        deadline = time.monotonic() + timeout
        while waiting.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in waiting.select(left):
                sock: socket.socket = key.fileobj  # type: ignore[assignment]
                if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in _ANSWERS | _OUR_OWN:
                    found.add(key.data)
                waiting.unregister(sock)
                sock.close()
        for key in list((waiting.get_map() or {}).values()):
            key.fileobj.close()  # type: ignore[union-attr]
    return frozenset(found)


def _is_address(text: str) -> bool:
    try:
        return bool(ip_address(text)) and "%" not in text  # a scope would be looked up
    except ValueError:
        return False


def _asked(name: str, address: str, port: int, waiting: selectors.BaseSelector) -> bool:
    """Begin a connect; True when it is answered already, or cannot be begun for a reason of our own."""
    try:
        sock = socket.socket(
            socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK
        )
    except OSError as error:
        return error.errno in _OUR_OWN
    code = sock.connect_ex((address, port))
    if code == errno.EINPROGRESS:
        waiting.register(sock, selectors.EVENT_WRITE, name)
        return False
    sock.close()
    return code in _ANSWERS | _OUR_OWN
