"""Port forwarding: both directions, end of input, and a remote end that cannot be opened."""

from __future__ import annotations

import errno
import socket
import threading

import pytest

from rancherctl.errors import AuthError, RancherctlError, UnreachableError
from rancherctl.hosts.forward import PortForward
from rancherctl.hosts.transport import TcpOpener


class Loop:
    """A transport whose remote ends are connections to a local server."""

    def __init__(self, server: socket.socket) -> None:
        self.server = server
        self.asked: list[tuple[str, int]] = []

    def open_tcp(self, address: str, port: int) -> socket.socket:
        self.asked.append((address, port))
        return socket.create_connection(self.server.getsockname())


class Dead:
    def __init__(self, error: type[RancherctlError] = UnreachableError) -> None:
        self.error = error

    def open_tcp(self, address: str, port: int) -> socket.socket:
        raise self.error(f"nothing at {address}:{port}")


def test_bytes_go_both_ways_and_the_end_of_input_is_forwarded() -> None:
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
        assert isinstance(loop, TcpOpener)
        sent = bytes(range(256)) * 4000
        with (
            PortForward(loop, "127.0.0.1", 6443) as forward,
            socket.create_connection(("127.0.0.1", forward.port), 5) as near,
        ):
            near.settimeout(60)
            near.sendall(sent)
            near.shutdown(socket.SHUT_WR)
            got = b""
            while data := near.recv(65536):
                got += data
        thread.join(60)
        assert got == sent[::-1]
        assert loop.asked == [("127.0.0.1", 6443)]


@pytest.mark.parametrize("error", [UnreachableError, AuthError])
def test_a_remote_end_that_cannot_be_opened_closes_the_local_one_and_says_why(error: type[RancherctlError]) -> None:
    """Whatever the reason: a changed host key after a reconnect must not leave kubectl waiting forever."""
    with (
        PortForward(Dead(error), "127.0.0.1", 6443) as forward,
        socket.create_connection(("127.0.0.1", forward.port), 5) as near,
    ):
        near.settimeout(60)
        assert near.recv(1) == b""
        assert "nothing at 127.0.0.1:6443" in forward.problem


def test_closing_ends_open_connections() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        forward = PortForward(Loop(server), "127.0.0.1", 1)
        with socket.create_connection(("127.0.0.1", forward.port), 5) as near:
            near.settimeout(60)
            peer, _ = server.accept()
            with peer:
                near.sendall(b"x")
                assert peer.recv(1) == b"x"
                forward.close()
                assert near.recv(1) == b""


def test_a_failed_accept_does_not_end_the_forwarding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many open files for a moment: the next connection works."""
    accept, failed = socket.socket.accept, threading.Event()

    def full(listener: socket.socket) -> tuple[socket.socket, object]:
        if not failed.is_set():
            failed.set()
            raise OSError(errno.EMFILE, "Too many open files")
        return accept(listener)

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        monkeypatch.setattr(socket.socket, "accept", full)
        with PortForward(Loop(server), "127.0.0.1", 1) as forward:
            assert failed.wait(5)
            with socket.create_connection(("127.0.0.1", forward.port), 5) as near:
                peer, _ = accept(server)
                with peer:
                    peer.sendall(b"x")
                    near.settimeout(5)
                    assert near.recv(1) == b"x"
