"""Certificate and key of a secret as one normalised text."""

from __future__ import annotations

import re

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from rancherctl.ingress.role.openssl import authority_refusal, refusal
from rancherctl.ingress.translate import certificate, pem
from tests.fakes import tls

AUTHORITY = tls.Authority()
GOOD = AUTHORITY.issue("a.example", "*.b.example", chain=1)
OTHER = AUTHORITY.issue("a.example")


@pytest.mark.parametrize(
    "odd",
    [
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.replace(b"\n", b"\n\n"),
        lambda data: b"text before\n" + data + b"and after\n",
        lambda data: data.rstrip(),
        lambda data: b"\n".join(line + b"  " for line in data.splitlines()),
    ],
    ids=["crlf", "blank-lines", "text", "no-final-newline", "trailing-spaces"],
)
def test_equal_content_gives_equal_text(odd: object) -> None:
    assert callable(odd)
    pair = pem.key_pair(odd(GOOD.certificate), odd(GOOD.key))
    assert pair == pem.key_pair(GOOD.certificate, GOOD.key)
    assert "\n\n" not in pair.text
    assert pem.read(pair.text) == pair
    assert refusal(pair) == ""


def test_a_pair_never_prints_its_key() -> None:
    assert "PRIVATE" not in repr(pem.key_pair(GOOD.certificate, GOOD.key))


@pytest.mark.parametrize(
    ("crt", "key", "reason"),
    [
        (b"", GOOD.key, "tls.crt has no certificate in PEM"),
        (b"\x00\x01\xff", GOOD.key, "tls.crt has no certificate in PEM"),
        (GOOD.certificate, b"", "tls.key has no private key in PEM"),
        (GOOD.certificate, GOOD.certificate, "tls.key has no private key in PEM"),
        (GOOD.certificate, GOOD.key + OTHER.key, "tls.key has 2 private keys in PEM"),
        (GOOD.certificate[:200], GOOD.key, "tls.crt has no certificate in PEM"),
        (
            b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----",
            GOOD.key,
            "tls.crt has a block CERTIFICATE that",
        ),
        (GOOD.certificate * 40, GOOD.key, "at most 30000 are supported"),
    ],
)
def test_what_is_missing_or_malformed_is_said(crt: bytes, key: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        pem.key_pair(crt, key)


@pytest.mark.parametrize("form", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL])
def test_an_encrypted_key_is_refused(form: serialization.PrivateFormat) -> None:
    key = rsa.generate_private_key(65537, 2048)
    text = key.private_bytes(serialization.Encoding.PEM, form, serialization.BestAvailableEncryption(b"secret"))
    with pytest.raises(ValueError, match=r"the private key in tls\.key is encrypted"):
        pem.key_pair(GOOD.certificate, text)


def test_openssl_refuses_a_key_of_another_certificate_and_weak_ones() -> None:
    assert "does not belong to the certificate" in refusal(pem.key_pair(GOOD.certificate, OTHER.key))
    weak = AUTHORITY.issue("a.example", key=rsa.generate_private_key(65537, 1024))
    assert refusal(pem.key_pair(weak.certificate, weak.key)) == "the key of the certificate is too small"
    half = GOOD.certificate.splitlines()
    broken = b"\n".join([half[0], *half[3:]])
    assert "OpenSSL refuses it" in refusal(pem.key_pair(broken, GOOD.key))


def test_facts_are_those_of_the_leaf() -> None:
    expected = x509.load_pem_x509_certificate(GOOD.certificate)
    found = certificate.facts(pem.key_pair(GOOD.certificate, GOOD.key).leaf)
    assert found.names == ("a.example", "*.b.example")
    assert found.not_after == int(expected.not_valid_after_utc.timestamp())
    assert (found.key_kind, int(found.serial, 16)) == ("EC", GOOD.serial)
    assert [found.covers(n) for n in ("a.example", "x.b.example", "*.b.example", "b.example", "y.x.b.example")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    rsa_pair = AUTHORITY.issue("a.example", key=rsa.generate_private_key(65537, 2048))
    assert certificate.facts(pem.key_pair(rsa_pair.certificate, rsa_pair.key).leaf).key_kind == "RSA"


@pytest.mark.parametrize("der", [b"", b"\x30\x00", b"\x30\x80", b"junk", GOOD.certificate])
def test_anything_else_has_no_facts(der: bytes) -> None:
    with pytest.raises(ValueError):
        certificate.facts(der)


@pytest.mark.parametrize(
    "odd",
    [
        AUTHORITY.certificate.replace(b"\n", b"\r\n\n"),
        b"comment; show info\n" + AUTHORITY.certificate + b"\n<<\n",
        AUTHORITY.certificate + GOOD.key,
        AUTHORITY.certificate * 3,
    ],
    ids=["crlf-blank-lines", "text", "private-key", "three-times"],
)
def test_authorities_are_normalised_and_nothing_else_of_the_file_is_kept(odd: bytes) -> None:
    text = pem.authorities(odd, "ca.crt")
    assert text == AUTHORITY.certificate.decode()
    assert authority_refusal(text) == ""


@pytest.mark.parametrize(
    "odd",
    [b"", b"\xff\0", GOOD.key, b"-----BEGIN CERTIFICATE-----\n;show\n-----END CERTIFICATE-----", b"-----BEGIN"],
    ids=["empty", "binary", "key", "not-base64", "half"],
)
def test_a_file_without_authorities_is_refused(odd: bytes) -> None:
    with pytest.raises(ValueError, match=r"^ca\.crt has "):
        pem.authorities(odd, "ca.crt")


def test_openssl_judges_authorities_that_are_only_base64() -> None:
    text = pem.authorities(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "ca.crt")
    assert authority_refusal(text).startswith("OpenSSL refuses it (")
