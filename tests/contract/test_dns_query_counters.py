"""Queries of a user to each upstream, counted by nft in a network namespace."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from rancherctl.dns.query_counters import TABLE, QueryCounters
from tests.fakes.pod_network import InNamespace, Namespace

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("nft") is None, reason="needs root and nft for a network namespace"
)
UPSTREAMS = ("192.0.2.53", "192.0.2.54:5353", "[2001:db8::53]:5353")
SEND = """
import socket
for family, place, kind in (
    *[(socket.AF_INET, ("192.0.2.53", 53), socket.SOCK_DGRAM)] * 3,
    (socket.AF_INET, ("192.0.2.53", 5353), socket.SOCK_DGRAM),
    (socket.AF_INET, ("192.0.2.54", 5353), socket.SOCK_STREAM),
    *[(socket.AF_INET6, ("2001:db8::53", 5353), socket.SOCK_DGRAM)] * 2,
):
    with socket.socket(family, kind) as sock:
        sock.setblocking(False)
        if kind == socket.SOCK_DGRAM:
            sock.sendto(b"question", place)
        else:
            sock.connect_ex(place)
"""


@pytest.fixture
def host() -> Iterator[Namespace]:
    namespace = Namespace()
    namespace.sh("ip addr add 192.0.2.1/24 dev lo; ip -6 route add local 2001:db8::/64 dev lo")
    yield namespace
    namespace.close()


def send(host: Namespace, user: str) -> None:
    enter = ("nsenter", f"--net=/proc/{host.pid}/ns/net", "setpriv", "--reuid", user, "--clear-groups")
    subprocess.run([*enter, sys.executable, "-I", "-c", SEND], check=True, timeout=60)


def test_each_upstream_has_its_own_count_of_what_the_servers_user_sends(host: Namespace) -> None:
    counters = QueryCounters(InNamespace(host), "daemon")
    assert dict(counters.read(UPSTREAMS)) == dict.fromkeys(UPSTREAMS, 0)
    send(host, "daemon")
    send(host, "root")
    assert dict(counters.read(UPSTREAMS)) == dict(zip(UPSTREAMS, (3, 1, 2), strict=True))
    restarted = QueryCounters(InNamespace(host), "daemon")
    assert restarted.read(UPSTREAMS)["192.0.2.53"] == 3, "a restart of the agent keeps them"
    assert dict(restarted.read(UPSTREAMS[:1])) == {"192.0.2.53": 0}, "another list starts at zero"


def test_counting_begins_again_after_the_rules_were_flushed(host: Namespace) -> None:
    counters = QueryCounters(InNamespace(host), "daemon")
    counters.read(UPSTREAMS)
    host.sh("nft flush ruleset")
    assert counters.read(UPSTREAMS)["192.0.2.53"] == 0
    send(host, "daemon")
    assert counters.read(UPSTREAMS)["192.0.2.53"] == 3


def test_a_host_that_cannot_count_has_no_numbers(host: Namespace) -> None:
    assert QueryCounters(InNamespace(host), "no-such-user").read(UPSTREAMS) == {}
    assert TABLE not in host.sh("nft list tables")
