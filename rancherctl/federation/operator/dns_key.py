"""The key for dynamic updates of the public zone: read from a file, kept as a Secret of the federation."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Final

from rancherctl.contract import FEDERATION_CONTROLLER
from rancherctl.errors import InvalidInputError
from rancherctl.kube.client import Json
from rancherctl.names import is_dns_name
from rancherctl.secret import Secret

DNS_SECRET: Final = "dns-provider"  # noqa: S105 - the name of an object
ALGORITHMS: Final = ("hmac-sha256", "hmac-sha384", "hmac-sha512")
_KEY = re.compile(
    r'key\s+"?(?P<name>[\w.-]+)"?\s*\{\s*'
    r'(?:algorithm\s+"?(?P<first>[\w.-]+)"?\s*;\s*)?secret\s+"?(?P<secret>[A-Za-z0-9+/=]+)"?\s*;\s*'
    r'(?:algorithm\s+"?(?P<second>[\w.-]+)"?\s*;\s*)?\}\s*;?'
)
_COMMENT = re.compile(r"/\*.*?\*/|(?://|#)[^\n]*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class DnsKey:
    """A TSIG key. ``secret`` is in base64."""

    name: str
    algorithm: str
    secret: Secret = field(repr=False)


def parse(text: str, source: str) -> DnsKey:
    """The key in a file as ``tsig-keygen`` prints it; InvalidInputError names ``source`` and what is wrong."""
    found = _KEY.fullmatch(_COMMENT.sub("", text).strip())
    hint = "tsig-keygen NAME prints such a file"
    if found is None:
        form = 'key "NAME" { algorithm hmac-sha256; secret "BASE64"; };'
        raise InvalidInputError(f"{source} is not a TSIG key", (f"expected: {form}",), hint=hint)
    algorithm = (found["first"] or found["second"] or "").lower().rstrip(".")
    problems = []
    if algorithm not in ALGORITHMS:
        known = ", ".join(ALGORITHMS)
        problems.append(f"algorithm {algorithm or '(none)'} is not supported; use one of {known}")
    if not is_dns_name(found["name"].lower().rstrip(".")):
        problems.append(f"{found['name']!r} is not a name for a key")
    try:
        base64.b64decode(found["secret"], validate=True)
    except (binascii.Error, ValueError):
        problems.append("the secret is not base64")
    if problems:
        raise InvalidInputError(f"{source} is not a usable TSIG key", tuple(problems), hint=hint)
    return DnsKey(found["name"].rstrip("."), algorithm, Secret(found["secret"]))


def secret_object(key: DnsKey) -> Json:
    """The Secret that ``rancherctl-federation`` reads."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": DNS_SECRET, "namespace": FEDERATION_CONTROLLER},
        "type": "Opaque",
        "stringData": {"name": key.name, "algorithm": key.algorithm, "secret": str(key.secret)},
    }
