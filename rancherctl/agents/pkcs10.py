"""Parse a certificate request (PKCS #10, RFC 2986) from its DER, as the signer does. Pure.

No text representation is parsed, because its creator could forge one. Strict: a part that appears twice, is longer
than announced or has an unexpected type is a ValueError, and the request is not approved. The signature is not
checked here: the API server refuses a request whose signature is wrong.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from rancherctl.der import OCTETS, OID, SEQUENCE, SET, Node, exactly, nodes

_PEM = re.compile(
    r"\s*-----BEGIN CERTIFICATE REQUEST-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END CERTIFICATE REQUEST-----\s*"
)
_ATTRIBUTES = 0xA0
_TEXTS = {0x0C: "utf-8", 0x13: "ascii", 0x16: "ascii"}
_DNS, _IP = 0x82, 0x87
_COMMON_NAME, _ORGANIZATION = bytes.fromhex("550403"), bytes.fromhex("55040a")
_EXTENSION_REQUEST, _ALTERNATIVES = bytes.fromhex("2a864886f70d01090e"), bytes.fromhex("551d11")


@dataclass(frozen=True, slots=True)
class RequestContent:
    """What is requested.

    ``other_names``: the alternative names include others than DNS names and addresses, such as URIs. ``other_parts``:
    the subject has other attributes, or two common names.
    """

    common_name: str
    organizations: tuple[str, ...]
    dns: frozenset[str]
    ips: frozenset[str]
    other_names: bool = False
    other_parts: bool = False


def parse(pem: str) -> RequestContent:
    """Parse one PEM block; ValueError says what is wrong."""
    found = _PEM.fullmatch(pem)
    if found is None:
        raise ValueError("not exactly one PEM block with a certificate request")
    (request,) = exactly(nodes(base64.b64decode(found.group(1))), 1, "requests")
    info, *_ = exactly(iter(request.expect(SEQUENCE).all()), 3, "parts of the request")
    parts = info.expect(SEQUENCE).all()
    if len(parts) not in (3, 4):
        raise ValueError(f"{len(parts)} parts of the request's information")
    names = list(_subject(parts[1]))
    common = [text for kind, text in names if kind == _COMMON_NAME]
    dns, ips, other = _alternatives(parts[3]) if len(parts) == 4 else (frozenset[str](), frozenset[str](), False)
    # With two common names, clients use the last one: accept neither.
    return RequestContent(
        common_name=common[0] if len(common) == 1 else "",
        organizations=tuple(text for kind, text in names if kind == _ORGANIZATION),
        dns=dns,
        ips=ips,
        other_names=other,
        other_parts=len(common) > 1 or any(kind not in (_COMMON_NAME, _ORGANIZATION) for kind, _ in names),
    )


def _subject(node: Node) -> Iterator[tuple[bytes, str]]:
    for several in node.expect(SEQUENCE).all():
        for pair in several.expect(SET).all():
            kind, value = exactly(iter(pair.expect(SEQUENCE).all()), 2, "parts of a name")
            if value.tag not in _TEXTS:
                raise ValueError(f"a name of type {value.tag:#x}")
            yield kind.expect(OID).data, value.data.decode(_TEXTS[value.tag])


def _alternatives(attributes: Node) -> tuple[frozenset[str], frozenset[str], bool]:
    names = [name for extensions in _extensions(attributes) for name in extensions]
    if len(names) > 1:
        raise ValueError("two lists of alternative names")
    dns: set[str] = set()
    ips: set[str] = set()
    other = False
    for name in names[0].expect(SEQUENCE).all() if names else ():
        if name.tag == _DNS:
            dns.add(name.data.decode("ascii"))
        elif name.tag == _IP and len(name.data) in (4, 16):
            ips.add(str(ip_address(name.data)))
        else:
            other = True
    return frozenset(dns), frozenset(ips), other


def _extensions(attributes: Node) -> Iterator[list[Node]]:
    """The alternative names in each list of requested extensions."""
    for attribute in attributes.expect(_ATTRIBUTES).all():
        kind, values = exactly(iter(attribute.expect(SEQUENCE).all()), 2, "parts of an attribute")
        if kind.expect(OID).data != _EXTENSION_REQUEST:
            continue
        for extensions in values.expect(SET).all():
            found = []
            for extension in extensions.expect(SEQUENCE).all():
                parts = extension.expect(SEQUENCE).all()
                if parts and parts[0].expect(OID).data == _ALTERNATIVES:
                    (name,) = exactly(nodes(parts[-1].expect(OCTETS).data), 1, "lists of alternative names")
                    found.append(name)
            yield found
