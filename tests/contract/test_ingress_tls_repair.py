"""Certificates of a real HAProxy that disagrees: refused ones, damaged files, and many changes in any order."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from rancherctl.contract import INGRESS_PREFIX
from rancherctl.ingress.role import openssl
from rancherctl.ingress.role.certificates import CertificateStore
from rancherctl.ingress.translate import pem
from rancherctl.ingress.translate.certificates import TlsPolicy
from tests.fakes import ingress as fake
from tests.fakes import tls
from tests.fakes.tls_host import REFUSED, TlsHost, reasons, site
from tests.fakes.tls_stream import TlsClients


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
    for _ in range(3):  # HAProxy does not start; it is tested with the certificates; the reason is reported
        section = tls_host.follow(sites, copies)
    assert [tls_host.serial(f"{n}.example") for n in "abc"] == [good.serial, REFUSED, later.serial]
    assert reasons(section, "default/i-b.example") == ["CertificateInvalid"]


def test_a_bad_certificate_does_not_keep_a_new_host_from_serving(tls_host: TlsHost) -> None:
    """Without a state OpenSSL is not asked before HAProxy: a host with thousands of certificates starts in time."""
    good, bad = tls_host.authority.issue("a.example"), mixed(tls_host, "b.example")
    sites = [site("a.example", "sa"), site("b.example", "sb")]
    asked: list[str] = []

    def refusal(pair: pem.KeyPair) -> str:
        asked.append(pair.content)
        return openssl.refusal(pair)

    store = CertificateStore(tls_host.driver.certificates, {}, lambda: tls_host.now, refusal)
    tls_host.role.secrets, store.trusting = store, True
    tls_host.follow(sites, [good.copy("sa"), bad.copy("sb")])
    assert asked == []
    section = tls_host.follow(sites, [good.copy("sa"), bad.copy("sb")])
    assert [tls_host.serial(f"{n}.example") for n in "ab"] == [good.serial, REFUSED]
    assert reasons(section, "default/i-b.example") == ["CertificateInvalid"]
    assert len(asked) == 2


def test_a_reload_that_fails_is_noticed_at_once_and_repaired(tls_host: TlsHost) -> None:
    """The running process serves meanwhile: its certificates are not what the new one cannot load."""
    good, bad = tls_host.authority.issue("a.example"), mixed(tls_host, "b.example")
    tls_host.role.secrets = CertificateStore(tls_host.driver.certificates, {}, lambda: tls_host.now, lambda _: "")
    tls_host.follow([site("a.example", "sa")], [good.copy("sa")])
    sites = [site("a.example", "sa"), site("b.example", "sb", annotations={f"{INGRESS_PREFIX}balance": "source"})]
    began = time.monotonic()
    section = tls_host.follow(sites, [good.copy("sa"), bad.copy("sb")])
    assert "could not load its files" in section["alarm"]
    assert time.monotonic() - began < tls_host.driver.start_limit
    assert tls_host.answer("a.example") == "w1"
    for _ in range(2):
        section = tls_host.follow(sites, [good.copy("sa"), bad.copy("sb")])
    assert [tls_host.serial(f"{n}.example") for n in "ab"] == [good.serial, REFUSED]
    assert reasons(section, "default/i-b.example") == ["CertificateInvalid"]


def test_a_default_certificate_stays_in_the_test_of_a_configuration(tls_host: TlsHost) -> None:
    """Without it, HAProxy refuses a listener that answers to any name."""
    default = tls_host.authority.issue("default.example")
    tls_host.start(TlsPolicy(default="infra/fallback"))
    tls_host.follow([site("plain.example", "none")], [default.copy("fallback", "infra")])
    tls_host.reload()
    assert tls_host.serial("x.example") == default.serial


def test_500_copies_of_one_wildcard_are_one_file_and_one_certificate(tls_host: TlsHost) -> None:
    """In 500 namespaces, as tools that copy secrets make them. HAProxy loads it once, for names in a few lines."""
    wild = tls_host.authority.issue("*.example")
    ingresses = [site(f"n{i}.example", "wild", namespace=f"team-{i}", service="web") for i in range(500)]
    tls_host.follow(ingresses, [wild.copy("wild", f"team-{i}") for i in range(500)])
    assert len(tls_host.files()) == 1
    listed = tls_host.driver.socket.send("show ssl cert").splitlines()
    assert len([line for line in listed if line.startswith("/")]) == 1
    lines = tls_host.driver.socket.send(f"show ssl crt-list {tls_host.haproxy.paths.crt_list}").splitlines()
    assert len([line for line in lines if line.startswith("/")]) == 3
    assert {tls_host.serial(f"n{i}.example") for i in (0, 250, 499)} == {wild.serial}
    newer = tls_host.authority.issue("*.example")
    before = tls_host.reloads
    tls_host.follow(ingresses, [newer.copy("wild", f"team-{i}", version="2") for i in range(500)])
    assert {tls_host.serial(f"n{i}.example") for i in (0, 250, 499)} == {newer.serial}
    assert (len(tls_host.files()), tls_host.reloads) == (1, before)


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
    assert tls_host.haproxy.answer("a.example") == "w1", "no redirect to a name without a certificate"
    tls_host.follow(sites, copies)
    tls_host.follow(sites, copies)
    assert [tls_host.serial(n) for n in ("a.example", "b.example")] == [a.serial, b.serial]


def test_no_request_fails_over_rotations_and_reloads(tls_host: TlsHost) -> None:
    """HTTP/1.1 and HTTP/2 over TLS; a client with an old certificate or an old process gets its answers."""
    sites, pair = [site("a.example", "sa")], tls_host.authority.issue("a.example")
    tls_host.follow(sites, [pair.copy("sa")])
    with TlsClients(["127.0.0.1"], "a.example", rate=100, port=tls_host.port) as clients:
        for turn in range(6):
            clients.wait_for(20)
            pair = tls_host.authority.issue("a.example")
            tls_host.follow(sites, [pair.copy("sa", version=f"{turn + 2}")])
            assert tls_host.serial("a.example") == pair.serial
            if turn % 2:
                tls_host.reload()
        clients.wait_for(20)
    assert clients.bad == []
    assert clients.good >= 140


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


@pytest.mark.slow
def test_200_rotations_additions_and_deletions_equal_a_fresh_start(tls_host: TlsHost) -> None:
    """In random order, among 40 sites: files, lines and shown serials are those of a process that starts with them."""
    choose, there = random.Random(8), dict[int, tls.Pair]()
    ingresses = [site(f"n{i}.example", f"s{i}") for i in range(300)]
    for i in range(40):
        there[i] = tls_host.authority.issue(f"n{i}.example")
    version, free = 1, list(range(40, 300))

    def follow(*, seconds: float = 1.0) -> None:
        listed = [ingresses[i] for i in there]
        tls_host.follow(listed, [pair.copy(f"s{i}", version=f"{version}") for i, pair in there.items()], seconds)

    follow()
    before = tls_host.reloads
    steps = ["rotate", "add", "delete"] * 200
    choose.shuffle(steps)
    for step in steps:
        version += 1
        if step == "add" or not there:
            there[free[0]] = tls_host.authority.issue(f"n{free.pop(0)}.example")
        elif step == "rotate":
            number = choose.choice(list(there))
            there[number] = tls_host.authority.issue(f"n{number}.example")
        else:
            free.append(number := choose.choice(list(there)))
            del there[number]
        follow()
    follow(seconds=61)
    assert tls_host.reloads <= before + 1, "none for certificates; one if connections held all slots of spare pools"
    listed = f"show ssl crt-list {tls_host.haproxy.paths.crt_list}"

    def shown() -> tuple[list[str], list[int | str], set[str]]:
        lines = sorted(tls_host.driver.socket.send(listed).splitlines()[1:])
        return lines, [tls_host.serial(f"n{i}.example") for i in range(300)], tls_host.files()

    running = shown()
    assert running[1] == [there[i].serial if i in there else REFUSED for i in range(300)]
    tls_host.reload()
    assert shown() == running
