"""What ``ingress certs`` says about secrets of Ingresses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from rancherctl.ingress.operator.certificates import CertificateView, rows
from rancherctl.kube.objects import Ingress, TlsSecret
from rancherctl.placement.model import ObjectProblem
from tests.fakes import ingress as fake
from tests.fakes import tls
from tests.fakes.operator_view import api_view, reported

AUTHORITY = tls.Authority()


def site(name: str, secret: str, **more: Any) -> Ingress:
    return fake.ingress(name, [(f"{name}.com", "Prefix", "/", "web:80")], tls=[(secret, [])], **more)


def certificates(
    ingresses: Sequence[Ingress],
    secrets: Sequence[TlsSecret],
    *,
    default: str | None = "",
    problems: Any = None,
    warn_days: int = 14,
    later: float = 0.0,
    confirmed: Sequence[TlsSecret] | None = None,
) -> dict[str, dict[str, Any]]:
    """Rows by secret, after all hosts have confirmed everything."""
    view = reported(api_view(ingresses), secrets if confirmed is None else confirmed, problems)
    seen = CertificateView(view, {s.meta.key: s for s in secrets}, default, tls.AN_HOUR_LATER + later)
    return {row["secret"]: row for row in rows(seen, seen.cluster.translated.values(), warn_days)}


def reasons(row: dict[str, Any]) -> list[str]:
    return [problem["reason"] for problem in row["problems"]]


def test_a_row_says_what_the_certificate_is_for_and_which_hosts_serve_it() -> None:
    pair = AUTHORITY.issue("a.com", "b.com")
    row = certificates([site("a", "s"), site("b", "s")], [pair.secret("s")])["default/s"]
    assert (row["ingresses"], row["names"]) == (["default/a", "default/b"], ["a.com", "b.com"])
    assert (row["key"], row["issuer"], row["self_signed"], row["days_left"]) == (
        "EC P-256",
        "test authority",
        False,
        89,
    )
    assert row["certificate_names"] == ["a.com", "b.com"]
    assert int(row["serial"], 16) == pair.serial
    assert row["hosts"] == [{"host": "h1", "address": "192.0.2.1", "alive": True, "current": True}]
    assert row["problems"] == []


@pytest.mark.parametrize(
    ("days", "warn", "expected"),
    [
        (90, 14, []),
        (20, 30, ["CertificateExpiring"]),
        (13, 14, ["CertificateExpiring"]),
        (-2, 0, ["CertificateExpired"]),
    ],
)
def test_days_left_decide(days: int, warn: int, expected: list[str]) -> None:
    pair = AUTHORITY.issue("a.com", days=days)
    assert reasons(certificates([site("a", "s")], [pair.secret("s")], warn_days=warn)["default/s"]) == expected


def test_a_certificate_that_is_not_valid_yet_is_a_problem() -> None:
    row = certificates([site("a", "s")], [AUTHORITY.issue("a.com").secret("s")], later=-86_400.0)["default/s"]
    assert reasons(row) == ["CertificateNotYetValid"]


def test_a_name_that_the_certificate_does_not_cover_is_a_problem() -> None:
    row = certificates([site("a", "s")], [AUTHORITY.issue("b.com").secret("s")])["default/s"]
    assert [p["message"] for p in row["problems"]] == ["the certificate is for b.com, not for a.com"]


def test_a_missing_secret_is_a_problem_with_the_command_that_creates_it() -> None:
    row = certificates([site("a", "s")], [])["default/s"]
    assert reasons(row) == ["CertificatePending"]
    assert row["problems"][0]["remedy"] == "kubectl -n default create secret tls s --cert=FILE --key=FILE"
    assert row["days_left"] is None


def test_an_older_ingress_of_another_namespace_keeps_the_name() -> None:
    old = fake.ingress("a", [("a.com", "Prefix", "/", "web:80")], tls=[("s", [])], created="2025-01-01T00:00:00Z")
    new = fake.ingress("b", [("a.com", "Prefix", "/x", "web:80")], namespace="team", tls=[("t", [])])
    pair = AUTHORITY.issue("a.com")
    found = certificates([old, new], [pair.secret("s"), pair.secret("t", "team")])
    assert reasons(found["default/s"]) == []
    assert [p["message"] for p in found["team/t"]["problems"]] == [
        "a.com gets the certificate of the older ingress default/a"
    ]
    assert found["team/t"]["hosts"] == [], "its key is on no host"


def test_what_openssl_of_a_host_refuses_is_said_with_its_reason_and_host() -> None:
    good, other = AUTHORITY.issue("a.com"), AUTHORITY.issue("a.com")
    mixed = tls.secret("s", good.certificate, other.key)
    said = "the private key does not belong to the certificate; the last good certificate stays in use"
    problems = {"default/a": (ObjectProblem("CertificateInvalid", f"secret default/s: {said}"),)}
    row = certificates([site("a", "s")], [mixed], problems=problems)["default/s"]
    assert reasons(row) == ["CertificateInvalid"]
    assert row["problems"][0]["message"] == f"refused by h1: {said}"
    assert row["days_left"] is None, "what is served is not what the secret has"


def test_a_secret_without_a_certificate_is_a_problem_before_any_host_says_so() -> None:
    row = certificates([site("a", "s")], [tls.secret("s", b"", b"")])["default/s"]
    assert reasons(row) == ["CertificateInvalid"]
    assert "tls.crt has no certificate in PEM" in row["problems"][0]["message"]


def test_a_host_that_has_older_content_is_a_problem() -> None:
    old, new = AUTHORITY.issue("a.com"), AUTHORITY.issue("a.com")
    row = certificates([site("a", "s")], [new.secret("s")], confirmed=[old.secret("s")])["default/s"]
    assert reasons(row) == ["CertificateNotConfirmed"]
    assert row["hosts"][0]["current"] is False


def test_tls_without_a_secret_uses_the_default_certificate() -> None:
    pair = AUTHORITY.issue("a.com")
    assert reasons(certificates([site("a", "")], [], default="")[""]) == ["NoDefaultCertificate"]
    row = certificates([site("a", "")], [pair.secret("d", "certs")], default="certs/d")["certs/d"]
    assert (row["default"], row["problems"], [h["host"] for h in row["hosts"]]) == (True, [], ["h1"])
    (unknown,) = certificates([site("a", "")], [], default=None).values()
    assert (unknown["problems"], unknown["secret"]) == ([], "")
