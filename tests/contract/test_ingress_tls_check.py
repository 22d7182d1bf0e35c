"""``ingress status`` against a real HAProxy: which certificate each address shows, and what is said about it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from rancherctl.ingress.operator import http_check, tls_check
from rancherctl.ingress.operator.certificates import CertificateView
from rancherctl.ingress.status.report import parse_section
from rancherctl.ingress.translate.certificates import TlsPolicy
from rancherctl.ingress.translate.rules import translate
from rancherctl.kube.objects import TlsSecret
from tests.fakes import mtls, tls
from tests.fakes.operator_view import api_view
from tests.fakes.ports import free_port
from tests.fakes.tls_host import TlsHost, site

HERE = "127.0.0.1"


class Operator:
    """Follows a host with these Ingresses and secrets, then checks it as the command line does."""

    def __init__(self, host: TlsHost) -> None:
        self.host = host

    def check(
        self,
        ingresses: Sequence[Any],
        on_host: Sequence[TlsSecret],
        in_api: Sequence[TlsSecret] | None = None,
        *,
        default: str | None = "",
        readable: bool = True,
        port: int = 0,
        copies: Sequence[Any] = (),
    ) -> dict[str, tls_check.TlsResult]:
        """Results by name. ``in_api``: the secrets now, if they are others than the host has ``copies`` of."""
        section = self.host.follow(ingresses, [*(tls.copy_of(secret) for secret in on_host), *copies])
        view = api_view(ingresses, reports={"h1": parse_section(section)})
        secrets = {s.meta.key: s for s in (on_host if in_api is None else in_api)} if readable else None
        known = CertificateView(view, secrets, default, time.time())
        checks = [c for t in known.cluster.translated.values() for c in tls_check.checks_for(known, t, [HERE])]
        at = [replace(check, port=port or self.host.port) for check in checks]
        return {r.check.name: r for r in tls_check.run_checks(at)}


@pytest.fixture
def operator(tls_host: TlsHost) -> Operator:
    return Operator(tls_host)


def issue(*names: str, days: float = 90) -> tls.Pair:
    return TlsHost.authority.issue(*names, days=days)


def digits(serial: int) -> str:
    """Its DER bytes in hexadecimal digits, with a leading zero where the DER has one."""
    return serial.to_bytes(serial.bit_length() // 8 + 1, "big").hex()


def test_the_right_certificate_is_named_with_its_days(operator: Operator) -> None:
    a, w = issue("a.example"), issue("*.w.example")
    sites = [site("a.example", "sa"), site("*.w.example", "sw")]
    found = operator.check(sites, [a.secret("sa"), w.secret("sw")])
    assert {name: r.ok for name, r in found.items()} == {"a.example": True, "rancherctl-probe.w.example": True}
    result = found["a.example"]
    assert result.result.startswith(f"certificate of secret default/sa (serial {digits(a.serial)}"[:45])
    assert result.result.endswith(", 89 days left")
    shown = result.as_json()["certificate"]
    assert (int(shown["serial"], 16), shown["secret"], shown["owner"]) == (
        a.serial,
        "default/sa",
        "default/i-a.example",
    )


def test_another_certificate_than_that_of_the_secret_fails(operator: Operator) -> None:
    old, new, b = issue("a.example"), issue("a.example"), issue("b.example")
    sites = [site("a.example", "sa"), site("b.example", "sb")]
    found = operator.check(sites, [old.secret("sa"), b.secret("sb")], [new.secret("sa"), b.secret("sb")])
    assert (found["a.example"].ok, found["b.example"].ok) == (False, True)
    assert f"instead of that of secret default/sa ({digits(new.serial)}"[:45] in found["a.example"].result
    found = operator.check(sites, [b.secret("sa"), b.secret("sb")], [old.secret("sa"), b.secret("sb")])
    assert found["a.example"].result.startswith("certificate of secret default/sb (")
    assert "the certificate is for b.example, not for a.example" in found["a.example"].result


def test_a_refused_handshake_fails_with_the_reason(operator: Operator) -> None:
    (result,) = operator.check([site("a.example", "sa")], []).values()
    assert (result.ok, result.certificate) == (False, None)
    assert result.result == (
        "no answer over TLS: the host has no certificate for this name; waiting for secret default/sa "
        "(kubectl -n default create secret tls sa --cert=FILE --key=FILE)"
    )
    (result,) = operator.check([site("a.example", "sa")], [], [issue("a.example").secret("sa")]).values()
    assert result.result.endswith("see rancherctl ingress certs, and rancherctl env status for the host")
    (result,) = operator.check([site("a.example", "sa")], [tls.secret("sa", b"", b"")]).values()
    assert "tls.crt has no certificate in PEM" in result.result


def test_a_port_that_does_not_answer_or_speak_tls_fails(operator: Operator) -> None:
    secret = issue("a.example").secret("sa")
    (result,) = operator.check([site("a.example", "sa")], [secret], port=free_port()).values()
    assert (result.ok, result.certificate) == (False, None)
    assert "Connection refused" in result.result
    (result,) = operator.check([site("a.example", "sa")], [secret], port=operator.host.haproxy.port).values()
    assert (result.ok, result.certificate) == (False, None)


@pytest.mark.parametrize(
    ("days", "ok", "text"), [(-1, False, "the certificate expired at"), (5, True, ": replace tls.crt and tls.key")]
)
def test_expiry_is_said_with_the_secret_to_replace(operator: Operator, days: float, ok: bool, text: str) -> None:
    (result,) = operator.check([site("a.example", "sa")], [issue("a.example", days=days).secret("sa")]).values()
    assert result.ok is ok
    assert text in result.result
    assert result.result.endswith("of the secret default/sa")


def test_an_invalid_update_fails_while_the_last_good_certificate_serves(operator: Operator) -> None:
    good, other = issue("a.example"), issue("a.example")
    operator.check([site("a.example", "sa")], [good.secret("sa")])
    mixed = tls.secret("sa", other.certificate, good.key, version="2")
    (result,) = operator.check([site("a.example", "sa")], [mixed]).values()
    assert result.ok is False
    assert result.certificate is not None
    assert int(result.certificate.serial, 16) == good.serial
    assert "is still in use: secret default/sa: the private key does not belong to the certificate" in result.result


def test_a_name_of_an_older_ingress_shows_its_certificate(operator: Operator) -> None:
    a, late = issue("a.example"), issue("a.example")
    old = site("a.example", "sa", created="2025-01-01T00:00:00Z")
    new = site("a.example", "st", namespace="team")
    found = operator.check([old, new], [a.secret("sa"), late.secret("st", "team")])
    (result,) = found.values()
    assert result.ok is True
    assert "secret default/sa" in result.result


def test_the_default_certificate_instead_of_a_missing_one_fails(operator: Operator) -> None:
    operator.host.start(TlsPolicy(default="default/sd"))
    default = issue("d.example").secret("sd")
    found = operator.check([site("a.example", "sa"), site("d.example", "")], [default], default="default/sd")
    assert found["d.example"].ok is True
    result = found["a.example"]
    assert (result.ok, result.status) == (False, 421)
    assert result.result.startswith("certificate of secret default/sd (")
    assert ", although none is expected: waiting for secret default/sa (" in result.result
    assert "the load balancer does not serve this host over TLS (status 421)" in result.result


def test_without_the_right_to_read_secrets_only_the_certificate_itself_counts(operator: Operator) -> None:
    secrets = [issue("a.example").secret("sa"), issue("x.example").secret("sb")]
    found = operator.check([site("a.example", "sa"), site("b.example", "sb")], secrets, readable=False)
    assert found["a.example"].ok is True
    assert found["a.example"].result.startswith("a certificate issued by test authority (")
    assert "not for b.example" in found["b.example"].result


def test_a_site_that_redirects_to_https_is_followed_to_its_port(operator: Operator) -> None:
    secret, sites = issue("a.example").secret("sa"), [site("a.example", "sa")]
    check = http_check.HttpCheck("default/i", HERE, "a.example", "/")
    operator.check(sites, [secret])
    found = http_check.run_check(check, operator.host.haproxy.port)
    assert (found.ok, found.result) == (True, "answered with status 200 over TLS")
    operator.host.start(TlsPolicy(redirect=False))
    (result,) = operator.check(sites, [tls.secret("sa", *pem(secret), version="2")]).values()
    found = http_check.run_check(check, operator.host.haproxy.port)
    assert (found.result, result.ok) == ("answered with status 200", True)


def test_a_site_that_needs_client_certificates_is_neither_right_nor_wrong(operator: Operator) -> None:
    secret, ca = issue("m.example").secret("sa"), mtls.ca_copy("ca", mtls.AUTHORITIES["ca"])
    (result,) = operator.check([mtls.guarded("m.example", "sa", "ca")], [secret], copies=[ca]).values()
    assert result.ok is None
    assert result.result.startswith("certificate of secret default/sa (")
    assert result.result.endswith("no answer over TLS: clients need a certificate, which this check does not have")
    check = http_check.HttpCheck("default/i", HERE, "m.example", "/")
    found = http_check.run_check(check, operator.host.haproxy.port)
    assert (found.ok, found.result) == (None, result.result.rpartition("; ")[2])


def test_an_ingress_with_own_ports_is_checked_there_and_without_plain_http_over_tls(operator: Operator) -> None:
    plain, secure = free_port(), free_port()
    own = {"ingress.rancherctl.io/http.port": str(plain), "ingress.rancherctl.io/https.port": str(secure)}
    secret = issue("a.example").secret("sa")
    both = site("a.example", "sa", annotations=own)
    (result,) = operator.check([both], [secret], port=secure).values()
    assert (result.ok, result.check.port) == (True, secure)
    (check,) = http_check.checks_for(translate(both), [HERE])
    found = http_check.run_check(check)
    assert (check.host, found.ok, found.result) == (
        f"a.example:{plain}",
        True,
        "answered with status 200 over TLS",
    )
    only = site("a.example", "sa", annotations={**own, "ingress.rancherctl.io/allow.http": "false"})
    operator.check([only], [secret], port=secure)
    (check,) = http_check.checks_for(translate(only), [HERE])
    found = http_check.run_check(check)
    assert (check.host, found.ok, found.result) == (f"a.example:{secure}", True, "answered with status 200 over TLS")


def pem(secret: TlsSecret) -> tuple[bytes, bytes]:
    return secret.certificate, secret.key
