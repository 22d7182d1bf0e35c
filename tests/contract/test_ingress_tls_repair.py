"""Certificates of a real HAProxy that disagrees: refused ones, damaged files, and many changes in any order."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from rancherctl.ingress.role.certificates import CertificateStore
from tests.contract.test_ingress_tls import REFUSED, TlsHost, reasons, site
from tests.fakes import ingress as fake
from tests.fakes import tls


@pytest.fixture
def host(tmp_path: Path, pods_on_loopback: None) -> Iterator[TlsHost]:
    host = TlsHost(fake.Haproxy(tmp_path))
    host.start()
    yield host
    host.close()


def mixed(host: TlsHost, name: str) -> tls.Pair:
    """A certificate with the key of another one."""
    one, other = host.authority.issue(name), host.authority.issue(name)
    return tls.Pair(one.certificate, other.key, one.serial)


def test_a_certificate_that_only_haproxy_refuses_harms_no_other(host: TlsHost) -> None:
    """While it runs, and when it starts: the reason is on the Ingress, and the key of no name is another's."""
    good, bad, later = host.authority.issue("a.example"), mixed(host, "b.example"), host.authority.issue("c.example")
    host.role.secrets = CertificateStore(host.driver.certificates, {}, lambda: host.now, lambda _: "")
    sites = [site("a.example", "sa"), site("b.example", "sb"), site("c.example", "sc")]
    host.follow(sites, [good.copy("sa")])
    copies = [good.copy("sa"), bad.copy("sb"), later.copy("sc")]
    host.follow(sites, copies)
    section = host.follow(sites, copies)
    assert [host.serial(f"{n}.example") for n in "abc"] == [good.serial, REFUSED, later.serial]
    assert reasons(section, "default/i-b.example") == ["CertificateInvalid"]
    host.start()
    host.role.secrets = CertificateStore(host.driver.certificates, {}, lambda: host.now, lambda _: "")
    host.haproxy.stop()
    for path in Path(host.haproxy.paths.data).glob("*"):
        if path.is_file():
            path.unlink()
    host.start()
    host.role.secrets = CertificateStore(host.driver.certificates, {}, lambda: host.now, lambda _: "")
    host.follow(sites, copies)
    section = host.follow(sites, copies)
    assert [host.serial(f"{n}.example") for n in "abc"] == [good.serial, REFUSED, later.serial]
    assert reasons(section, "default/i-b.example") == ["CertificateInvalid"]


def test_a_damaged_file_is_written_again_or_left_out(host: TlsHost) -> None:
    a, b = host.authority.issue("a.example"), host.authority.issue("b.example")
    sites, copies = [site("a.example", "sa"), site("b.example", "sb")], [a.copy("sa"), b.copy("sb")]
    host.follow(sites, copies)
    damaged = Path(host.haproxy.paths.certificate(host.role.secrets.good["default/sa"]))
    damaged.write_text("junk")
    host.haproxy.stop()
    host.start()  # the API does not answer: only the file has this key
    host.role.reconcile(fake.Snapshot())
    assert [host.serial(n) for n in ("a.example", "b.example")] == [REFUSED, b.serial]
    host.follow(sites, copies)
    host.follow(sites, copies)
    assert [host.serial(n) for n in ("a.example", "b.example")] == [a.serial, b.serial]


def test_changes_in_any_order_equal_a_fresh_start(host: TlsHost) -> None:
    choose = random.Random(7)
    names = [f"n{i}.example" for i in range(6)]
    ingresses = [site(n, f"s{i}") for i, n in enumerate(names)]
    wild = host.authority.issue("*.example")
    copies: dict[str, tls.Pair] = {}
    host.follow(ingresses, [])
    before = host.reloads
    for step in range(60):
        secret = f"s{choose.randrange(6)}"
        if choose.random() < 0.3:
            copies.pop(secret, None)
        else:
            copies[secret] = wild if choose.random() < 0.4 else host.authority.issue(names[int(secret[1:])])
        listed = [pair.copy(name, version=f"{step}") for name, pair in copies.items()]
        host.follow(ingresses, listed, seconds=61)
    host.follow(ingresses, listed, seconds=61)
    host.follow(ingresses, listed, seconds=61)
    assert host.reloads == before
    wanted = [copies[f"s{i}"].serial if f"s{i}" in copies else REFUSED for i in range(6)]
    assert [host.serial(n) for n in names] == wanted
    host.reload()
    assert [host.serial(n) for n in names] == wanted
    assert len(host.files()) == len(set(map(id, copies.values())))
