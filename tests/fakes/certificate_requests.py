"""Certificate requests as clients could send them, made without openssl."""

from __future__ import annotations

import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AttributeOID, NameOID

from rancherctl.agents import csr, pkcs10

KEY = ec.generate_private_key(ec.SECP256R1())
API_NAMES = (x509.DNSName("kubernetes.default.svc"), x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
_PARTS = {"O": NameOID.ORGANIZATION_NAME, "CN": NameOID.COMMON_NAME}

FROM_GO = """\
-----BEGIN CERTIFICATE REQUEST-----
MIIBIzCBygIBADAwMRUwEwYDVQQKEwxzeXN0ZW06bm9kZXMxFzAVBgNVBAMTDnN5
c3RlbTpub2RlOmgxMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEypH2GVw04LCD
OcYw31w47mqGsZFjhP2lA/AR7+nfs6ylv1sEE/Nh1Ri18TgznTlfmvgNjceQA3XZ
uFJmICV1BKA4MDYGCSqGSIb3DQEJDjEpMCcwJQYDVR0RBB4wHIICaDGHBApNAAuH
EP0AAAAAAAAAAAAAAAAAABEwCgYIKoZIzj0EAwIDSAAwRQIgTkWsLvEpfHFuAR/O
xsxeGf0r+PYhrf8nAYoBSia70d8CIQD/MznHg1DcH8ZzvDvs83aKS7Wg5br/lGER
YSNvUapbIA==
-----END CERTIFICATE REQUEST-----
"""
"""The request of a kubelet, made by Go's crypto/x509."""


def request_pem(
    names: list[x509.GeneralName],
    *,
    password: bytes = b"",
    subject: tuple[str, ...] = ("system:node:h1",),
    group: str = csr.NODE_GROUP,
) -> str:
    """A request with any names, common names (``subject``) and challenge password."""
    parts = [("O", group), *(("CN", name) for name in subject)]
    return _pem(parts, names, password)


def content(subject: str, names: str = "") -> pkcs10.RequestContent:
    """What the parser reads from a request for ``/O=…/CN=…`` and ``DNS:…,IP:…,URI:…``."""
    kinds = {
        "DNS": x509.DNSName,
        "IP": lambda text: x509.IPAddress(ipaddress.ip_address(text)),
        "URI": x509.UniformResourceIdentifier,
    }
    parts = [part.partition("=")[::2] for part in subject.strip("/").split("/")]
    alternatives = [kinds[kind](text) for kind, _, text in (n.partition(":") for n in names.split(",") if n)]
    return pkcs10.parse(_pem(parts, alternatives))


def _pem(parts: list[tuple[str, str]], names: list[x509.GeneralName], password: bytes = b"") -> str:
    attributes = [x509.NameAttribute(_PARTS[kind], text) for kind, text in parts]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(attributes))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if password:
        builder = builder.add_attribute(AttributeOID.CHALLENGE_PASSWORD, password)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
