"""Probe targets: one TCP connect each, all at once, and an HTTP request where a path is given."""

from __future__ import annotations

import errno
import selectors
import socket
import time
from collections.abc import Iterable
from typing import Final

from rancherctl.federation.probe_targets import Target
from rancherctl.net import bracketed, is_ip

TIMEOUT: Final = 1.0
_LOCAL: Final = frozenset(
    {
        errno.ENETDOWN,
        errno.EADDRNOTAVAIL,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOBUFS,
        errno.ENOMEM,
    }
)
"""Failures of this host; they say nothing about the target."""


class _Probe:
    """One connection under way."""

    def __init__(self, target: Target, sock: socket.socket) -> None:
        self.target, self.sock = target, sock
        self.connected = False
        self.answer = b""

    def advance(self) -> bool | None:
        """Go on after the socket is ready. True or False: the outcome; None: wait on. Raises OSError."""
        if not self.connected:
            code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, "connect")
            self.connected = True
            if not self.target.path:
                return True
            host = bracketed(self.target.address)
            lines = (f"GET {self.target.path} HTTP/1.1", f"Host: {host}", "User-Agent: rancherctl", "Connection: close")
            self.sock.send("\r\n".join((*lines, "", "")).encode("ascii", "replace"))
            return None
        part = self.sock.recv(512)
        self.answer += part
        words = self.answer.split(b"\r\n", 1)[0].split(b" ")
        if b"\r\n" in self.answer or len(self.answer) > 64 or not part:
            return len(words) > 1 and words[0].startswith(b"HTTP/1.") and words[1][:1] in (b"2", b"3")
        return None


def probe(targets: Iterable[Target], *, timeout: float = TIMEOUT) -> dict[str, bool | None]:
    """Key → whether the target answers within ``timeout`` seconds; None: this host could not ask."""
    outcomes: dict[str, bool | None] = {}
    with selectors.DefaultSelector() as waiting:
        for target in targets:
            _begin(target, waiting, outcomes)
        deadline = time.monotonic() + timeout
        while waiting.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in waiting.select(left):
                _advance(key.data, waiting, outcomes)
        for key in list((waiting.get_map() or {}).values()):
            outcomes[key.data.target.key] = False
            key.data.sock.close()
    return outcomes


def _begin(target: Target, waiting: selectors.BaseSelector, outcomes: dict[str, bool | None]) -> None:
    if not is_ip(target.address) or not 0 < target.port < 65536:
        outcomes[target.key] = False
        return
    family = socket.AF_INET6 if ":" in target.address else socket.AF_INET
    try:
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    except OSError as error:
        outcomes[target.key] = None if error.errno in _LOCAL else False
        return
    code = sock.connect_ex((target.address, target.port))
    if code in (0, errno.EINPROGRESS):
        waiting.register(sock, selectors.EVENT_WRITE, _Probe(target, sock))
        return
    sock.close()
    outcomes[target.key] = None if code in _LOCAL else False


def _advance(found: _Probe, waiting: selectors.BaseSelector, outcomes: dict[str, bool | None]) -> None:
    try:
        outcome = found.advance()
    except OSError as error:
        outcomes[found.target.key] = None if error.errno in _LOCAL else False
    else:
        if outcome is None:
            waiting.modify(found.sock, selectors.EVENT_READ, found)
            return
        outcomes[found.target.key] = outcome
    waiting.unregister(found.sock)
    found.sock.close()
