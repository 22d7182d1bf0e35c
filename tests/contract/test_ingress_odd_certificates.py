"""Secrets with odd certificates: the verdict is HAProxy's own, each is reported, and everything else goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from rancherctl.ingress.role.openssl import refusal
from rancherctl.ingress.translate import pem
from tests.fakes import tls
from tests.fakes.tls_host import REFUSED, TlsHost, reasons, site

KINDS = (
    *("rsa-1024", "secp224r1", "secp256k1", "ed25519", "sha-1", "mismatch", "no-key", "key-as-certificate", "half"),
    *("junk-around", "crlf", "blank-lines", "no-final-newline", "binary", "encrypted", "weak-authority", "expired"),
    *("17 KB", "30 KB"),
)
TOO_LARGE = "30 KB"
"""HAProxy reads it from a file, but its socket does not take it: no size above the limit is accepted."""
UNSEEN = {"secp224r1", "secp256k1", "ed25519"}
"""HAProxy may load these, and this client offers no cipher for some of them."""


def encrypted(key: ec.EllipticCurvePrivateKey) -> bytes:
    secret = serialization.BestAvailableEncryption(b"secret")
    return key.private_bytes(tls.PEM, serialization.PrivateFormat.PKCS8, secret)


def sha_1(key: ec.EllipticCurvePrivateKey, name: str) -> tuple[bytes, bytes]:
    """A certificate with a SHA-1 signature, which is its own issuer."""
    text = key.private_bytes(tls.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    words = ["openssl", "req", "-x509", "-sha1", "-key", "/dev/stdin", "-subj", f"/CN={name}", "-days", "90"]
    words += ["-addext", f"subjectAltName=DNS:{name}"]
    done = subprocess.run(words, input=text, capture_output=True, timeout=60, check=True)
    return done.stdout, text


@cache
def pairs() -> Mapping[str, tuple[bytes, bytes]]:
    """``tls.crt`` and ``tls.key`` by kind, for kind.example."""
    authority = TlsHost.authority
    key = ec.generate_private_key(ec.SECP256R1())

    def made(kind: str, **more: object) -> tuple[bytes, bytes]:
        pair = authority.issue(name_of(kind), **more)  # type: ignore[arg-type]
        return pair.certificate, pair.key

    def spoilt(kind: str, certificate: object = None, private: object = None) -> tuple[bytes, bytes]:
        crt, own = made(kind, key=key)
        return certificate(crt) if callable(certificate) else crt, private(own) if callable(private) else own

    weak = authority.issue("weak", key=rsa.generate_private_key(65537, 1024)).certificate
    found = {
        "rsa-1024": made("rsa-1024", key=rsa.generate_private_key(65537, 1024)),
        "secp224r1": made("secp224r1", key=ec.generate_private_key(ec.SECP224R1())),
        "secp256k1": made("secp256k1", key=ec.generate_private_key(ec.SECP256K1())),
        "ed25519": made("ed25519", key=ed25519.Ed25519PrivateKey.generate()),
        "sha-1": sha_1(key, name_of("sha-1")),
        "mismatch": (made("mismatch")[0], made("mismatch")[1]),
        "no-key": spoilt("no-key", None, lambda _: b""),
        "key-as-certificate": spoilt("key-as-certificate", lambda _: made("x", key=key)[1]),
        "half": spoilt("half", lambda crt: crt[: len(crt) // 2]),
        "junk-around": spoilt("junk-around", lambda crt: b"junk\n" + crt + b"junk\n"),
        "crlf": spoilt("crlf", lambda crt: crt.replace(b"\n", b"\r\n"), lambda own: own.replace(b"\n", b"\r\n")),
        "blank-lines": spoilt("blank-lines", lambda crt: crt + b"\n\n", lambda own: b"\n" + own + b"\n\n"),
        "no-final-newline": spoilt("no-final-newline", bytes.rstrip, bytes.rstrip),
        "binary": spoilt("binary", lambda _: b"\x00\x01\x02\xff" * 50),
        "encrypted": spoilt("encrypted", None, lambda _: encrypted(key)),
        "weak-authority": spoilt("weak-authority", lambda crt: crt + weak),
        "expired": made("expired", days=-2),
        "17 KB": made("17-kb", chain=32),
        TOO_LARGE: made("30-kb", chain=70),
    }
    assert tuple(found) == KINDS
    return found


def name_of(kind: str) -> str:
    return f"{kind.lower().replace(' ', '-')}.example"


def accepted(kind: str) -> bool:
    """Whether the controller copies the pair and OpenSSL on the host accepts it."""
    try:
        return not refusal(pem.key_pair(*pairs()[kind]))
    except ValueError:
        return False


@pytest.mark.parametrize("kind", KINDS)
def test_the_verdict_is_that_of_haproxy(tmp_path: Path, kind: str) -> None:
    certificate, key = pairs()[kind]
    (tmp_path / "pair.pem").write_bytes(certificate + (b"" if certificate.endswith(b"\n") else b"\n") + key)
    config = tmp_path / "haproxy.cfg"
    config.write_text(
        f"defaults\n timeout client 1s\n timeout server 1s\n timeout connect 1s\n mode http\n"
        f"frontend f\n bind 127.0.0.1:1 ssl crt {tmp_path}/pair.pem\n"
    )
    # in a session without a terminal, HAProxy cannot ask for the password of a key
    done = subprocess.run(
        ["setsid", "haproxy", "-c", "-f", str(config)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    loads = done.returncode == 0
    assert accepted(kind) is (loads and kind != TOO_LARGE), done.stderr


def test_each_is_reported_on_its_ingress_and_everything_else_goes_on(tls_host: TlsHost) -> None:
    good, newer, later = (tls_host.authority.issue("good.example") for _ in range(3))
    odd = {kind: tls.copy_of(tls.secret(f"s{i}", *pair)) for i, (kind, pair) in enumerate(pairs().items())}
    hostile = [site(name_of(kind), f"s{i}") for i, kind in enumerate(odd)]
    tls_host.follow([site("good.example", "good")], [good.copy("good")])
    before = tls_host.reloads
    ingresses = [site("good.example", "good"), *hostile]
    section = tls_host.follow(ingresses, [good.copy("good"), *odd.values()])
    told = {kind: reasons(section, f"default/i-{name_of(kind)}") for kind in odd}
    assert told == {
        kind: ["CertificateExpired"] if kind == "expired" else [] if accepted(kind) else ["CertificateInvalid"]
        for kind in odd
    }
    shown = {kind: tls_host.serial(name_of(kind)) for kind in odd.keys() - UNSEEN}
    assert {kind for kind, serial in shown.items() if serial != REFUSED} == {k for k in shown if accepted(k)}
    assert (tls_host.serial("good.example"), tls_host.answer("good.example")) == (good.serial, "w1")
    ingresses.append(site("later.example", "later", service="other"))
    copies = [newer.copy("good", version="2"), *odd.values(), later.copy("later")]
    section = tls_host.follow(ingresses, copies)
    assert section["alarm"] == ""
    assert "default/i-later.example" in section["served"]
    assert (tls_host.serial("good.example"), tls_host.serial("later.example")) == (newer.serial, later.serial)
    assert tls_host.answer("later.example") == "o1"
    assert tls_host.haproxy.answer(name_of("mismatch")) == "w1", "without a usable certificate it is served over HTTP"
    assert tls_host.reloads == before
