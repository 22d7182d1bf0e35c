"""Zone files as text, for new and restored zones and for the sealed copies that the agent keeps. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from rancherctl.dns import names
from rancherctl.dns.model import TTL, Marker, RecordSet

_SEAL = "; sha256 "


def file_name(zone: str) -> str:
    """The file name of a zone inside the data folder."""
    return f"{zone.removesuffix('.')}.zone"


def render(zone: str, domain: str, record_sets: Iterable[RecordSet], serial: int, marker: Marker) -> str:
    """Render a whole zone; negative answers have the TTL of the records."""
    server, mailbox = f"ns.dns.{domain}.", f"hostmaster.{domain}."
    head = [
        f"{zone} {TTL} IN SOA {server} {mailbox} {serial} 7200 1800 86400 {TTL}",
        f"{zone} {TTL} IN NS {server}",
        f"{names.marker_name(zone)} 0 IN TXT {marker.text()}",
    ]
    body = [line for one in record_sets for line in one.lines()]
    return "\n".join([*head, *body, ""])


def marker_of(text: str, zone: str) -> Marker | None:
    """Read the marker from a text of ``render``."""
    start = f"{names.marker_name(zone)} 0 IN TXT "
    head = text.split("\n", 3)[:3]
    return next((Marker.of(line.removeprefix(start)) for line in head if line.startswith(start)), None)


def seal(text: str) -> str:
    """Append the text's hash as its last line."""
    return f"{text}{_SEAL}{hashlib.sha256(text.encode()).hexdigest()}\n"


def unseal(text: str) -> str | None:
    """The text without its hash; None if it was cut or changed."""
    body, found, digest = text.rpartition(_SEAL)
    if not found or hashlib.sha256(body.encode()).hexdigest() != digest.strip():
        return None
    return body
