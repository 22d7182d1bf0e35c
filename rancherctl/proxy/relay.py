"""A TLS connection as a plain socket, so that another TLS connection can be made inside it (an HTTPS proxy)."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from typing import Final

PART: Final = 1 << 16


def relayed(outer: ssl.SSLSocket) -> socket.socket:
    """A socket whose bytes travel through ``outer``; closing either end closes both."""
    near, far = socket.socketpair()
    outer.settimeout(None)
    threading.Thread(target=_relay, args=(far, outer), name="proxy relay", daemon=True).start()
    return near


def _relay(far: socket.socket, outer: ssl.SSLSocket) -> None:
    """Copy in both directions in one thread: two threads must not use one TLS connection."""
    with far, outer, contextlib.suppress(OSError):  # either end has closed: closing the other one says so
        while True:
            readable = [outer] if outer.pending() else select.select([far, outer], [], [])[0]
            for source, sink in ((outer, far), (far, outer)):
                if source in readable:
                    data = source.recv(PART)
                    if not data:
                        return
                    sink.sendall(data)
