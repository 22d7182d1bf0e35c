"""HTTPS through a real HAProxy: certificates by name, added, replaced and removed while it runs."""

from __future__ import annotations

import contextlib
import stat
from pathlib import Path

from rancherctl.ingress.translate.certificates import TlsPolicy
from tests.fakes import ingress as fake
from tests.fakes import tls
from tests.fakes.h2 import H2Connection
from tests.fakes.tls_host import REFUSED, TlsHost, reasons, site


def test_each_name_gets_its_certificate_over_http_1_and_2(tls_host: TlsHost) -> None:
    a, b = tls_host.authority.issue("a.example"), tls_host.authority.issue("b.example")
    section = tls_host.follow(
        [site("a.example", "sa"), site("b.example", "sb", service="other")], [a.copy("sa"), b.copy("sb")]
    )
    assert section["served"].keys() == {"default/i-a.example", "default/i-b.example"}
    assert (tls_host.serial("a.example"), tls_host.serial("b.example")) == (a.serial, b.serial)
    assert (tls_host.answer("a.example"), tls_host.answer("b.example")) == ("w1", "o1")
    with contextlib.closing(tls.Connection(tls_host.port, "a.example")) as connection:
        _, body, _ = connection.request("a.example")
    assert body["headers"]["x-forwarded-proto"] == "https"
    with tls.connect(tls_host.port, "a.example", alpn=("h2", "http/1.1")) as stream:
        assert stream.selected_alpn_protocol() == "h2"
        http2 = H2Connection(stream)
        assert http2.get("a.example", "/").answer == "w1"
        assert http2.get("b.example", "/").answer == "o1", "a connection serves every name that is here"
        http2.close()


def test_a_name_without_certificate_is_refused_and_shows_none(tls_host: TlsHost) -> None:
    tls_host.follow([site("a.example", "sa")], [tls_host.authority.issue("a.example").copy("sa")])
    assert tls_host.serial("unknown.example") == REFUSED
    assert tls_host.serial(None) == REFUSED


def test_certificates_come_change_and_go_without_a_reload(tls_host: TlsHost) -> None:
    tls_host.follow([site("plain.example", "none")], [])
    before = tls_host.reloads
    old, new = tls_host.authority.issue("a.example"), tls_host.authority.issue("a.example")
    ingresses = [site("plain.example", "none"), site("a.example", "sa")]
    tls_host.follow(ingresses, [old.copy("sa")])
    assert tls_host.serial("a.example") == old.serial
    with contextlib.closing(tls.Connection(tls_host.port, "a.example")) as kept:
        assert kept.answer("a.example") == "w1"
        tls_host.follow(ingresses, [new.copy("sa", version="2")])
        assert tls_host.serial("a.example") == new.serial
        assert kept.answer("a.example") == "w1", "a connection with the old certificate lives on"
    assert len(tls_host.files()) == 1
    tls_host.follow([site("plain.example", "none")], [])
    assert tls_host.serial("a.example") == REFUSED
    assert tls_host.files() == set()
    assert tls_host.reloads == before


def test_a_restarted_haproxy_has_the_same_certificates(tls_host: TlsHost) -> None:
    a = tls_host.authority.issue("a.example")
    tls_host.follow([site("plain.example", "none")], [])
    tls_host.follow([site("plain.example", "none"), site("a.example", "sa")], [a.copy("sa")])
    tls_host.haproxy.restart()
    tls_host.follow([site("plain.example", "none"), site("a.example", "sa")], [a.copy("sa")], seconds=10)
    assert tls_host.serial("a.example") == a.serial
    tls_host.start()  # the agent, with an API that does not answer
    tls_host.role.reconcile(fake.Snapshot())
    assert tls_host.answer("a.example") == "w1"


def test_plain_requests_are_redirected_once_there_is_a_certificate(tls_host: TlsHost) -> None:
    tls_host.follow([site("a.example", "sa")], [])
    assert tls_host.haproxy.answer("a.example") == "w1", "no redirect while the certificate is missing"
    assert tls_host.serial("a.example") == REFUSED
    section = tls_host.follow([site("a.example", "sa")], [tls_host.authority.issue("a.example").copy("sa")])
    assert section["problems"] == {}
    status, _, location = tls_host.haproxy.redirect("a.example", "/x/y?q=1")
    assert (status, location) == (308, f"https://a.example:{tls_host.port}/x/y?q=1")
    assert tls_host.haproxy.answer("a.example", "/.well-known/acme-challenge/token") == "w1"
    tls_host.start(TlsPolicy(redirect=False))
    tls_host.follow([site("a.example", "sa")], [tls_host.authority.issue("a.example").copy("sa", version="2")])
    assert tls_host.haproxy.answer("a.example") == "w1"


