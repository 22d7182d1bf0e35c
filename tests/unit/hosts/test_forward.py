"""Forwarded ports: bytes go both ways, ends are passed on, a far end that cannot be opened closes the near one."""

from __future__ import annotations

import socket
import threading

from rancherctl.errors import UnreachableError
from rancherctl.hosts.forward import Forward, Forwards


class Loop:
    """A transport whose far ends are connections to a local server."""

    def __init__(self, server: socket.socket) -> None:
        self.server = server
        self.asked: list[tuple[str, int]] = []

    def channel(self, address: str, port: int) -> socket.socket:
        self.asked.append((address, port))
        return socket.create_connection(self.server.getsockname())


class Dead:
    def channel(self, address: str, port: int) -> socket.socket:
        raise UnreachableError(f"nothing at {address}:{port}")


def test_bytes_go_both_ways_and_the_end_is_passed_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            peer, _ = server.accept()
            with peer:
                got = b""
                while data := peer.recv(65536):
                    got += data
                peer.sendall(got[::-1])

        thread = threading.Thread(target=answer)
        thread.start()
        loop = Loop(server)
        assert isinstance(loop, Forwards)
        sent = bytes(range(256)) * 4000
        with Forward(loop, "127.0.0.1", 6443) as forward, socket.create_connection(("127.0.0.1", forward.port), 5) as near:
            near.settimeout(60)
            near.sendall(sent)
            near.shutdown(socket.SHUT_WR)
            got = b""
            while data := near.recv(65536):
                got += data
        thread.join(60)
        assert got == sent[::-1]
        assert loop.asked == [("127.0.0.1", 6443)]


def test_a_far_end_that_cannot_be_opened_closes_the_near_one_and_says_why() -> None:
    with Forward(Dead(), "127.0.0.1", 6443) as forward, socket.create_connection(("127.0.0.1", forward.port), 5) as near:
        near.settimeout(60)
        assert near.recv(1) == b""
        assert "nothing at 127.0.0.1:6443" in forward.problem


def test_closing_ends_what_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        forward = Forward(Loop(server), "127.0.0.1", 1)
        with socket.create_connection(("127.0.0.1", forward.port), 5) as near:
            near.settimeout(60)
            peer, _ = server.accept()
            with peer:
                near.sendall(b"x")
                assert peer.recv(1) == b"x"
                forward.close()
                assert near.recv(1) == b""
