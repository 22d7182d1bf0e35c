"""Asking the upstream resolvers, again and again, whether they answer: a dead one would hold a query for seconds."""

from __future__ import annotations

import logging
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path

from rancherctl.dns.upstreams import Health, of_resolv_conf

log = logging.getLogger(__name__)
RESOLV_CONF = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
"""The first that names another server than this host counts: behind systemd-resolved that is the second. It may also lie there, old or
empty, where systemd-resolved was once or runs for nothing."""
INTERVAL = 5.0
DOUBT = 1.0
WAIT = 1.0
_USEFUL = frozenset({0, 3})
"""NOERROR, NXDOMAIN. A server that refuses or fails the root's NS is lame for us."""


def ask(upstreams: Collection[str], *, port: int = 53, wait: float = WAIT) -> frozenset[str]:
    """Those that answer the question for the root's NS usefully within ``wait`` seconds; all are asked at once."""
    asked: dict[socket.socket, tuple[str, bytes]] = {}
    good: set[str] = set()
    try:
        for upstream in upstreams:
            number = os.urandom(2)
            try:
                asked[_question(upstream, port, number)] = (upstream, number)
            except OSError as error:  # no way there; or a host whose kernel has no IPv6 at all
                log.debug("upstream %s cannot be asked: %s", upstream, error)
        deadline = time.monotonic() + wait
        open_ = set(asked)
        while open_ and (left := deadline - time.monotonic()) > 0:
            for sock in select.select(list(open_), [], [], left)[0]:
                open_.discard(sock)
                if _useful(sock, asked[sock][1]):
                    good.add(asked[sock][0])
    finally:
        for sock in asked:
            sock.close()
    return frozenset(good)


def _question(upstream: str, port: int, number: bytes) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in upstream else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.connect((upstream, port))
        sock.send(number + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + b"\0" + struct.pack("!HH", 2, 1))
    except OSError:
        sock.close()
        raise
    return sock


def _useful(sock: socket.socket, number: bytes) -> bool:
    try:
        data = sock.recv(4096)
    except OSError:  # refused by its host: the answer is no
        return False
    return len(data) >= 12 and data[:2] == number and bool(data[2] & 0x80) and (data[3] & 0x0F) in _USEFUL


class Prober:
    """A thread that keeps ``order`` up to date and calls ``wake`` when it changes."""

    def __init__(self, configured: tuple[str, ...], own: Collection[str], wake: Callable[[], None]) -> None:
        self._configured, self._own, self._wake = configured, frozenset(own), wake
        self._health = Health()
        self._stop = threading.Event()
        self._order: tuple[str, ...] | None = None
        self._thread = threading.Thread(target=self._run, name="dns-upstreams", daemon=True)

    @property
    def order(self) -> tuple[str, ...] | None:
        """The upstreams to use, best first; None before the first probe."""
        return self._order

    @property
    def dead(self) -> tuple[str, ...]:
        """Those that do not answer."""
        return tuple(sorted(self._health.dead))

    def start(self) -> None:
        """Begin probing."""
        self._thread.start()

    def stop(self) -> None:
        """End probing."""
        self._stop.set()
        self._thread.join(WAIT + 1.0)

    def _run(self) -> None:
        pause = 0.0
        while not self._stop.wait(pause):
            try:
                self._look()
            except Exception:  # a thread that dies silently would leave the upstreams as they are for ever
                log.exception("upstream resolvers cannot be asked, trying again")
            pause = DOUBT if self._health.doubtful() else INTERVAL

    def _look(self) -> None:
        self._health.use(self._configured or host_upstreams(self._own))
        good = ask(self._health.upstreams)
        for upstream in self._health.upstreams:
            self._health.note(upstream, upstream in good)
        if self._order != self._health.order():
            self._order = self._health.order()
            log.info(
                "upstream resolvers in use: %s; not answering: %s",
                ", ".join(self._order) or "none",
                ", ".join(self.dead) or "none",
            )
            self._wake()


def host_upstreams(own: Collection[str]) -> tuple[str, ...]:
    """The host's own resolvers."""
    for path in RESOLV_CONF:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:  # a host without this file has the other one, or no resolver at all
            continue
        if found := of_resolv_conf(text, own):
            return found
    return ()