def test_a_missing_secret_is_a_note_and_an_unusable_one_a_problem(tls_host: TlsHost) -> None:
    key = "default/i-a.example"
    section = tls_host.follow([site("a.example", "sa")], [])
    assert section["problems"][key] == [
        [
            "CertificatePending",
            "waiting for secret default/sa (type kubernetes.io/tls); until then its hosts answer plain HTTP only",
            False,
        ]
    ]
    good, other = tls_host.authority.issue("a.example"), tls_host.authority.issue("a.example")
    mixed = tls.copy_of(tls.secret("sa", good.certificate, other.key, version="2"))
    section = tls_host.follow([site("a.example", "sa")], [mixed])
    assert reasons(section, key) == ["CertificateInvalid"]
    assert "the private key does not belong to the certificate" in section["problems"][key][0][1]
    assert tls_host.haproxy.answer("a.example") == "w1"
    tls_host.follow([site("a.example", "sa")], [good.copy("sa", version="3")])
    section = tls_host.follow([site("a.example", "sa")], [mixed])
    assert tls_host.serial("a.example") == good.serial, "the last good one stays"
    assert "the last good certificate stays in use, it expires in 89 days" in section["problems"][key][0][1]
    tls_host.start()
    tls_host.follow([site("a.example", "sa")], [mixed])
    assert tls_host.serial("a.example") == good.serial, "also after a restart of the agent"


def test_the_certificate_of_a_deleted_secret_goes_after_a_minute(tls_host: TlsHost) -> None:
    a = tls_host.authority.issue("a.example")
    tls_host.follow([site("a.example", "sa")], [a.copy("sa")])
    section = tls_host.follow([site("a.example", "sa")], [])
    assert reasons(section, "default/i-a.example") == ["CertificateDeleted"]
    assert tls_host.serial("a.example") == a.serial
    tls_host.follow([site("a.example", "sa")], [a.copy("sa", version="2")], seconds=30)
    tls_host.follow([site("a.example", "sa")], [], seconds=50)
    assert tls_host.serial("a.example") == a.serial, "the minute begins again after it was there"
    section = tls_host.follow([site("a.example", "sa")], [], seconds=61)
    assert reasons(section, "default/i-a.example") == ["CertificatePending"]
    assert tls_host.serial("a.example") == REFUSED
    assert tls_host.files() == set()


def test_copies_that_cannot_be_listed_take_nothing_away(tls_host: TlsHost) -> None:
    a = tls_host.authority.issue("a.example")
    tls_host.follow([site("a.example", "sa")], [a.copy("sa")])
    tls_host.start()
    section = tls_host.follow([site("a.example", "sa")], None, seconds=100)
    assert tls_host.answer("a.example") == "w1"
    assert section["problems"] == {}


