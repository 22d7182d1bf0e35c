"""Certificate authorities and signing, in memory: no file or host is accessed."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

from rancherctl.environments.pki.leaves import Leaf
from rancherctl.errors import RancherctlError
from rancherctl.hosts.command import Secret

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

AUTHORITY_DAYS = 3650
LEAF_DAYS = 365
BACKDATED = timedelta(minutes=10)
"""Certificates are valid from a little before now, because hosts' clocks differ; preflight limits by how much."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its key as PEM text."""

    crt: str
    key: Secret


def new_authority(name: str, environment: str, now: datetime) -> KeyPair:
    """A self-signed authority named ``ENVIRONMENT NAME`` that signs leaves only (path length 0)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    attributes = ((NameOID.ORGANIZATION_NAME, "rancherctl"), (NameOID.COMMON_NAME, f"{environment} {name}"[:64]))
    subject = x509.Name([x509.NameAttribute(kind, text) for kind, text in attributes])
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    crt = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    return KeyPair(crt, _key_pem(key))


def new_service_account_keys() -> KeyPair:
    """The key pair that signs ServiceAccount tokens; ``crt`` is the public key."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
    return KeyPair(public, _key_pem(key))


def new_encryption_config() -> Secret:
    """An EncryptionConfiguration: Secrets are encrypted with secretbox; unencrypted ones stay readable."""
    import json

    key = base64.b64encode(secrets.token_bytes(32)).decode()
    body = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [
            {
                "resources": ["secrets"],
                "providers": [{"secretbox": {"keys": [{"name": "key1", "secret": key}]}}, {"identity": {}}],
            }
        ],
    }
    return Secret(json.dumps(body, indent=1) + "\n")


def sign(
    leaf: Leaf, request: str, authority: KeyPair, now: datetime, *, valid: timedelta = timedelta(days=LEAF_DAYS)
) -> str:
    """The certificate for a host's request: the public key comes from the request, everything else from ``leaf``."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        csr = x509.load_pem_x509_csr(request.encode())
        valid_signature, public_key = csr.is_signature_valid, csr.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise RancherctlError(
            f"the request for certificate {leaf.name!r} is invalid", why=str(error), hint="check openssl on the host"
        ) from error
    if not valid_signature:
        raise RancherctlError(
            f"the request for certificate {leaf.name!r} is not signed by its own key", hint="run the same command again"
        )
    issuer = x509.load_pem_x509_certificate(authority.crt.encode())
    builder = (
        _leaf_builder(leaf, issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(min(now + valid, issuer.not_valid_after_utc))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )
    return _sign(builder, authority).public_bytes(serialization.Encoding.PEM).decode()


def issue(leaf: Leaf, authority: KeyPair, now: datetime, *, valid: timedelta) -> KeyPair:
    """A leaf with a new key, for use by this process only: the operator's short-lived credential of a run."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return KeyPair(
        sign(leaf, request.public_bytes(serialization.Encoding.PEM).decode(), authority, now, valid=valid),
        _key_pem(key),
    )


def _leaf_builder(leaf: Leaf, issuer: x509.Certificate) -> x509.CertificateBuilder:
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, leaf.organization)] if leaf.organization else []
    subject.append(x509.NameAttribute(NameOID.COMMON_NAME, leaf.common_name))
    uses = ([ExtendedKeyUsageOID.SERVER_AUTH] if leaf.server else []) + (
        [ExtendedKeyUsageOID.CLIENT_AUTH] if leaf.client else []
    )
    usage = x509.KeyUsage(True, False, True, False, False, False, False, False, False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(subject))
        .issuer_name(issuer.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .add_extension(_issuer_key(issuer), critical=False)
    )
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in leaf.names]
    alternatives += [x509.IPAddress(ip_address(address)) for address in leaf.addresses]
    return builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False) if alternatives else builder


def _issuer_key(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    from cryptography import x509

    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _sign(builder: x509.CertificateBuilder, authority: KeyPair) -> x509.Certificate:
    from cryptography.hazmat.primitives import hashes, serialization

    key: CertificateIssuerPrivateKeyTypes = serialization.load_pem_private_key(authority.key.encode(), None)  # type: ignore[assignment]
    return builder.sign(key, hashes.SHA256())


def _key_pem(key: CertificateIssuerPrivateKeyTypes) -> Secret:
    from cryptography.hazmat.primitives import serialization

    raw = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Secret(raw.decode())
