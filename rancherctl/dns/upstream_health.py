"""Probe the upstream resolvers: a dead one would hold a query for seconds."""

from __future__ import annotations

import logging
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Collection
from pathlib import Path

from rancherctl.dns.upstreams import Health, of_resolv_conf
from rancherctl.worker import Worker

log = logging.getLogger(__name__)
RESOLV_CONF = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
"""The first file that names a server other than this host is used: behind systemd-resolved that is the second.

The second may also be left over, empty or outdated, where systemd-resolved ran once.
"""
INTERVAL = 5.0
"""Seconds between two probes."""
DOUBT_INTERVAL = 1.0
"""Seconds between two probes while one more would settle whether an upstream is dead."""
PROBE_TIMEOUT = 1.0
_USEFUL_RCODES = frozenset({0, 3})
"""NOERROR and NXDOMAIN: a server that refuses or fails the query for the root's NS is of no use."""


def responding(upstreams: Collection[str], *, port: int = 53, timeout: float = PROBE_TIMEOUT) -> frozenset[str]:
    """The upstreams that answer a query for the root's NS within ``timeout`` seconds; all are queried at once."""
    queried: dict[socket.socket, tuple[str, bytes]] = {}
    found: set[str] = set()
    try:
        for upstream in upstreams:
            query_id = os.urandom(2)
            try:
                queried[_send_query(upstream, port, query_id)] = (upstream, query_id)
            except OSError as error:  # no route, or a kernel without IPv6
                log.debug("cannot query upstream %s: %s", upstream, error)
        deadline = time.monotonic() + timeout
        waiting = set(queried)
        while waiting and (left := deadline - time.monotonic()) > 0:
            for sock in select.select(list(waiting), [], [], left)[0]:
                waiting.discard(sock)
                if _is_useful(sock, queried[sock][1]):
                    found.add(queried[sock][0])
    finally:
        for sock in queried:
            sock.close()
    return frozenset(found)


def _send_query(upstream: str, port: int, query_id: bytes) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in upstream else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.connect((upstream, port))
        sock.send(query_id + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + b"\0" + struct.pack("!HH", 2, 1))
    except OSError:
        sock.close()
        raise
    return sock


def _is_useful(sock: socket.socket, query_id: bytes) -> bool:
    try:
        data = sock.recv(4096)
    except OSError:  # the upstream's host refused the packet
        return False
    return len(data) >= 12 and data[:2] == query_id and bool(data[2] & 0x80) and (data[3] & 0x0F) in _USEFUL_RCODES


class UpstreamMonitor:
    """Probes the upstreams in a thread, keeps ``order`` up to date and calls ``wake`` when it changes."""

    def __init__(self, configured: tuple[str, ...], own: Collection[str], wake: Callable[[], None]) -> None:
        self._configured, self._own, self._wake = configured, frozenset(own), wake
        self._health = Health()
        self._order: tuple[str, ...] | None = None
        self._worker = Worker("dns-upstreams", self._probe, retry=lambda _: INTERVAL)

    @property
    def order(self) -> tuple[str, ...] | None:
        """The upstreams to use, best first; None before the first probe."""
        return self._order

    @property
    def dead(self) -> tuple[str, ...]:
        """The upstreams that do not answer, sorted."""
        return tuple(sorted(self._health.dead))

    def start(self) -> None:
        """Start probing."""
        self._worker.start()

    def stop(self) -> None:
        """Stop probing."""
        self._worker.stop(PROBE_TIMEOUT + 1.0)

    def _probe(self) -> float:
        self._health.use(self._configured or host_upstreams(self._own))
        answered = responding(self._health.upstreams)
        for upstream in self._health.upstreams:
            self._health.note(upstream, upstream in answered)
        if self._order != self._health.order():
            self._order = self._health.order()
            log.info(
                "upstream resolvers in use: %s; not answering: %s",
                ", ".join(self._order) or "none",
                ", ".join(self.dead) or "none",
            )
            self._wake()
        return DOUBT_INTERVAL if self._health.doubtful() else INTERVAL


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
