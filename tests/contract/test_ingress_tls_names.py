"""Names, owners and certificates through a real HAProxy: shared secrets, claims, refused and lost commands, IPv6."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rancherctl.ingress.haproxy.runtime import Socket
from rancherctl.ingress.role.certificates import CertificateStore
from tests.fakes import ingress as fake
from tests.fakes import tls
from tests.fakes.ingress_host import LoadBalancerHost
from tests.fakes.tls_host import REFUSED, TlsHost, reasons, site

WEB = "web:80"


def test_each_name_has_the_certificate_of_its_secret_which_ingresses_may_share(tls_host: TlsHost) -> None:
    shared, wild, own = (
        tls_host.authority.issue(*names) for names in (("a.example", "b.example"), ("*.w.example",), ("c.example",))
    )
    ingresses = [
        site("a.example", "shared"),
        site("b.example", "shared", service="other"),
        site("*.w.example", "wild"),
        site("c.example", "own"),
    ]
    section = tls_host.follow(ingresses, [shared.copy("shared"), wild.copy("wild"), own.copy("own")])
    assert section["problems"] == {}
    names = ("a.example", "b.example", "x.w.example", "c.example")
    assert [tls_host.serial(name) for name in names] == [shared.serial, shared.serial, wild.serial, own.serial]
    assert [tls_host.answer(name) for name in names] == ["w1", "o1", "w1", "w1"]
    assert len(tls_host.files()) == 3


def test_an_entry_without_hosts_is_for_all_hosts_of_the_rules(tls_host: TlsHost) -> None:
    rules = [
        ("a.example", "Prefix", "/", WEB),
        ("b.example", "Prefix", "/", "other:80"),
        ("c.example", "Exact", "/", WEB),
    ]
    pair, own = tls_host.authority.issue("a.example", "b.example"), tls_host.authority.issue("c.example")
    every = fake.ingress("every", rules, tls=[("s", []), ("own", ["c.example"])])
    tls_host.follow([every], [pair.copy("s"), own.copy("own")])
    assert [tls_host.serial(f"{n}.example") for n in "abc"] == [pair.serial, pair.serial, own.serial]
    assert [tls_host.answer(f"{n}.example") for n in "abc"] == ["w1", "o1", "w1"]


def test_a_certificate_for_another_name_is_served_with_a_note(tls_host: TlsHost) -> None:
    other = tls_host.authority.issue("other.example")
    section = tls_host.follow([site("a.example", "s")], [other.copy("s")])
    assert tls_host.serial("a.example") == other.serial
    message = "the certificate of secret default/s is for other.example, not for a.example"
    assert section["problems"]["default/i-a.example"] == [["CertificateName", message, False]]


def test_the_oldest_ingress_keeps_a_name_until_it_is_deleted(tls_host: TlsHost) -> None:
    """Also if its secret is deleted or the agent restarts: the name is not given to another namespace."""
    first, second = tls_host.authority.issue("a.example"), tls_host.authority.issue("a.example")
    old = site("a.example", "s", namespace="team", created="2026-01-01T00:00:00Z")
    new = site("a.example", "s", namespace="rival", created="2026-01-02T00:00:00Z")
    copies = [first.copy("s", "team"), second.copy("s", "rival")]
    for ingresses in ([new, old], [old, new]):
        tls_host.follow(ingresses, copies)
        assert tls_host.serial("a.example") == first.serial
    tls_host.start()
    tls_host.follow([new, old], copies)
    assert tls_host.serial("a.example") == first.serial
    tls_host.follow([new, old], copies[1:])
    tls_host.follow([new, old], copies[1:], seconds=120)
    assert tls_host.serial("a.example") == REFUSED
    tls_host.follow([new], copies[1:])
    assert tls_host.serial("a.example") == second.serial


def trusting(host: TlsHost) -> None:
    """Give HAProxy every certificate, as if OpenSSL had accepted it."""
    host.role.secrets = CertificateStore(host.driver.certificates, {}, lambda: host.now, lambda _: "")


def test_a_rotation_that_haproxy_refuses_keeps_the_old_certificate_and_spoils_no_other(tls_host: TlsHost) -> None:
    """HAProxy 2.6 would put the next certificate into the transaction of the refused one, under its name."""
    a, broken, b = (tls_host.authority.issue(f"{n}.example") for n in "aab")
    sites = [site("a.example", "sa"), site("b.example", "sb", service="other")]
    trusting(tls_host)
    tls_host.follow(sites, [a.copy("sa")])
    mixed = tls.copy_of(tls.secret("sa", broken.certificate, b.key, version="2"))
    for _ in range(2):
        section = tls_host.follow(sites, [mixed, b.copy("sb")])
    assert (tls_host.serial("a.example"), tls_host.serial("b.example")) == (a.serial, b.serial)
    assert (tls_host.answer("a.example"), tls_host.answer("b.example")) == ("w1", "o1")
    assert reasons(section, "default/i-a.example") == ["CertificateInvalid"]
    tls_host.reload()
    assert (tls_host.serial("a.example"), tls_host.serial("b.example")) == (a.serial, b.serial)


@pytest.mark.parametrize("lost", ["new ssl cert", "set ssl cert", "commit ssl cert", "add ssl crt-list"])
@pytest.mark.parametrize("delivered", [False, True])
def test_a_command_without_an_answer_is_a_failure_and_the_certificate_comes_with_the_next_try(
    tls_host: TlsHost, monkeypatch: pytest.MonkeyPatch, lost: str, delivered: bool
) -> None:
    """HAProxy closes the connection without an answer if a payload is larger than its buffer."""
    a, b = tls_host.authority.issue("a.example"), tls_host.authority.issue("b.example")
    sites = [site("a.example", "sa"), site("b.example", "sb")]
    tls_host.follow(sites, [a.copy("sa")])
    before = tls_host.reloads
    exchange, dropped = Socket._exchange, list[bytes]()

    def without_an_answer(self: Socket, data: bytes) -> bytes:
        if data.startswith(lost.encode()) and not dropped:
            dropped.append(data)
            if delivered:
                exchange(self, data)
            return b""
        return exchange(self, data)

    monkeypatch.setattr(Socket, "_exchange", without_an_answer)
    section = tls_host.follow(sites, [a.copy("sa"), b.copy("sb")])
    assert dropped
    assert "closed without an answer" in section["alarm"]
    section = tls_host.follow(sites, [a.copy("sa"), b.copy("sb")], seconds=10)
    assert (section["alarm"], section["problems"]) == ("", {})
    assert (tls_host.serial("a.example"), tls_host.serial("b.example")) == (a.serial, b.serial)
    assert tls_host.reloads <= before + (delivered and lost == "add ssl crt-list"), "a line that was not expected"


@pytest.fixture
def both_families(tmp_path: Path, pods_on_loopback: None) -> Iterator[LoadBalancerHost]:
    """A load balancer that listens at 127.0.0.1 and ::1."""
    haproxy = fake.Haproxy(tmp_path)
    haproxy.paths = replace(haproxy.paths, ipv6="[::1]")
    host = TlsHost(haproxy)
    host.start()
    yield host
    host.close()


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="needs IPv6")
def test_https_is_served_over_ipv6_too(both_families: TlsHost) -> None:
    pair, default = both_families.authority.issue("a.example"), both_families.authority.issue("b.example")
    both_families.follow([site("a.example", "sa"), site("b.example", "sb", service="other")], [pair.copy("sa")])
    port = both_families.port
    for address in ("127.0.0.1", "::1"):
        shown: list[Any] = [tls.serial(port, name, address) for name in ("a.example", "b.example", None)]
        assert shown == [pair.serial, REFUSED, REFUSED], address
    copies = [pair.copy("sa"), default.copy("sb")]
    both_families.follow([site("a.example", "sa"), site("b.example", "sb", service="other")], copies)
    for address in ("127.0.0.1", "::1"):
        assert tls.serial(port, "b.example", address) == default.serial, address
        assert tls.answer(port, "b.example", address=address) == "o1", address
