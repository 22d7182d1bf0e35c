"""Proxies on loopback that count what they are asked to connect to: HTTP, HTTPS and SOCKS5, and faults."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy")


@dataclass
class TunnelProxy:
    """A proxy that connects every request to one port on loopback, whatever it names.

    ``answer`` is sent instead if it is set; ``silent`` accepts connections and says nothing. ``heads`` are the lines of
    each CONNECT; ``asked`` are the targets. ``user`` is the SOCKS5 user that must sign in.
    """

    target: int
    answer: bytes = b""
    silent: bool = False
    user: tuple[str, str] | None = None
    reply: int = 0
    heads: list[list[str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    port: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    def http(self, one: socket.socket) -> None:
        lines = one.makefile("rb")
        head = [line.decode().strip() for line in iter(lines.readline, b"\r\n") if line]
        self.heads.append(head)
        self.asked.append(head[0].split()[1])
        if self.answer or not head[0].startswith("CONNECT "):
            one.sendall(self.answer or b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
            return
        one.sendall(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
        self._join(one)

    def socks5(self, one: socket.socket) -> None:
        stream = one.makefile("rb")
        methods = stream.read(stream.read(2)[1])
        wanted = 2 if self.user else 0
        one.sendall(bytes([5, wanted if wanted in methods else 255]))
        if wanted not in methods:
            return
        if self.user:
            name = stream.read(stream.read(2)[1]).decode()
            given = (name, stream.read(stream.read(1)[0]).decode())
            one.sendall(b"\x01" + bytes([given != self.user]))
            if given != self.user:
                return
        kind = stream.read(4)[3]
        size = {1: 4, 4: 16}.get(kind) or stream.read(1)[0]
        raw = stream.read(size)
        family = {1: socket.AF_INET, 4: socket.AF_INET6}.get(kind)
        host = socket.inet_ntop(family, raw) if family else raw.decode()
        self.asked.append(f"{host}:{int.from_bytes(stream.read(2), 'big')}")
        one.sendall(bytes([5, self.reply, 0, 1]) + bytes(6))
        if not self.reply:
            self._join(one)

    def _join(self, one: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self.target), 10) as other:
            other.settimeout(None)
            if isinstance(one, ssl.SSLSocket):
                _one_by_one(one, other)
                return
            back = threading.Thread(target=_copy, args=(other, one), daemon=True)
            back.start()
            _copy(one, other)
            back.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def _one_by_one(one: ssl.SSLSocket, other: socket.socket) -> None:
    """Both directions in one thread, as TLS connections want it."""
    import select

    while True:
        ready = [one] if one.pending() else select.select([one, other], [], [])[0]
        for source, sink in ((one, other), (other, one)):
            if source in ready:
                data = source.recv(65536)
                if not data:
                    return
                sink.sendall(data)


@contextmanager
def tunnel_proxy(target: int, kind: str = "http", pair: Path | None = None) -> Iterator[TunnelProxy]:
    """A running proxy of a kind (http, https, socks5); ``pair``: key and certificate of an HTTPS proxy in one file."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    if pair:
        context.load_cert_chain(pair)
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = TunnelProxy(target, port=server.getsockname()[1])

        def serve(one: socket.socket) -> None:
            with contextlib.suppress(OSError, IndexError), contextlib.ExitStack() as opened:
                opened.enter_context(one)
                if found.silent:
                    found.stopped.wait(60)
                    return
                if kind == "https":
                    one = opened.enter_context(context.wrap_socket(one, server_side=True))
                (found.socks5 if kind == "socks5" else found.http)(one)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield found
        found.stopped.set()
        server.shutdown(socket.SHUT_RDWR)
