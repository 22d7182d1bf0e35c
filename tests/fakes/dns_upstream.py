"""Toy resolver that a DNS server forwards to: UDP and TCP on loopback, with the faults that real sites have."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Drop = Callable[[str, str], bool]
"""(name, type) → whether the question gets no answer."""


def never(name: str, kind: str) -> bool:
    """Answer every question."""
    return False


class Upstream:
    """A resolver on 127.0.0.x (or ``::1``): one address for every A query, one name for every PTR.

    ``mode``: good, silent, lame (REFUSED) or missing (no name exists). ``refuse`` and ``drop`` select questions by name
    and type. ``delay`` seconds pass before each answer. ``records``: name → address, None = the name does not exist.
    ``ttl`` is that of all answers, ``minimum`` the SOA's in negative ones. ``large``: answers over UDP are truncated.
    """

    def __init__(self, address: str, port: int) -> None:
        self.mode, self.port, self.address = "good", port, "192.0.2.80"
        self.at = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        self.drop: Drop = never
        self.refuse: Drop = never
        self.delay, self.ttl, self.minimum, self.large = 0.0, 1, 10800, False
        self.records: dict[str, str | None] = {}
        self.asked = self.asked_tcp = 0
        self.names: list[str] = []
        self._leave = threading.Event()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._servers = [_server(kind, family, (address, port), self) for kind in (socketserver.UDPServer, _TcpServer)]
        self._threads = [threading.Thread(target=one.serve_forever, args=(0.05,), daemon=True) for one in self._servers]
        for thread in self._threads:
            thread.start()

    def answer(self, wire: bytes, *, tcp: bool) -> bytes | None:
        """The answer to a question; None if it gets none."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name, kind = question.name.to_text().lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked += 1
        self.asked_tcp += tcp
        self.names.append(name)
        if self.mode == "silent" or self.drop(name, kind):
            return None
        if self.delay:
            self._leave.wait(self.delay)
        answer = dns.message.make_response(query, recursion_available=True)
        if self.mode == "lame" or self.refuse(name, kind):
            answer.set_rcode(dns.rcode.REFUSED)
            return answer.to_wire()
        address = None if self.mode == "missing" else self.records.get(name, self.address)
        if address is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
            soa = f"ns.{name} admin.{name} 1 7200 900 86400 {self.minimum}"
            zone = question.name.parent() if question.name.labels != (b"",) else question.name
            answer.authority.append(dns.rrset.from_text(zone, self.minimum, "IN", "SOA", soa))
        elif kind == "A":
            if self.large and not tcp:
                answer.flags |= dns.flags.TC
            else:
                answer.answer.append(dns.rrset.from_text(question.name, self.ttl, "IN", "A", address))
        elif kind == "PTR":
            answer.answer.append(dns.rrset.from_text(question.name, self.ttl, "IN", "PTR", "outside.example."))
        return answer.to_wire()

    def close(self) -> None:
        """Stop answering and free the port."""
        self._leave.set()
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.shutdown()
            thread.join(60)
            server.server_close()


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False


def _server(kind: Any, family: socket.AddressFamily, place: tuple[str, int], upstream: Upstream) -> Any:
    """Listen with a socketserver class of another address family."""
    threaded = type("Server", (kind,), {"address_family": family})
    if kind is _TcpServer:
        return threaded(place, type("Handler", (_Stream,), {"upstream": upstream}))
    both = type("Udp", (socketserver.ThreadingMixIn, threaded), {"daemon_threads": True, "block_on_close": False})
    return both(place, type("Handler", (_Datagram,), {"upstream": upstream}))


class _Datagram(socketserver.BaseRequestHandler):
    upstream: Upstream

    def handle(self) -> None:
        wire, sock = self.request
        if (answer := self.upstream.answer(wire, tcp=False)) is not None:
            sock.sendto(answer, self.client_address)


class _Stream(socketserver.StreamRequestHandler):
    upstream: Upstream

    def handle(self) -> None:
        while len(head := self.rfile.read(2)) == 2:
            answer = self.upstream.answer(self.rfile.read(int.from_bytes(head)), tcp=True)
            if answer is not None:
                self.wfile.write(len(answer).to_bytes(2) + answer)
