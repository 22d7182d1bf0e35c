"""Certificates of clients through a real HAProxy: who gets an answer, and that each fence alone closes what it must."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from rancherctl.ingress.haproxy import client_certificates, profiles, render
from rancherctl.ingress.translate.certificates import TlsPolicy
from tests.fakes import ingress as fake
from tests.fakes import mtls, tls
from tests.fakes.h2 import H2Connection
from tests.fakes.mtls import Client, ca_copy, guarded
from tests.fakes.tls_host import TlsHost, reasons, site

ONE, TWO = tls.Authority("authority 1"), tls.Authority("authority 2")
GOOD, OTHER = ONE.issue("client-1"), TWO.issue("client-2")
KEY = "default/i-m.example"
VERSIONS = ("1.2", "1.3")


def follow(host: TlsHost, ingresses: list[object], *more: object) -> dict[str, object]:
    """Reconcile with a certificate for all names of these tests, and further copies."""
    names = ("a.example", "m.example", "n.example", "*.w.example", "a.w.example")
    pair = PAIRS.setdefault("all", host.authority.issue(*names))
    section: dict[str, object] = host.follow(ingresses, [pair.copy("sa"), *more])
    assert not section.get("error"), section
    return section


PAIRS: dict[str, tls.Pair] = {}
BOTH = (ca_copy("ca", ONE), ca_copy("cb", TWO))
OPEN, CLOSED = site("a.example", "sa", service="other"), guarded("m.example", "sa", "ca")


def test_only_clients_with_a_certificate_of_the_authority_are_served(tls_host: TlsHost) -> None:
    """Case 22."""
    follow(tls_host, [OPEN, CLOSED], ca_copy("ca", ONE))
    for version in VERSIONS:
        nobody, good, other = (Client(tls_host.port, pair, version) for pair in (None, GOOD, OTHER))
        assert [client.answer("m.example") for client in (nobody, good, other)] == ["refused", "w1", "refused"]
        assert [client.answer("a.example") for client in (nobody, good)] == ["o1", "o1"], "others need none"
        assert [client.answer("a.example", "m.example") for client in (nobody, good)] == ["421", "421"]
        assert good.answer("m.example", "a.example") == "421", "the name of the handshake must prove the same"
    assert Client(tls_host.port, ONE.issue("late", days=-1)).answer("m.example") == "refused", "it has expired"


def _resumed(host: TlsHost, version: str) -> list[str]:
    """Answers of m.example to resumed sessions of a.example: without a certificate, and with that of another one."""
    out = []
    for pair in (None, OTHER):
        client = Client(host.port, pair, version)
        assert client.answer("a.example") == "o1"
        out.append(client.answer("m.example", session=client.session))
    return out


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kept", ["tickets", "cache"])
def test_a_session_of_another_name_opens_nothing(
    tls_host: TlsHost, monkeypatch: pytest.MonkeyPatch, version: str, kept: str
) -> None:
    """Case 23, and its control: without any fence the attack works, with tickets and with the cache of sessions."""
    others = "" if kept == "tickets" else "no-tls-tickets"
    with monkeypatch.context() as patch:
        patch.setattr(render, "NO_RESUMPTION_GLOBAL", "")
        patch.setattr(render, "NO_RESUMPTION_OPTIONS", others)
        patch.setattr(client_certificates, "request_lines", lambda *_: "")
        patch.setattr(profiles, "pool_lines", lambda path: client_certificates.pool_lines(path)[:1])
        tls_host.start()
        follow(tls_host, [OPEN, CLOSED], ca_copy("ca", ONE))
        assert Client(tls_host.port, version=version).answer("m.example") == "refused"
        found = _resumed(tls_host, version)
        if found == ["refused", "refused"]:
            pytest.skip("this HAProxy resumes no session of another name")
        assert found == ["w1", "w1"]
    tls_host.start()
    follow(tls_host, [OPEN, CLOSED], ca_copy("ca", ONE))
    assert set(_resumed(tls_host, version)) == {"refused"}


@pytest.mark.parametrize("version", VERSIONS)
def test_pools_refuse_a_resumed_session_on_their_own(
    tls_host: TlsHost, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    """Case 24: sessions are resumed, and no request gets 421."""
    monkeypatch.setattr(render, "NO_RESUMPTION_GLOBAL", "")
    monkeypatch.setattr(render, "NO_RESUMPTION_OPTIONS", "")
    monkeypatch.setattr(client_certificates, "request_lines", lambda *_: "")
    tls_host.start()
    follow(tls_host, [OPEN, CLOSED], ca_copy("ca", ONE))
    assert _resumed(tls_host, version) == ["403", "403"]
    assert Client(tls_host.port, GOOD, version).answer("m.example") == "w1"


def test_requests_for_another_name_get_421_before_their_pool_refuses_them(tls_host: TlsHost) -> None:
    """The fence in the front end: a browser opens another connection then."""
    follow(tls_host, [OPEN, CLOSED, guarded("n.example", "sa", "cb")], ca_copy("ca", ONE), ca_copy("cb", TWO))
    assert Client(tls_host.port, GOOD).answer("m.example", "n.example") == "421"
    assert Client(tls_host.port, OTHER).answer("n.example", "n.example") == "w1"


def test_the_first_policy_needs_one_reload_and_nothing_else_does(tls_host: TlsHost) -> None:
    """A second policy, a rotation of authorities, their end: all at run time."""
    follow(tls_host, [OPEN])
    before = tls_host.reloads
    follow(tls_host, [OPEN, CLOSED], ca_copy("ca", ONE))
    assert tls_host.reloads == before + 1
    more = [OPEN, CLOSED, guarded("n.example", "sa", "cb", verify="optional")]
    follow(tls_host, more, ca_copy("ca", ONE), ca_copy("cb", TWO))
    assert Client(tls_host.port, OTHER).answer("n.example") == "w1"
    follow(tls_host, more, ca_copy("ca", TWO, version="2"), ca_copy("cb", TWO))
    assert [Client(tls_host.port, pair).answer("m.example") for pair in (GOOD, OTHER)] == ["refused", "w1"]
    follow(tls_host, [OPEN, CLOSED], ca_copy("ca", TWO, version="2"))
    follow(tls_host, [OPEN, site("m.example", "sa", version="2")])
    assert Client(tls_host.port).answer("m.example") == "w1", "the policy was removed"
    assert tls_host.reloads == before + 1
    assert tls_host.driver.socket.send("show ssl ca-file").count("authorities/") == 0
    tls_host.reload()
    assert Client(tls_host.port).answer("m.example") == "w1"


def test_a_connection_from_before_a_rotation_must_be_made_again(tls_host: TlsHost) -> None:
    follow(tls_host, [OPEN, CLOSED], ca_copy("ca", ONE))
    client = Client(tls_host.port, GOOD)
    with contextlib.closing(client.connect("m.example")) as connection:
        assert client.request(connection, "m.example")[0] == "w1"
        follow(tls_host, [OPEN, CLOSED], ca_copy("ca", ONE, TWO, version="2"))
        assert client.request(connection, "m.example")[0] == "421"
    assert [Client(tls_host.port, pair).answer("m.example") for pair in (GOOD, OTHER)] == ["w1", "w1"]


def test_without_usable_authorities_a_route_is_closed(tls_host: TlsHost) -> None:
    """Missing, late, invalid, deleted; requests over plain HTTP are redirected, and never served."""
    section = follow(tls_host, [OPEN, CLOSED])
    assert reasons(section, KEY) == ["ClientCaMissing"]
    for pair in (None, GOOD):
        assert Client(tls_host.port, pair).answer("m.example") == "503"
    assert tls_host.haproxy.redirect("m.example")[0] == 308
    assert reasons(follow(tls_host, [OPEN, CLOSED], ca_copy("ca", ONE)), KEY) == []
    assert Client(tls_host.port, GOOD).answer("m.example") == "w1"
    bad = mtls.secret("ca", {"ca.crt": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}, version="2")
    others = (mtls.secret("ca", {"other": b""}, version="3"), mtls.secret("ca", {"ca.crt": b""}, kind="helm.sh/x"))
    for secret in (bad, *others):
        section = follow(tls_host, [OPEN, CLOSED], mtls.copy_of(secret))
        assert reasons(section, KEY) == ["ClientCaInvalid"]
        assert Client(tls_host.port, GOOD).answer("m.example") == "503"
        assert Client(tls_host.port).answer("a.example") == "o1"
    follow(tls_host, [OPEN, CLOSED], ca_copy("ca", ONE, version="4"))
    assert Client(tls_host.port, GOOD).answer("m.example") == "w1"
    assert reasons(follow(tls_host, [OPEN, CLOSED]), KEY) == ["ClientCaMissing"]
    assert Client(tls_host.port, GOOD).answer("m.example") == "503"


def test_plain_requests_are_refused_if_nothing_redirects_them(tls_host: TlsHost) -> None:
    tls_host.start(TlsPolicy(redirect=False))
    optional = guarded("n.example", "sa", "ca", verify="optional")
    follow(tls_host, [OPEN, CLOSED, optional], ca_copy("ca", ONE))
    assert [tls_host.haproxy.answer(name) for name in ("m.example", "n.example", "a.example")] == ["403", "403", "o1"]


def test_a_restarted_agent_and_haproxy_ask_as_before(tls_host: TlsHost) -> None:
    """Also without the API, and while copies of secrets cannot be listed."""
    follow(tls_host, [OPEN])
    follow(tls_host, [OPEN, CLOSED], ca_copy("ca", ONE))
    tls_host.start()
    section = tls_host.follow([OPEN, CLOSED], None)
    assert reasons(section, KEY) == []
    assert [Client(tls_host.port, pair).answer("m.example") for pair in (None, GOOD)] == ["refused", "w1"]
    tls_host.haproxy.restart()
    tls_host.start()
    tls_host.role.reconcile(fake.Snapshot())
    assert [Client(tls_host.port, pair).answer("m.example") for pair in (None, GOOD)] == ["refused", "w1"]


def test_an_optional_certificate_must_be_valid_if_there_is_one(tls_host: TlsHost) -> None:
    follow(tls_host, [OPEN, guarded("m.example", "sa", "ca", verify="optional", headers=True)], ca_copy("ca", ONE))
    answer, headers = Client(tls_host.port).ask("m.example")
    assert (answer, headers["x-ssl-client-verify"]) == ("w1", "NONE")
    assert Client(tls_host.port, GOOD).ask("m.example")[1]["x-ssl-client-verify"] == "SUCCESS"
    assert Client(tls_host.port, OTHER).answer("m.example") == "refused"


def test_a_service_learns_about_the_certificate_and_is_not_lied_to(tls_host: TlsHost) -> None:
    follow(tls_host, [OPEN, guarded("m.example", "sa", "ca", headers=True)], ca_copy("ca", ONE))
    forged = [("X-SSL-Client-Verify", "x"), ("x-ssl-client-cn", "root"), ("X_SSL-Client_Verify", "x")]
    found = Client(tls_host.port, GOOD).ask("m.example", headers=forged)[1]
    shown = x509.load_pem_x509_certificate(GOOD.certificate)
    der = base64.b64decode(found["x-ssl-client-cert"])
    found["x-ssl-client-serial"] = int(found["x-ssl-client-serial"], 16)
    assert x509.load_der_x509_certificate(der) == shown
    assert {name: text for name, text in found.items() if "ssl" in name and not name.endswith("cert")} == {
        "x-ssl-client-verify": "SUCCESS",
        "x-ssl-client-subject-dn": "CN=client-1",
        "x-ssl-client-issuer-dn": "CN=authority 1",
        "x-ssl-client-serial": shown.serial_number,
        "x-ssl-client-sha1": hashlib.sha1(der).hexdigest().upper(),
        "x-ssl-client-sha256": hashlib.sha256(der).hexdigest().upper(),
    }
    got = Client(tls_host.port).ask("a.example", headers=forged[:2])[1]
    assert not any("ssl" in name for name in got), "the service may trust them, and be reached in another way, too"


def test_a_name_of_its_own_below_a_wildcard_proves_only_what_its_own_handshake_does(tls_host: TlsHost) -> None:
    """The wildcard asks for certificates of one authority, the name for another, or for none."""
    wild = guarded("*.w.example", "sa", "ca")
    follow(tls_host, [wild, site("a.w.example", "sa", service="other")], ca_copy("ca", ONE))
    assert Client(tls_host.port).answer("a.w.example") == "o1"
    assert Client(tls_host.port, GOOD).answer("b.w.example") == "w1"
    assert Client(tls_host.port, GOOD).answer("a.w.example", "b.w.example") == "421"
    follow(tls_host, [wild, guarded("a.w.example", "sa", "cb", version="2")], ca_copy("ca", ONE), ca_copy("cb", TWO))
    assert [Client(tls_host.port, p).answer("a.w.example") for p in (GOOD, OTHER)] == ["refused", "w1"]
    pending = guarded("a.w.example", "late", "cb", version="3")
    follow(tls_host, [wild, pending], ca_copy("ca", ONE), ca_copy("cb", TWO))
    assert Client(tls_host.port, GOOD).answer("a.w.example") == "421", "the handshake was that of the wildcard"


def test_one_bad_authority_harms_no_other(tls_host: TlsHost) -> None:
    broken = mtls.copy_of(mtls.secret("cb", {"ca.crt": ONE.certificate.replace(b"M", b"N", 3)}))
    ingresses = [OPEN, CLOSED, guarded("n.example", "sa", "cb")]
    section = follow(tls_host, ingresses, ca_copy("ca", ONE), broken)
    assert reasons(section, "default/i-n.example") == ["ClientCaInvalid"]
    tls_host.reload()
    assert [Client(tls_host.port, GOOD).answer(n) for n in ("m.example", "n.example")] == ["w1", "503"]


def test_a_port_of_its_own_has_a_policy_of_its_own(tls_host: TlsHost) -> None:
    """The same name on two ports: what a handshake proves on one counts on that one only."""
    port = fake.free_port()
    own = guarded("m.example", "sa", "cb", port=port, created="2026-02-01T00:00:00Z")
    wild = guarded("*.w.example", "sa", "cb", port=port)
    follow(tls_host, [OPEN, CLOSED, replace(own, meta=replace(own.meta, name="own", uid="own")), wild], *BOTH)
    for where, answers in ((tls_host.port, ["w1", "refused"]), (port, ["refused", "w1"])):
        assert [Client(where, pair).answer("m.example") for pair in (GOOD, OTHER)] == answers
    assert [Client(port, pair).answer("b.w.example") for pair in (None, OTHER)] == ["refused", "w1"]
    assert Client(port, OTHER).answer("m.example", "b.w.example") == "w1", "both have the same authorities"
    assert Client(tls_host.port, OTHER).answer("b.w.example") == "refused"


def test_all_requests_of_an_http_2_connection_are_compared(tls_host: TlsHost) -> None:
    follow(tls_host, [OPEN, CLOSED], ca_copy("ca", ONE))
    client = Client(tls_host.port, GOOD, alpn="h2")
    with contextlib.closing(H2Connection(client.stream("m.example"))) as connection:
        found = [connection.get(host, "/").answer for host in ("m.example", "a.example", "m.example")]
    assert found == ["w1", "421", "w1"]


def test_files_of_authorities_follow_their_secrets(tls_host: TlsHost) -> None:
    """One for each secret, for the group of the load balancer, and gone when no site needs it."""
    other = guarded("n.example", "sa", "cb")
    follow(tls_host, [OPEN, CLOSED, other], *BOTH)
    folder = Path(tls_host.haproxy.paths.authority("x")).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o640}
    assert sorted(path.read_bytes() for path in folder.iterdir()) == sorted(a.certificate for a in (ONE, TWO))
    follow(tls_host, [OPEN, other], *BOTH)
    assert [path.read_bytes() for path in folder.iterdir()] == [TWO.certificate]
    next(folder.iterdir()).write_bytes(b"damaged")
    tls_host.reload()
    assert Client(tls_host.port, OTHER).answer("n.example") == "w1", "it is written again"
