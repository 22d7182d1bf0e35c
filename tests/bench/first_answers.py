"""When the last of several load balancers answers as wanted: one thread asks all of them in turn, at little cost.

Only the first bytes of a TLS 1.2 handshake are exchanged to see a certificate, which is not encrypted in it. On a
machine that also runs the hosts, whole handshakes by a thread for each of them take longer than what is measured.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from tests.fakes import tls
from tests.fakes.tls_stream import HTTPS

PAUSE = 0.005
"""Seconds between two rounds: the resolution of what is measured."""
LIMIT = 60.0
_ALERT = 0x15
_ENOUGH = 8192
"""Bytes in which a server's certificate is."""


def last_moment(what: str, addresses: Iterable[str], answers: Callable[[str], bool]) -> float:
    """The monotonic time at which the last address was seen to answer. Raises SystemExit after LIMIT."""
    waiting, moment = list(addresses), 0.0
    deadline = time.monotonic() + LIMIT
    while waiting:
        for address in tuple(waiting):
            with suppress(OSError):  # a host listens once something is placed there
                if answers(address):
                    moment = time.monotonic()
                    waiting.remove(address)
        if waiting:
            if time.monotonic() > deadline:
                raise SystemExit(f"{what}: not at {', '.join(waiting)} within {LIMIT:.0f} s")
            time.sleep(PAUSE)
    return moment


def plain(host: str) -> Callable[[str], bool]:
    """Whether an address answers a request over HTTP with 200."""
    ask = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()

    def answers(address: str) -> bool:
        with socket.create_connection((address, 80), 1.0) as stream:
            stream.sendall(ask)
            return stream.recv(16).startswith(b"HTTP/1.1 200")

    return answers


def certificate(host: str, serial: int) -> Callable[[str], bool]:
    """Whether an address shows the certificate with this serial number."""
    hello = _client_hello(host)
    shown = serial.to_bytes((serial.bit_length() + 8) // 8, "big")

    def answers(address: str) -> bool:
        with socket.create_connection((address, HTTPS), 1.0) as stream:
            stream.sendall(hello)
            seen = b""
            while len(seen) < _ENOUGH and (more := stream.recv(4096)) and (seen + more)[0] != _ALERT:
                seen += more
                if shown in seen:
                    return True
        return False

    return answers


def secure(host: str, serial: int) -> Callable[[str], bool]:
    """Whether an address shows this certificate, and then answers a request over HTTPS with 200."""
    shows, shown = certificate(host, serial), set[str]()

    def answers(address: str) -> bool:
        if address not in shown and not shows(address):
            return False
        shown.add(address)
        with tls.connect(HTTPS, host, address=address) as stream:
            stream.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            return stream.recv(16).startswith(b"HTTP/1.1 200")

    return answers


def _client_hello(host: str) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    out = ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=host).do_handshake()
    return out.read()
