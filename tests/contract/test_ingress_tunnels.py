"""Upgraded connections (WebSocket): how long they may be silent."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rancherctl.contract import INGRESS_PREFIX
from rancherctl.ingress.haproxy.layout import MAX_OLD_WORKERS, OLD_WORKERS_MEMORY
from tests.fakes import ingress as fake
from tests.fakes.ingress_host import LoadBalancerHost

SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"


@pytest.fixture
def echo() -> Iterator[tuple[str, int]]:
    """A server that upgrades every connection and sends back what it gets."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    stream, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=_echo, args=(stream,), daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[:2]
        server.shutdown(socket.SHUT_RDWR)


def _echo(stream: socket.socket) -> None:
    with stream, contextlib.suppress(ConnectionResetError):  # HAProxy's checks reset their connections
        if stream.recv(4096):
            stream.sendall(SWITCH)
        while data := stream.recv(4096):
            stream.sendall(data)


def _upgraded(port: int) -> socket.socket:
    stream = socket.create_connection(("127.0.0.1", port), 20)
    stream.sendall(b"GET /x HTTP/1.1\r\nHost: o.com\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += stream.recv(4096)
    assert answer.startswith(b"HTTP/1.1 101 ")
    return stream


def test_a_silent_tunnel_ends_after_its_own_limit_and_not_after_the_read_timeout(
    lb_host: LoadBalancerHost, echo: tuple[str, int]
) -> None:
    def limits(read: str, tunnel: str) -> None:
        notes = {f"{INGRESS_PREFIX}timeout-read": read, f"{INGRESS_PREFIX}timeout-tunnel": tunnel}
        rules = [("o.com", "Prefix", "/", "web:80")]
        ingress = fake.ingress("o", rules, annotations=notes, version=read + tunnel)
        lb_host.role.reconcile(fake.snapshot([ingress], [fake.service("web")], [fake.endpoint_slice("web", [echo])]))

    limits("10m", "300ms")
    with _upgraded(lb_host.haproxy.port) as stream:
        assert stream.recv(1) == b"", "closed after 300 ms of silence"
    limits("300ms", "1h")
    with _upgraded(lb_host.haproxy.port) as stream:
        stream.settimeout(1)
        with pytest.raises(TimeoutError):
            stream.recv(1)
        stream.sendall(b"still there")
        assert stream.recv(100) == b"still there"


def _alive(stream: socket.socket) -> bool:
    try:
        stream.sendall(b"?")
        return stream.recv(1) == b"?"
    except OSError:
        return False


def test_old_workers_with_open_tunnels_are_few_and_their_memory_is_bounded(
    lb_host: LoadBalancerHost, echo: tuple[str, int]
) -> None:
    """Case 85: 12 reloads, 50 WebSockets; those of the oldest workers end, all others go on."""
    rules = [("o.com", "Prefix", "/", "web:80")]
    snapshot = fake.snapshot([fake.ingress("o", rules)], [fake.service("web")], [fake.endpoint_slice("web", [echo])])
    lb_host.role.reconcile(snapshot)
    assert lb_host.haproxy.process is not None
    children = Path(f"/proc/{lb_host.haproxy.process.pid}/task/{lb_host.haproxy.process.pid}/children")
    with contextlib.ExitStack() as stack:
        generations = []
        for turn in range(13):
            count = 4 if turn < 11 else 3
            generations.append([stack.enter_context(_upgraded(lb_host.haproxy.port)) for _ in range(count)])
            if turn < 12:
                lb_host.reload()
        assert sum(map(len, generations)) == 50
        alive = [[_alive(stream) for stream in streams] for streams in generations]
        assert all(len(set(each)) == 1 for each in alive), "the streams of one worker live and end together"
        living = [each[0] for each in alive]
        assert living == sorted(living), "the oldest workers end"
        assert MAX_OLD_WORKERS <= sum(living) <= MAX_OLD_WORKERS + 2, living
        memory = [_resident(int(pid)) for pid in children.read_text().split()]
        assert sum(living) <= len(memory) <= MAX_OLD_WORKERS + 2
        assert sum(memory) - max(memory) <= OLD_WORKERS_MEMORY


def _resident(pid: int) -> int:
    """Bytes of memory that a process uses."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS:"))
