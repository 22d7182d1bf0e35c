"""TSIG keys: read from the text of a BIND key file, as ``tsig-keygen`` writes it. Pure; the secret is never shown."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Final

from rancherctl.errors import UsageError
from rancherctl.text import quoted

ALGORITHMS: Final = ("hmac-sha256", "hmac-sha384", "hmac-sha512")
_KEY: Final = re.compile(r'key\s+"?([A-Za-z0-9._-]{1,253})"?\s*\{([^{}]*)\}\s*;')
_ALGORITHM: Final = re.compile(r'\balgorithm\s+"?([A-Za-z0-9-]+)\.?"?\s*;')
_SECRET: Final = re.compile(r'\bsecret\s+"?([A-Za-z0-9+/=]+)"?\s*;')
_COMMENT: Final = re.compile(r"/\*.*?\*/|(?://|#)[^\n]*", re.DOTALL)
_HINT: Final = "create one with: tsig-keygen -a hmac-sha256 NAME"


@dataclass(frozen=True, slots=True)
class TsigKey:
    """Name, algorithm (one of ALGORITHMS), and the secret, which repr does not show."""

    name: str
    algorithm: str
    secret: bytes = field(repr=False)


def parse_key(text: str) -> TsigKey:
    """The only key of a BIND key file. Raises UsageError, without the secret in its text."""
    found = _KEY.findall(_COMMENT.sub(" ", text))
    if len(found) != 1:
        why = "it has no key statement" if not found else f"it has {len(found)} keys, one is needed"
        raise UsageError("the DNS key is not a BIND key file", why=why, hint=_HINT)
    name, body = found[0]
    algorithm, secret = _ALGORITHM.search(body), _SECRET.search(body)
    if algorithm is None or algorithm[1].lower() not in ALGORITHMS:
        shown = f"{quoted(algorithm[1])} is not supported" if algorithm else "it names no algorithm"
        raise UsageError(
            f"the algorithm of DNS key {name} cannot be used", why=f"{shown} ({', '.join(ALGORITHMS)} are)", hint=_HINT
        )
    try:
        raw = base64.b64decode(secret[1], validate=True) if secret else b""
    except (binascii.Error, ValueError):
        raw = b""
    if not raw:
        raise UsageError(f"the secret of DNS key {name} is not valid base64", hint=_HINT)
    return TsigKey(name.lower().removesuffix("."), algorithm[1].lower(), raw)
