"""What an operator wants to know about a certificate: issuer, kind and size of its key, dates, fingerprint. Pure."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from rancherctl.der import OID, SEQUENCE, SET, Node, exactly, nodes
from rancherctl.ingress.translate.certificate import CertificateFacts, facts, signed_parts

DAY: Final = 86_400
_BITS, _INTEGER = 0x03, 0x02
_COMMON_NAME, _ORGANIZATION = bytes.fromhex("550403"), bytes.fromhex("55040a")
_TEXTS: Final = {0x0C: "utf-8", 0x13: "ascii", 0x14: "latin-1", 0x16: "ascii", 0x1C: "utf-32-be", 0x1E: "utf-16-be"}
"""Types of strings in names, and their encodings."""
_CURVES: Final = {
    bytes.fromhex("2a8648ce3d030107"): "P-256",
    bytes.fromhex("2b81040022"): "P-384",
    bytes.fromhex("2b81040023"): "P-521",
    bytes.fromhex("2b8104000a"): "secp256k1",
}
_OTHER_KEYS: Final = {
    bytes.fromhex("2b6570"): "Ed25519",
    bytes.fromhex("2b6571"): "Ed448",
    bytes.fromhex("2a8648ce380401"): "DSA",
    bytes.fromhex("2a864886f70d01010a"): "RSA-PSS",
}


@dataclass(frozen=True, slots=True)
class CertificateDetails:
    """``facts``, and more: ``key`` such as RSA 2048 or EC P-256, the ``issuer``'s name, dates in seconds since 1970.

    ``serial`` has hexadecimal digits as openssl prints them, ``fingerprint`` is the SHA-256 of the DER.
    """

    facts: CertificateFacts
    subject: str
    issuer: str
    self_signed: bool
    key: str
    not_before: int
    serial: str
    fingerprint: str

    def days_left(self, now: float) -> int:
        """Whole days until it expires; negative if it has expired."""
        return int((self.facts.not_after - now) // DAY)


def details(der: bytes) -> CertificateDetails:
    """Read one certificate. Raises ValueError for anything else."""
    parts, known = signed_parts(der), facts(der)
    return CertificateDetails(
        facts=known,
        subject=_name(parts.subject),
        issuer=_name(parts.issuer),
        self_signed=parts.issuer.data == parts.subject.data,
        key=_key(parts.key, known.key_kind),
        not_before=parts.dates[0],
        serial=known.serial.removeprefix("00") or "00",
        fingerprint=hashlib.sha256(der).hexdigest(),
    )


def _name(node: Node) -> str:
    """The common name and organisation of a distinguished name, as far as it has them; the first of each."""
    found: dict[bytes, str] = {}
    for part in node.expect(SEQUENCE).all():
        for pair in part.expect(SET).all():
            kind, value = exactly(iter(pair.expect(SEQUENCE).all()), 2, "parts of a name")
            found.setdefault(kind.expect(OID).data, value.data.decode(_TEXTS.get(value.tag, "latin-1"), "replace"))
    common, organization = found.get(_COMMON_NAME, ""), found.get(_ORGANIZATION, "")
    if common and organization and organization not in common:
        return f"{common} ({organization})"
    return common or organization or next(iter(found.values()), "")


def _key(node: Node, kind: str) -> str:
    algorithm, bits = exactly(iter(node.expect(SEQUENCE).all()), 2, "parts of a key")
    oid, *parameters = algorithm.expect(SEQUENCE).all()
    if kind == "EC":
        curve = parameters[0].data if parameters and parameters[0].tag == OID else b""
        return f"EC {_CURVES.get(curve, '')}".strip()
    if kind == "RSA":
        with suppress(ValueError):  # an odd key has a kind, too
            (sequence,) = exactly(nodes(bits.expect(_BITS).data[1:]), 1, "keys")
            return f"RSA {int.from_bytes(sequence.first().expect(_INTEGER).data, 'big').bit_length()}"
        return "RSA"
    return _OTHER_KEYS.get(oid.data, "other")


def item(found: CertificateDetails, now: float) -> dict[str, Any]:
    """Plain values."""
    return {
        "certificate_names": list(found.facts.names),
        "subject": found.subject,
        "issuer": found.issuer,
        "self_signed": found.self_signed,
        "key": found.key,
        "not_before": timestamp(found.not_before),
        "not_after": timestamp(found.facts.not_after),
        "days_left": found.days_left(now),
        "serial": found.serial,
        "fingerprint": found.fingerprint,
    }


def timestamp(seconds: float) -> str:
    """As Kubernetes writes times: ``2027-01-31T12:00:00Z``."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
