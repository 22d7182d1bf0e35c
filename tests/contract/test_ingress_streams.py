"""Answers that are silent for a time (server-sent events), and bodies of known and unknown size."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from rancherctl.contract import INGRESS_PREFIX
from rancherctl.polling import poll_until
from tests.fakes import ingress as fake
from tests.fakes.ingress_host import LoadBalancerHost

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
RULES = [("o.com", "Prefix", "/", "web:80")]
MB = 1 << 20


def annotated(**notes: str) -> Any:
    named = {INGRESS_PREFIX + name.replace("_", "-"): text for name, text in notes.items()}
    return fake.ingress("o", RULES, annotations=named, version=repr(notes))


class Events:
    """A server that sends one event at once, and the second when ``go`` is set."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.endpoint: tuple[str, int] = self._server.getsockname()[:2]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(self._server.accept()[0],), daemon=True).start()

    def _serve(self, stream: socket.socket) -> None:
        with stream, contextlib.suppress(OSError):  # HAProxy's checks reset their connections
            if stream.recv(4096):
                stream.sendall(HEAD + b"3\r\none\r\n")
                self.go.wait(60)
                stream.sendall(b"3\r\ntwo\r\n0\r\n\r\n")

    def close(self) -> None:
        self.go.set()
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


@pytest.fixture
def events() -> Iterator[Events]:
    server = Events()
    yield server
    server.close()


def first_event(port: int) -> socket.socket:
    stream = socket.create_connection(("127.0.0.1", port), 20)
    stream.sendall(b"GET /events HTTP/1.1\r\nHost: o.com\r\n\r\n")
    got = b""
    while b"one" not in got:
        part = stream.recv(4096)
        assert part, got
        got += part
    return stream


def rest(stream: socket.socket) -> bytes:
    """What else comes until the end of the answer or of the connection."""
    got = b""
    while b"0\r\n\r\n" not in got and (part := stream.recv(4096)):
        got += part
    return got


def test_a_silent_stream_lives_as_long_as_the_read_timeout(lb_host: LoadBalancerHost, events: Events) -> None:
    def limit(read: str) -> None:
        slices = [fake.endpoint_slice("web", [events.endpoint])]
        lb_host.role.reconcile(fake.snapshot([annotated(timeout_read=read)], [fake.service("web")], slices))

    limit("300ms")
    with first_event(lb_host.haproxy.port) as stream:
        assert b"two" not in rest(stream), "ended after 300 ms of silence"
    limit("15m")
    with first_event(lb_host.haproxy.port) as stream:
        stream.settimeout(1)
        with pytest.raises(TimeoutError):
            stream.recv(1)
        stream.settimeout(20)
        events.go.set()
        assert b"two" in rest(stream)


def declared(port: int, size: int) -> http.client.HTTPConnection:
    """A connection on which the headers of a request with a large body have been sent."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest("POST", "/x", skip_host=True)
    connection.putheader("Host", "o.com")
    connection.putheader("Content-Length", str(size))
    connection.endheaders()
    return connection


def test_a_body_above_the_limit_is_refused_before_it_is_sent(lb_host: LoadBalancerHost) -> None:
    lb_host.reconcile([annotated(body_size="100m")], {"web": ["w1"]})
    with contextlib.closing(declared(lb_host.haproxy.port, 101 * MB)) as connection:
        assert connection.getresponse().status == 413
    before = lb_host.pod("w1").requests
    with contextlib.closing(declared(lb_host.haproxy.port, 100 * MB)):
        assert poll_until(lambda: lb_host.pod("w1").requests > before, 20, first=0.01), "the service gets it"


def test_a_chunked_body_is_not_measured(lb_host: LoadBalancerHost) -> None:
    """As the manual says: its size is only known at its end."""
    lb_host.reconcile([annotated(body_size="1k")], {"web": ["w1"]})
    connection = http.client.HTTPConnection("127.0.0.1", lb_host.haproxy.port, timeout=20)
    with contextlib.closing(connection):
        connection.request("POST", "/x", body=iter([b"x" * 1000] * 3), headers={"Host": "o.com"}, encode_chunked=True)
        assert connection.getresponse().status == 200
