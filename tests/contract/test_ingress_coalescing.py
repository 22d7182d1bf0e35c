"""Requests for several names over one TLS connection, as clients send them whose certificate covers these names."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from rancherctl.ingress.translate.certificates import TlsPolicy
from rancherctl.placement.model import Roster, RosterHost
from tests.fakes import ingress as fake
from tests.fakes import tls
from tests.fakes.h2 import H2Connection
from tests.fakes.tls_host import REFUSED, TlsHost, site

A, B, PLAIN = "a.example", "b.example", "plain.example"
ROSTER = Roster(1, 1, tuple(RosterHost(n, f"192.0.2.{n[1:]}", labels={"name": n}) for n in ("h1", "h2")))


def _on(host: str, name: str, **more: Any) -> Any:
    """An Ingress with the certificate ``both`` that is placed on this host."""
    annotations = {"io.rancher.scheduler.affinity.host_label": f"name={host}"}
    return site(name, "both", annotations=annotations, version=host, **more)


class TwoHosts:
    """Hosts h1 and h2 with one certificate for two names."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self.hosts = []
        for name in ("h1", "h2"):
            host = TlsHost(fake.Haproxy(factory.mktemp(name)), name)
            host.start()
            self.hosts.append(host)
        self.pair = TlsHost.authority.issue(A, B, PLAIN)

    def follow(self, *ingresses: Any) -> None:
        """Both hosts see these Ingresses, twice: what leaves a host is served a little longer there."""
        for host in [*self.hosts, *self.hosts]:
            host.now += 3
            copy = self.pair.copy("both", host=host.name)
            section = host.reconcile(ingresses, {"web": ["w1"], "other": ["o1"]}, copies=[copy], hosts=ROSTER)
            assert section["alarm"] == ""

    def connect(self, host: int, name: str) -> H2Connection:
        return H2Connection(tls.connect(self.hosts[host].port, name, alpn=("h2",)))

    def close(self) -> None:
        for host in self.hosts:
            host.close()


@pytest.fixture
def hosts(tmp_path_factory: pytest.TempPathFactory, pods_on_loopback: None) -> Iterator[TwoHosts]:
    made = TwoHosts(tmp_path_factory)
    yield made
    made.close()


def test_a_name_that_moved_to_another_host_is_misdirected_and_answered_there(hosts: TwoHosts) -> None:
    """The client repeats the request on a new connection, to an address that DNS has for this name."""
    a = _on("h1", A)
    hosts.follow(a, _on("h1", B, service="other"))
    kept = hosts.connect(0, A)
    assert [kept.get(name, "/", "https").answer for name in (A, B)] == ["w1", "o1"]
    hosts.follow(a, _on("h2", B, service="other"))
    found = kept.get(B, "/", "https")
    assert (found.status, found.headers["x-rancherctl-ingress"]) == (421, "misdirected")
    assert kept.get(A, "/", "https").answer == "w1", "the connection goes on serving its own name"
    repeated = hosts.connect(1, B)
    assert repeated.get(B, "/", "https").answer == "o1"
    assert tls.serial(hosts.hosts[0].port, B) == REFUSED
    for connection in (kept, repeated):
        connection.close()


def test_a_name_that_is_here_is_answered_on_the_connection_of_another_one(tls_host: TlsHost) -> None:
    pair = tls_host.authority.issue(A, B)
    tls_host.follow([site(A, "sa"), site(B, "sa", service="other")], [pair.copy("sa")])
    assert tls_host.answer(A, host=B) == "o1", "HTTP/1.1"
    with tls.connect(tls_host.port, A, alpn=("h2",)) as stream:
        connection = H2Connection(stream)
        assert [connection.get(name, "/", "https").answer for name in (A, B, A)] == ["w1", "o1", "w1"]
        connection.close()


def test_https_to_a_host_without_tls_never_reaches_a_neighbour(tls_host: TlsHost) -> None:
    """Not even by a wildcard certificate: 421 on a neighbour's connection, no handshake of its own."""
    pair = tls_host.authority.issue(A, PLAIN)
    plain = fake.ingress("plain", [(PLAIN, "Prefix", "/", "other:80")])
    tls_host.follow([site(A, "sa"), plain], [pair.copy("sa")])
    assert tls_host.answer(A, host=PLAIN) == "421"
    assert tls_host.serial(PLAIN) == REFUSED
    wild = site("*.example", "sa", created="2026-02-01T00:00:00Z")
    tls_host.follow([site(A, "sa"), plain, wild], [pair.copy("sa")])
    assert tls_host.serial(PLAIN) == pair.serial, "the wildcard has a certificate for it"
    assert tls_host.answer(PLAIN) == "421"
    assert tls_host.answer("else.example") == "w1"
    assert tls_host.haproxy.answer(PLAIN) == "o1"


def test_unknown_and_missing_names_are_refused_and_shown_no_certificate(tls_host: TlsHost) -> None:
    default, own = (tls_host.authority.issue(A) for _ in range(2))
    for policy, expected in ((TlsPolicy(), REFUSED), (TlsPolicy("infra/fallback"), default.serial)):
        tls_host.start(policy)
        tls_host.follow([site(A, "sa")], [own.copy("sa"), default.copy("fallback", "infra")])
        for name in ("unknown.example", f"{A}.", None):
            assert tls_host.serial(name) == expected, (policy, name)
        assert tls_host.serial(A.upper()) == own.serial
        if policy.default:
            with contextlib.closing(tls.Connection(tls_host.port, None)) as connection:
                assert [connection.answer(name) for name in (A, "unknown.example")] == ["w1", "404"]
