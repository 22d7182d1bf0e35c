"""What an operator is shown of a certificate."""

from __future__ import annotations

import contextlib
import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from rancherctl.ingress.operator.certificate_details import details, item

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
EC = ec.generate_private_key(ec.SECP256R1())
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def made(subject: dict[x509.ObjectIdentifier, str], issuer: dict[x509.ObjectIdentifier, str], key: Key = EC) -> bytes:
    """A certificate for 30 days, serial number 0xc0ffee."""
    names = [x509.Name([x509.NameAttribute(k, v) for k, v in parts.items()]) for parts in (subject, issuer)]
    builder = x509.CertificateBuilder().subject_name(names[0]).issuer_name(names[1]).public_key(key.public_key())
    builder = builder.serial_number(0xC0FFEE).not_valid_before(START).not_valid_after(START + datetime.timedelta(30))
    return builder.sign(EC, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


A = {NameOID.COMMON_NAME: "a.com"}
DER = made(A, {NameOID.ORGANIZATION_NAME: "Trust"})


@pytest.mark.parametrize(
    ("issuer", "shown", "self_signed"),
    [
        (A, "a.com", True),
        ({NameOID.COMMON_NAME: "R11", NameOID.ORGANIZATION_NAME: "Let's Encrypt"}, "R11 (Let's Encrypt)", False),
        ({NameOID.COMMON_NAME: "Trust CA 1", NameOID.ORGANIZATION_NAME: "Trust"}, "Trust CA 1", False),
        ({NameOID.ORGANIZATION_NAME: "Prüfstelle"}, "Prüfstelle", False),
        ({NameOID.LOCALITY_NAME: "Bonn"}, "Bonn", False),
        ({}, "", False),
    ],
)
def test_an_issuer_has_its_common_name_and_organisation(
    issuer: dict[x509.ObjectIdentifier, str], shown: str, self_signed: bool
) -> None:
    found = details(made(A, issuer))
    assert (found.issuer, found.self_signed, found.subject) == (shown, self_signed, "a.com")


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        (EC, "EC P-256"),
        (ec.generate_private_key(ec.SECP384R1()), "EC P-384"),
        (ec.generate_private_key(ec.BrainpoolP256R1()), "EC"),
        (rsa.generate_private_key(65537, 2048), "RSA 2048"),
        (ed25519.Ed25519PrivateKey.generate(), "Ed25519"),
    ],
)
def test_a_key_has_its_kind_and_size(key: Key, shown: str) -> None:
    assert details(made(A, A, key)).key == shown


def test_dates_and_numbers_are_as_openssl_prints_them() -> None:
    shown = item(details(DER), START.timestamp() + 86_400 * 10)
    assert (shown["not_before"], shown["not_after"], shown["days_left"]) == (
        "2026-01-01T00:00:00Z",
        "2026-01-31T00:00:00Z",
        20,
    )
    assert shown["serial"] == "c0ffee"
    assert shown["fingerprint"] == x509.load_der_x509_certificate(DER).fingerprint(hashes.SHA256()).hex()
    assert details(DER).days_left(START.timestamp() + 86_400 * 30.5) == -1


@pytest.mark.parametrize("byte", [0, 1, 0x30, 0xFF])
def test_a_damaged_certificate_is_a_value_error_or_readable(byte: int) -> None:
    for at in range(len(DER)):
        with contextlib.suppress(ValueError):
            item(details(DER[:at] + bytes([byte]) + DER[at + 1 :]), 0.0)
        with contextlib.suppress(ValueError):
            item(details(DER[:at]), 0.0)
