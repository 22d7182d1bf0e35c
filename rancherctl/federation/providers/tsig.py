"""TSIG keys: in a BIND key file, as ``tsig-keygen`` writes it, and in a Secret of the federation.

Pure; the secret is never shown.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Final

from rancherctl.contract import FEDERATION_CONTROLLER
from rancherctl.errors import InvalidInputError, UsageError
from rancherctl.kube.client import Json
from rancherctl.names import is_dns_name
from rancherctl.text import quoted

DNS_SECRET: Final = "dns-provider"  # noqa: S105 - the name of an object

ALGORITHMS: Final = ("hmac-sha256", "hmac-sha384", "hmac-sha512")
_KEY: Final = re.compile(r'key\s+"?([A-Za-z0-9._-]{1,253})"?\s*\{([^{}]*)\}\s*;')
_ALGORITHM: Final = re.compile(r'\balgorithm\s+"?([A-Za-z0-9-]+)\.?"?\s*;')
_SECRET: Final = re.compile(r'\bsecret\s+"?([A-Za-z0-9+/=]+)"?\s*;')
_COMMENT: Final = re.compile(r'("[^"\n]*")|/\*.*?\*/|(?://|#)[^\n]*', re.DOTALL)
"""Or a text in quotation marks, the first group: two slashes in a secret begin no comment."""
_HINT: Final = "create one with: tsig-keygen -a hmac-sha256 NAME"
_FORM: Final = 'key "NAME" { algorithm hmac-sha256; secret "BASE64"; };'
_STORE_HINT: Final = "rancherctl federation create NAME --dns-key-file FILE stores the key"


@dataclass(frozen=True, slots=True)
class TsigKey:
    """Name, algorithm (one of ALGORITHMS), and the secret, which repr does not show."""

    name: str
    algorithm: str
    secret: bytes = field(repr=False)


def parse_key(text: str, source: str = "the DNS key") -> TsigKey:
    """The only key of a BIND key file. InvalidInputError names ``source`` and all problems, without the secret."""
    found = _KEY.findall(_COMMENT.sub(lambda found: found[1] or " ", text))
    if len(found) != 1:
        why = "it has no key statement" if not found else f"it has {len(found)} keys, one is needed"
        raise InvalidInputError(f"{source} is not a BIND key file", (why, f"expected: {_FORM}"), hint=_HINT)
    name, body = found[0]
    algorithm, secret = _ALGORITHM.search(body), _SECRET.search(body)
    problems = []
    if algorithm is None or algorithm[1].lower() not in ALGORITHMS:
        shown = f"{quoted(algorithm[1])} is not supported" if algorithm else "it names no algorithm"
        problems.append(f"the algorithm of DNS key {name} cannot be used: {shown} ({', '.join(ALGORITHMS)} are)")
    if not is_dns_name(name.lower().removesuffix(".")):
        problems.append(f"{name!r} is not a name for a key")
    try:
        raw = base64.b64decode(secret[1], validate=True) if secret else b""
    except (binascii.Error, ValueError):
        raw = b""
    if not raw:
        problems.append(f"the secret of DNS key {name} is not valid base64")
    if problems or algorithm is None:
        raise InvalidInputError(f"{source} cannot be used", problems, hint=_HINT)
    return TsigKey(name.lower().removesuffix("."), algorithm[1].lower(), raw)


def secret_object(key: TsigKey) -> Json:
    """The Secret that ``rancherctl-federation`` reads; ``key_of`` is its inverse."""
    secret = base64.b64encode(key.secret).decode()
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": DNS_SECRET, "namespace": FEDERATION_CONTROLLER},
        "type": "Opaque",
        "stringData": {"name": key.name, "algorithm": key.algorithm, "secret": secret},
    }


def key_of(secret: Json) -> TsigKey:
    """The TSIG key in the Secret DNS_SECRET. Raises UsageError."""
    try:
        data = {k: base64.b64decode(v or "", validate=True) for k, v in (secret.get("data") or {}).items()}
        name, algorithm = data["name"].decode("ascii"), data["algorithm"].decode("ascii")
        key = base64.b64decode(data["secret"], validate=True)
    except (KeyError, ValueError, binascii.Error) as error:
        what = f"the Secret {FEDERATION_CONTROLLER}/{DNS_SECRET} has no usable TSIG key"
        raise UsageError(what, why=f"{type(error).__name__}: {error}", hint=_STORE_HINT) from error
    if algorithm not in ALGORITHMS:
        raise UsageError(f"the algorithm {algorithm[:40]!r} of the DNS key is not supported", hint=_STORE_HINT)
    return TsigKey(name.lower().removesuffix("."), algorithm, key)
