"""A second opinion on silent hosts: does anything answer at their address? A refused connection is an answer, silence is not."""

from __future__ import annotations

import errno
import selectors
import socket
import time
from collections.abc import Mapping

KUBELET_PORT = 10250
_ANSWERS = {0, errno.ECONNREFUSED, errno.ECONNRESET}


def answering(addresses: Mapping[str, str], *, port: int = KUBELET_PORT, timeout: float = 1.0) -> frozenset[str]:
    """Names of the hosts (name → address) that answer a TCP connect within ``timeout`` seconds; all are asked at once."""
    found: set[str] = set()
    with selectors.DefaultSelector() as waiting:
        for name, address in addresses.items():
            sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            code = sock.connect_ex((address, port))
            if code in _ANSWERS:
                found.add(name)
            if code == errno.EINPROGRESS:
                waiting.register(sock, selectors.EVENT_WRITE, name)
            else:
                sock.close()
        deadline = time.monotonic() + timeout
        while waiting.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in waiting.select(left):
                sock = key.fileobj  # type: ignore[assignment]
                if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in _ANSWERS:
                    found.add(key.data)
                waiting.unregister(sock)
                sock.close()
        for key in list((waiting.get_map() or {}).values()):
            key.fileobj.close()  # type: ignore[union-attr]
    return frozenset(found)
