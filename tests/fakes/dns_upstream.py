"""A resolver that a DNS server forwards to."""

from __future__ import annotations

import socket
import threading

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


class Upstream:
    """A resolver on 127.0.0.x: one address for every A query, one name for every PTR.

    ``mode``: good, silent, lame (REFUSED), missing (NXDOMAIN).
    """

    def __init__(self, address: str, port: int) -> None:
        self.mode, self.port, self.address = "good", port, "192.0.2.80"
        self.asked = 0
        self.names: list[str] = []
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.bind((address, port))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            wire, peer = self._socket.recvfrom(4096)
            if not wire:
                return
            query = dns.message.from_wire(wire)
            self.asked += 1
            self.names.append(query.question[0].name.to_text())
            if self.mode == "silent":
                continue
            answer = dns.message.make_response(query, recursion_available=True)
            question = query.question[0]
            if self.mode == "lame":
                answer.set_rcode(dns.rcode.REFUSED)
            elif self.mode == "missing":
                answer.set_rcode(dns.rcode.NXDOMAIN)
                soa = "ns.example. host.example. 1 3600 600 86400 20"
                answer.authority.append(dns.rrset.from_text(question.name.parent(), 20, "IN", "SOA", soa))
            elif question.rdtype == 1:
                answer.answer.append(dns.rrset.from_text(question.name, 1, "IN", "A", self.address))
            elif question.rdtype == dns.rdatatype.PTR:
                answer.answer.append(dns.rrset.from_text(question.name, 1, "IN", "PTR", "outside.example."))
            self._socket.sendto(answer.to_wire(), peer)

    def close(self) -> None:
        """End the thread with an empty datagram of its own."""
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.sendto(b"", self._socket.getsockname())
        self._thread.join(60)
        self._socket.close()
