"""Clients behind proxies: PROXY protocol and X-Forwarded headers through a real HAProxy."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import struct
from ipaddress import IPv4Address
from typing import Any

import pytest

from rancherctl.contract import INGRESS_PREFIX
from rancherctl.ingress.model import NO_PROXIES, Proxies
from tests.fakes import ingress as fake
from tests.fakes.ingress_host import LoadBalancerHost

FOO = [("foo.bar.com", "Prefix", "/foo", "web:80")]
V1 = b"PROXY TCP4 203.0.113.7 192.0.2.1 40000 80\r\n"
V2 = (
    b"\r\n\r\n\0\r\nQUIT\n"
    + struct.pack("!BBH", 0x21, 0x11, 12)
    + IPv4Address("203.0.113.7").packed
    + IPv4Address("192.0.2.1").packed
    + struct.pack("!HH", 40000, 80)
)


def restart(host: LoadBalancerHost, proxies: Proxies = NO_PROXIES) -> dict[str, Any]:
    """The agent starts with this configuration; returns its section."""
    host.new_role(proxies=proxies)
    return dict(host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]}))


def request(host: LoadBalancerHost, source: str, first: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
    """Status (0 without an answer), and the headers that the pod got."""
    lines = [b"GET /foo HTTP/1.1", b"Host: foo.bar.com", b"Connection: close"]
    lines += [f"{name}: {value}".encode() for name, value in headers.items()]
    with socket.create_connection(("127.0.0.1", host.haproxy.port), 20, source_address=(source, 0)) as connection:
        connection.sendall(first + b"\r\n".join(lines) + b"\r\n\r\n")
        response = http.client.HTTPResponse(connection)
        try:
            response.begin()
            body = response.read()
        except (http.client.HTTPException, ConnectionError):
            return 0, {}
    return response.status, json.loads(body)["headers"] if body.startswith(b"{") else {}


@pytest.mark.parametrize("first", [V1, V2], ids=["v1", "v2"])
def test_listed_sources_must_speak_the_proxy_protocol_and_others_must_not(
    lb_host: LoadBalancerHost, first: bytes
) -> None:
    restart(lb_host, Proxies(speaking=("127.0.0.0/30",)))
    status, seen = request(lb_host, "127.0.0.2", first, {"X-Forwarded-For": "6.6.6.6"})
    assert (status, seen["x-forwarded-for"], seen["x-forwarded-port"]) == (200, "203.0.113.7", "80")
    assert request(lb_host, "127.0.0.2", b"", {})[0] == 0
    assert request(lb_host, "127.0.0.9", b"", {})[0] == 200
    assert request(lb_host, "127.0.0.9", first, {})[0] == 400


def test_the_lists_change_without_a_reload(lb_host: LoadBalancerHost) -> None:
    """Only the first trusted proxies need one: without any, no request pays for rules about them."""
    restart(lb_host)
    section = restart(lb_host, Proxies(trusted=("192.0.2.1/32",)))
    assert (section["alarm"], section["metrics"]["reloads"]) == ("", 1)
    pid = lb_host.role.health.pid
    for proxies, plain, spoken in (
        (Proxies(speaking=("127.0.0.2/32", "2001:db8::/32")), 0, 200),
        (Proxies(speaking=("127.0.0.0/29",)), 0, 200),
        (Proxies(trusted=("127.0.0.2/32",), speaking=("127.0.0.8/29",)), 200, 400),
        (Proxies(), 200, 400),
    ):
        section = restart(lb_host, proxies)
        assert request(lb_host, "127.0.0.2", b"", {})[0] == plain, proxies
        assert request(lb_host, "127.0.0.2", V1, {})[0] == spoken, proxies
        assert (section["alarm"], section["metrics"]["reloads"]) == ("", 0)
        lb_host.now += 10
        assert lb_host.role.reconcile(fake.Snapshot())["metrics"]["reloads"] == 0, "nothing differs"
    assert lb_host.role.health.pid == pid


def test_headers_of_trusted_proxies_are_kept_and_those_of_others_replaced(lb_host: LoadBalancerHost) -> None:
    restart(lb_host, Proxies(trusted=("127.0.0.2/32", "10.0.0.0/8")))
    given = {
        "X-Forwarded-For": "203.0.113.7, 10.1.2.3",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Port": "443",
        "X-Forwarded-Host": "shop.example.org",
    }

    def forwarded(source: str, headers: dict[str, str]) -> list[str]:
        seen = request(lb_host, source, b"", headers)[1]
        return [seen[name.lower()] for name in given]

    assert forwarded("127.0.0.2", given) == ["203.0.113.7, 10.1.2.3, 127.0.0.2", "https", "443", "shop.example.org"]
    own = ["http", str(lb_host.haproxy.port), "foo.bar.com"]
    assert forwarded("127.0.0.2", {}) == ["127.0.0.2", *own]
    assert forwarded("127.0.0.9", given) == ["127.0.0.9", *own]


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("6.6.6.6, 203.0.113.7", "203.0.113.7"),
        ("6.6.6.6, 203.0.113.7, 10.1.1.1, 10.2.2.2", "203.0.113.7"),
        ("10.9.9.9", "10.9.9.9"),
        ("6.6.6.6, unknown", "127.0.0.2"),
        ("6.6.6.6, unknown, 10.1.1.1", "10.1.1.1"),
        ("", "127.0.0.2"),
    ],
)
def test_the_client_is_the_last_hop_that_is_not_a_trusted_proxy(
    lb_host: LoadBalancerHost, caplog: pytest.LogCaptureFixture, chain: str, client: str
) -> None:
    """Seen in the log of a refused answer. What a client writes into the header never counts."""
    restart(lb_host, Proxies(trusted=("127.0.0.2/32", "10.0.0.0/8")))
    headers = {"Host": "foo.bar.com", "X-Forwarded-For": chain}
    connection = http.client.HTTPConnection(
        "127.0.0.1", lb_host.haproxy.port, timeout=20, source_address=("127.0.0.2", 0)
    )
    connection.request("GET", f"/foo?headers={40 << 10}", headers=headers)
    assert connection.getresponse().status == 502
    connection.close()
    lb_host.now += 10
    with caplog.at_level(logging.WARNING):
        lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
    (text,) = (r.getMessage() for r in caplog.records if r.name.endswith("refusal_watch"))
    assert text.startswith(f"request of {client}:")


@pytest.mark.parametrize("option", ["allow-source", "deny-source"])
def test_access_lists_are_about_the_client_behind_a_trusted_proxy(lb_host: LoadBalancerHost, option: str) -> None:
    """Anybody else may write what they want into the header."""
    restart(lb_host, Proxies(trusted=("127.0.0.2/32",), speaking=("127.0.0.3/32",)))
    notes = {f"{INGRESS_PREFIX}{option}": "203.0.113.0/24, fd00::/8"}
    lb_host.reconcile([fake.ingress("a", FOO, annotations=notes, version=option)], {"web": ["w1"]})
    listed = {
        "listed": request(lb_host, "127.0.0.2", b"", {"X-Forwarded-For": "6.6.6.6, 203.0.113.7"})[0],
        "listed, IPv6": request(lb_host, "127.0.0.2", b"", {"X-Forwarded-For": "fd00::7"})[0],
        "listed, PROXY protocol": request(lb_host, "127.0.0.3", V1, {})[0],
    }
    others = {
        "another": request(lb_host, "127.0.0.2", b"", {"X-Forwarded-For": "203.0.113.7, 6.6.6.6"})[0],
        "the proxy itself": request(lb_host, "127.0.0.2", b"", {})[0],
        "forged": request(lb_host, "127.0.0.9", b"", {"X-Forwarded-For": "203.0.113.7"})[0],
    }
    allowed, denied = (listed, others) if option == "allow-source" else (others, listed)
    assert (set(allowed.values()), set(denied.values())) == ({200}, {403}), (allowed, denied)
