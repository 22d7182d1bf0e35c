"""What a certificate says about itself: names, dates, kind of key. Pure.

Read from its DER (RFC 5280). Whether OpenSSL accepts it is for the host to decide.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from rancherctl.der import GENERAL_TIME, OCTETS, OID, SEQUENCE, UTC_TIME, Node, exactly, nodes

_VERSION, _EXTENSIONS, _DNS = 0xA0, 0xA3, 0x82
_ALTERNATIVES: Final = bytes.fromhex("551d11")
_TIME: Final = re.compile(rb"(\d{2}|\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z")
_KEYS: Final = {bytes.fromhex("2a864886f70d010101"): "RSA", bytes.fromhex("2a8648ce3d0201"): "EC"}


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """DNS ``names`` in lower case, the end of its validity in seconds since 1970, and the kind of its key.

    ``serial`` is in hexadecimal digits.
    """

    names: tuple[str, ...]
    not_after: int
    key_kind: str
    serial: str = ""

    def covers(self, name: str) -> bool:
        """Whether it is valid for a host name, or for all names of ``*.parent``."""
        return name in self.names or (not name.startswith("*.") and f"*.{name.partition('.')[2]}" in self.names)


@dataclass(frozen=True, slots=True)
class Signed:
    """The parts of what its issuer has signed."""

    serial: Node
    issuer: Node
    validity: Node
    subject: Node
    key: Node
    extensions: Node | None

    @property
    def dates(self) -> tuple[int, int]:
        """Begin and end of its validity in seconds since 1970. Raises ValueError."""
        begin, end = exactly(iter(self.validity.expect(SEQUENCE).all()), 2, "dates")
        return _seconds(begin), _seconds(end)


def signed_parts(der: bytes) -> Signed:
    """Take one certificate apart. Raises ValueError for anything else."""
    (certificate,) = exactly(nodes(der), 1, "certificates")
    parts = certificate.expect(SEQUENCE).all()
    if not parts:
        raise ValueError("an empty certificate")
    info = parts[0].expect(SEQUENCE).all()
    if info and info[0].tag == _VERSION:
        info = info[1:]
    if len(info) < 6:
        raise ValueError("a certificate without all parts")
    extensions = next((part for part in info[6:] if part.tag == _EXTENSIONS), None)
    return Signed(info[0], info[2], info[3], info[4], info[5], extensions)


def facts(der: bytes) -> CertificateFacts:
    """Read one certificate. Raises ValueError for anything else."""
    parts = signed_parts(der)
    algorithm = parts.key.expect(SEQUENCE).first().expect(SEQUENCE).first().expect(OID).data
    return CertificateFacts(
        names=tuple(dict.fromkeys(_names(parts.extensions))) if parts.extensions else (),
        not_after=parts.dates[1],
        key_kind=_KEYS.get(algorithm, "other"),
        serial=parts.serial.data.hex(),
    )


def _seconds(node: Node) -> int:
    found = _TIME.fullmatch(node.expect(UTC_TIME, GENERAL_TIME).data)
    if not found or (len(found[1]) == 2) != (node.tag == UTC_TIME):
        raise ValueError("a date that cannot be read")
    year, month, day, hour, minute, second = map(int, found.groups())
    if node.tag == UTC_TIME:  # RFC 5280: 50 to 99 are years of the last century
        year += 1900 if year >= 50 else 2000
    return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())


def _names(extensions: Node) -> Collection[str]:
    (listed,) = exactly(nodes(extensions.data), 1, "lists of extensions")
    for extension in listed.expect(SEQUENCE).all():
        parts = extension.expect(SEQUENCE).all()
        if parts and parts[0].expect(OID).data == _ALTERNATIVES:
            (names,) = exactly(nodes(parts[-1].expect(OCTETS).data), 1, "lists of names")
            every = names.expect(SEQUENCE).all()
            return [name.data.decode("ascii", "replace").lower() for name in every if name.tag == _DNS]
    return ()