def test_one_bad_certificate_harms_no_other(tls_host: TlsHost) -> None:
    good = tls_host.authority.issue("a.example")
    bad = tls.copy_of(tls.secret("bad", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", good.key))
    ingresses = [site("a.example", "sa"), site("bad.example", "bad"), site("c.example", "sc")]
    later = tls_host.authority.issue("c.example")
    tls_host.follow(ingresses, [good.copy("sa"), bad])
    section = tls_host.follow(ingresses, [good.copy("sa"), bad, later.copy("sc")])
    assert reasons(section, "default/i-bad.example") == ["CertificateInvalid"]
    assert (tls_host.serial("a.example"), tls_host.serial("c.example")) == (good.serial, later.serial)
    assert tls_host.serial("bad.example") == REFUSED


def test_a_chain_of_25_kb_is_served_and_replaced(tls_host: TlsHost) -> None:
    first, second = (tls_host.authority.issue("a.example", chain=50) for _ in range(2))
    assert len(first.certificate) > 25_000
    for version, pair in enumerate((first, second), 1):
        tls_host.follow([site("a.example", "sa")], [pair.copy("sa", version=str(version))])
        assert tls_host.serial("a.example") == pair.serial
    huge = tls_host.authority.issue("a.example", chain=80)
    section = tls_host.follow([site("a.example", "sa")], [huge.copy("sa", version="3")])
    assert "at most 30000 are supported" in section["problems"]["default/i-a.example"][0][1]
    assert tls_host.serial("a.example") == second.serial


def test_a_connection_serves_all_names_that_are_here_and_refuses_the_others(tls_host: TlsHost) -> None:
    pair = tls_host.authority.issue("a.example", "b.example", "c.example")
    ingresses = [site("a.example", "sa"), site("b.example", "sa", service="other")]
    plain = fake.ingress("plain", [("c.example", "Prefix", "/", "web:80")])
    tls_host.follow([*ingresses, plain], [pair.copy("sa")])
    assert tls_host.answer("a.example", host="b.example") == "o1"
    assert tls_host.answer("a.example", host="c.example") == "421", (
        "a site without certificate is never answered over TLS"
    )
    assert tls_host.answer("a.example", host="elsewhere.example") == "421"
    assert tls_host.haproxy.answer("c.example") == "w1"


def test_the_default_certificate_is_for_names_without_one(tls_host: TlsHost) -> None:
    policy = TlsPolicy(default="infra/fallback")
    default, own, newer = (tls_host.authority.issue("default.example") for _ in range(3))
    anywhere = fake.ingress("anywhere", [("", "Prefix", "/", "other:80")])
    tls_host.start(policy)
    copies = [default.copy("fallback", "infra"), own.copy("sa")]
    tls_host.follow([site("a.example", "sa"), anywhere], copies)
    assert [tls_host.serial(name) for name in ("a.example", "x.example", None)] == [
        own.serial,
        default.serial,
        default.serial,
    ]
    assert tls_host.answer("x.example") == "o1"
    before = tls_host.reloads
    tls_host.follow([site("a.example", "sa"), anywhere], [newer.copy("fallback", "infra", "2"), own.copy("sa")])
    assert tls_host.serial("x.example") == newer.serial
    assert tls_host.reloads == before
    tls_host.start()
    tls_host.follow([site("a.example", "sa"), anywhere], [own.copy("sa")])
    assert tls_host.serial("x.example") == REFUSED


def test_a_default_certificate_that_is_in_use_keeps_no_new_process_from_starting(tls_host: TlsHost) -> None:
    """HAProxy needs one for a listener that is not strict, also when a configuration is only tested."""
    pair = tls_host.authority.issue("default.example")
    anywhere = fake.ingress("anywhere", [("", "Prefix", "/", "other:80")])
    tls_host.start(TlsPolicy(default="infra/fallback"))
    tls_host.follow([anywhere], [pair.copy("fallback", "infra")])
    tls_host.reload()
    assert tls_host.serial("x.example") == pair.serial


def test_a_new_host_serves_without_a_default_certificate_that_cannot_be_used(tls_host: TlsHost) -> None:
    """The copies are the first that this host sees, so HAProxy is the one that refuses it."""
    good, other = (tls_host.authority.issue("default.example") for _ in range(2))
    mixed = tls.copy_of(tls.secret("fallback", good.certificate, other.key, namespace="infra"))
    own = tls_host.authority.issue("a.example")
    tls_host.start(TlsPolicy(default="infra/fallback"))
    tls_host.follow([site("a.example", "sa")], [mixed, own.copy("sa")])
    tls_host.follow([site("a.example", "sa")], [mixed, own.copy("sa")])
    assert (tls_host.serial("a.example"), tls_host.serial("x.example")) == (own.serial, REFUSED)
    tls_host.follow([site("a.example", "sa")], [good.copy("fallback", "infra", "2"), own.copy("sa")])
    assert tls_host.serial("x.example") == good.serial


def test_files_of_keys_are_for_their_group_only(tls_host: TlsHost) -> None:
    tls_host.follow([site("a.example", "sa")], [tls_host.authority.issue("a.example").copy("sa")])
    folder = Path(tls_host.haproxy.paths.certificates)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o640}
    for path in Path(tls_host.haproxy.paths.data).rglob("*"):
        if path.is_file() and path.parent != folder:
            assert "PRIVATE KEY" not in path.read_text("ascii", "replace"), path
