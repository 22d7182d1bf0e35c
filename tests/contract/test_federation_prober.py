"""Probes of addresses against real sockets: answers, refusals, silence, HTTP statuses."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from rancherctl.federation.probe_targets import Target
from rancherctl.federation.prober import probe
from tests.fakes.ports import free_port


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def _answer(listener: socket.socket, text: bytes) -> None:
    """Answer one request."""

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            client.recv(4096)
            client.sendall(text)

    threading.Thread(target=serve, daemon=True).start()


def _target(port: int, path: str = "", address: str = "127.0.0.1") -> Target:
    return Target(f"{address}:{port}{path}", address, port, path)


def test_an_open_port_answers_and_a_closed_one_does_not(server: socket.socket) -> None:
    """Unlike a host's reachability, a refused connection means that nothing serves there."""
    opened, closed = _target(server.getsockname()[1]), _target(free_port())
    assert probe([opened, closed]) == {opened.key: True, closed.key: False}


@pytest.mark.parametrize(
    ("answer", "good"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.0 302 Found\r\n", True),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", False),
        (b"SSH-2.0-OpenSSH\r\n", False),
        (b"", False),
    ],
)
def test_an_http_check_needs_a_good_status(server: socket.socket, answer: bytes, good: bool) -> None:
    _answer(server, answer)
    target = _target(server.getsockname()[1], "/ready")
    assert probe([target]) == {target.key: good}


def test_silence_ends_with_the_time_limit(server: socket.socket) -> None:
    target = _target(server.getsockname()[1], "/ready")
    assert probe([target], timeout=0.2) == {target.key: False}


@pytest.mark.parametrize(("address", "port"), [("web.example", 80), ("127.0.0.1", 0), ("127.0.0.1", 70000)])
def test_what_is_not_an_address_is_not_asked(address: str, port: int) -> None:
    target = _target(port, address=address)
    assert probe([target]) == {target.key: False}
