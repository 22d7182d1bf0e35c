"""Certificates of a real HAProxy that disagrees: refused ones, damaged files, and many changes in any order."""

from __future__ import annotations

import random
from pathlib import Path

from rancherctl.ingress.role.certificates import CertificateStore
from tests.fakes import ingress as fake
from tests.fakes import tls
from tests.fakes.tls_host import REFUSED, TlsHost, reasons, site


def mixed(tls_host: TlsHost, name: str) -> tls.Pair:
    """A certificate with the key of another one."""
    one, other = tls_host.authority.issue(name), tls_host.authority.issue(name)
    return tls.Pair(one.certificate, other.key, one.serial)


def test_a_certificate_that_only_haproxy_refuses_harms_no_other(tls_host: TlsHost) -> None:
    """While it runs, and when it starts: the reason is on the Ingress, and the key of no name is another's."""
    good, bad, later = (
        tls_host.authority.issue("a.example"),
        mixed(tls_host, "b.example"),
        tls_host.authority.issue("c.example"),
    )
    tls_host.role.secrets = CertificateStore(tls_host.driver.certificates, {}, lambda: tls_host.now, lambda _: "")
    sites = [site("a.example", "sa"), site("b.example", "sb"), site("c.example", "sc")]
    tls_host.follow(sites, [good.copy("sa")])
    copies = [good.copy("sa"), bad.copy("sb"), later.copy("sc")]
    tls_host.follow(sites, copies)
    section = tls_host.follow(sites, copies)
    assert [tls_host.serial(f"{n}.example") for n in "abc"] == [good.serial, REFUSED, later.serial]
    assert reasons(section, "default/i-b.example") == ["CertificateInvalid"]
    tls_host.start()
    tls_host.role.secrets = CertificateStore(tls_host.driver.certificates, {}, lambda: tls_host.now, lambda _: "")
    tls_host.haproxy.stop()
    for path in Path(tls_host.haproxy.paths.data).glob("*"):
        if path.is_file():
            path.unlink()
    tls_host.start()
    tls_host.role.secrets = CertificateStore(tls_host.driver.certificates, {}, lambda: tls_host.now, lambda _: "")
    tls_host.follow(sites, copies)
    section = tls_host.follow(sites, copies)
    assert [tls_host.serial(f"{n}.example") for n in "abc"] == [good.serial, REFUSED, later.serial]
    assert reasons(section, "default/i-b.example") == ["CertificateInvalid"]


def test_a_damaged_file_is_written_again_or_left_out(tls_host: TlsHost) -> None:
    a, b = tls_host.authority.issue("a.example"), tls_host.authority.issue("b.example")
    sites, copies = [site("a.example", "sa"), site("b.example", "sb")], [a.copy("sa"), b.copy("sb")]
    tls_host.follow(sites, copies)
    damaged = Path(tls_host.haproxy.paths.certificate(tls_host.role.secrets.good["default/sa"]))
    damaged.write_text("junk")
    tls_host.haproxy.stop()
    tls_host.start()  # the API does not answer: only the file has this key
    tls_host.role.reconcile(fake.Snapshot())
    assert [tls_host.serial(n) for n in ("a.example", "b.example")] == [REFUSED, b.serial]
    tls_host.follow(sites, copies)
    tls_host.follow(sites, copies)
    assert [tls_host.serial(n) for n in ("a.example", "b.example")] == [a.serial, b.serial]


def test_changes_in_any_order_equal_a_fresh_start(tls_host: TlsHost) -> None:
    choose = random.Random(7)
    names = [f"n{i}.example" for i in range(6)]
    ingresses = [site(n, f"s{i}") for i, n in enumerate(names)]
    wild = tls_host.authority.issue("*.example")
    copies: dict[str, tls.Pair] = {}
    tls_host.follow(ingresses, [])
    before = tls_host.reloads
    for step in range(60):
        secret = f"s{choose.randrange(6)}"
        if choose.random() < 0.3:
            copies.pop(secret, None)
        else:
            copies[secret] = wild if choose.random() < 0.4 else tls_host.authority.issue(names[int(secret[1:])])
        listed = [pair.copy(name, version=f"{step}") for name, pair in copies.items()]
        tls_host.follow(ingresses, listed, seconds=61)
    tls_host.follow(ingresses, listed, seconds=61)
    tls_host.follow(ingresses, listed, seconds=61)
    assert tls_host.reloads == before
    wanted = [copies[f"s{i}"].serial if f"s{i}" in copies else REFUSED for i in range(6)]
    assert [tls_host.serial(n) for n in names] == wanted
    tls_host.reload()
    assert [tls_host.serial(n) for n in names] == wanted
    assert len(tls_host.files()) == len(set(map(id, copies.values())))
