"""The route to an API: its own address only if it really answers there, else ssh through a control-plane host."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from rancherctl.cli.api_route import api_route, environment_route
from rancherctl.credentials.registry import Access
from rancherctl.environments.api_access import problem_at
from rancherctl.errors import UnreachableError
from tests.fakes.certificates import certificate

SSH = """
import re, socket, sys, threading
port, host, far = re.search(r"-L 127.0.0.1:(\\d+):([^: ]+):(\\d+)", " ".join(sys.argv)).groups()

def copy(source, sink):
    while data := source.recv(65536):
        sink.sendall(data)
    sink.shutdown(socket.SHUT_WR)

def join(one):
    with one:
        try:
            other = socket.create_connection((host, int(far)), 10)
        except OSError:
            return
        back = threading.Thread(target=copy, args=(other, one))
        back.start()
        copy(one, other)
        back.join()

with socket.create_server(("127.0.0.1", int(port))) as near:
    print("ready", flush=True)
    while True:
        threading.Thread(target=join, args=(near.accept()[0],), daemon=True).start()
"""
"""What OpenSSH does with -L."""
TUNNELS = ((sys.executable, "-c", SSH, "host1"),)


def reachable(server: str, ca: str, seconds: float = 3.0) -> bool:
    return not problem_at(server, ca, seconds)


@contextmanager
def tls_port(folder: Path, greeting: float = 0.0) -> Iterator[Access]:
    """An API's TLS port: handshakes, each ``greeting`` seconds after its connection, and nothing else."""
    pair, ca = certificate(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                time.sleep(greeting)
                try:
                    context.wrap_socket(connection, server_side=True).close()
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    port = listener.getsockname()[1]
    yield Access("demo", f"https://127.0.0.1:{port}", ca, "op", "s", tunnels=TUNNELS, targets=(f"127.0.0.1:{port}",))
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(60)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Access]:
    """One such API."""
    with tls_port(tmp_path / "ours") as access:
        yield access


def test_an_api_that_answers_is_used_directly(served: Access) -> None:
    with api_route(served, pytest.fail) as server:
        assert server.url == served.server


def test_an_api_that_is_slow_with_its_handshake_counts_as_reachable(tmp_path: Path) -> None:
    """The host accepts connections at once, and its API is busy: no reason for a tunnel."""
    with tls_port(tmp_path / "busy", greeting=0.5) as busy:
        assert reachable(busy.server, busy.ca, 0.2)


def test_another_environments_api_at_the_address_is_not_used(served: Access, tmp_path: Path) -> None:
    with tls_port(tmp_path / "other") as other:
        assert reachable(served.server, served.ca)
        assert not reachable(served.server, other.ca)
        said: list[str] = []
        with api_route(replace(served, ca=other.ca, targets=other.targets), said.append) as server:
            assert server.url != served.server
            assert reachable(server.url, other.ca), "the local end of the tunnel must lead to the right API"
        assert said == [f"API {served.server} is not reachable directly; connecting through ssh to host1"]


def test_an_api_that_does_not_run_is_an_error_before_anything_is_sent_to_it() -> None:
    gone = Access("demo", "https://127.0.0.1:1", "", "op", "s", tunnels=TUNNELS, targets=("127.0.0.1:1",))
    with pytest.raises(UnreachableError) as caught, api_route(gone, pytest.fail):
        pass
    assert caught.value.why.partition("; ")[2] == "host1: nothing answers as this API at 127.0.0.1:1 there"
    assert caught.value.hint.startswith("rancherctl env status demo ")


def test_without_a_direct_route_and_without_ssh_both_problems_are_reported() -> None:
    unreachable = Access(
        "demo",
        "https://127.0.0.1:1",
        "",
        "op",
        "s",
        tunnels=(("sh", "-c", "echo no route >&2; exit 255", "host1"),),
        targets=("x:1",),
    )
    with pytest.raises(UnreachableError, match="nor through ssh") as caught, api_route(unreachable, pytest.fail):
        pass
    assert "host1: no route" in caught.value.why


def test_an_ssh_that_ignores_sigterm_is_killed(served: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rancherctl.environments.openssh_tunnel.END_SECONDS", 0.2)
    stubborn = (
        (sys.executable, "-c", "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SSH, "host1"),
    )
    with environment_route(replace(served, server="https://127.0.0.1:1", tunnels=stubborn)) as found:
        assert reachable(found.url, served.ca)
    assert not reachable(found.url, served.ca, 1.0)


def test_without_tunnels_the_api_is_not_checked_before_use() -> None:
    with api_route(Access("demo", "https://127.0.0.1:1", "", "op", "s"), pytest.fail) as server:
        assert server.url == "https://127.0.0.1:1"
