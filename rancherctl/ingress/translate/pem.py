"""Certificate and private key of a TLS secret as one normalised PEM text. Pure.

HAProxy's socket ends a payload at a blank line, and one secret may be copied into many namespaces with other line ends:
equal content must give equal text.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from typing import Final

MAX_PEM: Final = 30_000
"""Characters of certificate, chain and key together: one command on HAProxy's socket takes 32 KB."""
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----\s+(.*?)\s*-----END \1-----", re.DOTALL)
_WIDTH: Final = 64


@dataclass(frozen=True, slots=True)
class KeyPair:
    """``chain`` is the certificate with its intermediates, ``key`` the private key: PEM that ends with a newline.

    ``content`` names both: equal pairs have equal names.
    """

    chain: str = field(repr=False)
    key: str = field(repr=False)
    content: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "content", hashlib.sha256((self.chain + self.key).encode()).hexdigest()[:24])

    @property
    def text(self) -> str:
        """Both, as HAProxy reads them from one file."""
        return self.chain + self.key

    @property
    def leaf(self) -> bytes:
        """The first certificate as DER."""
        return base64.b64decode("".join(self.chain.partition("-----END")[0].splitlines()[1:]))


def key_pair(certificate: bytes, key: bytes) -> KeyPair:
    """Normalise ``tls.crt`` and ``tls.key``. ValueError says for people what is missing or malformed.

    Text around the PEM blocks and parameters of elliptic curves are left out. Whether the key belongs to the
    certificate is not checked here.
    """
    chain = [block for kind, block in _blocks(certificate, "tls.crt") if kind == "CERTIFICATE"]
    if not chain:
        raise ValueError("tls.crt has no certificate in PEM")
    keys = [(kind, block) for kind, block in _blocks(key, "tls.key") if kind.endswith("PRIVATE KEY")]
    if len(keys) != 1:
        raise ValueError(
            f"tls.key has {len(keys) or 'no'} private key{'s' if len(keys) > 1 else ''} in PEM, 1 expected"
        )
    kind, text = keys[0]
    if kind.startswith("ENCRYPTED") or "ENCRYPTED" in key.decode("ascii", "replace"):
        raise ValueError("the private key in tls.key is encrypted")
    pair = KeyPair("".join(chain), text)
    if len(pair.text) > MAX_PEM:
        raise ValueError(f"certificates and key have {len(pair.text)} characters, at most {MAX_PEM} are supported")
    return pair


def authorities(data: bytes, what: str) -> str:
    """Normalise certificates of authorities; ``what`` is the name of their file. ValueError as for ``key_pair``.

    Private keys and other blocks are left out.
    """
    text = "".join(dict.fromkeys(block for kind, block in _blocks(data, what) if kind == "CERTIFICATE"))
    if not text:
        raise ValueError(f"{what} has no certificate in PEM")
    if len(text) > MAX_PEM:
        raise ValueError(f"{what} has {len(text)} characters of certificates, at most {MAX_PEM} are supported")
    return text


def read(text: str) -> KeyPair:
    """The pair whose ``text`` this is. Raises ValueError."""
    data = text.encode()
    return key_pair(data, data)


def _blocks(data: bytes, what: str) -> list[tuple[str, str]]:
    """(kind, normalised text) of each PEM block."""
    out: list[tuple[str, str]] = []
    for found in _BLOCK.finditer(data.decode("ascii", "replace")):
        kind, body = found[1], "".join(found[2].split())
        if ":" in body:  # headers: an encrypted key of the traditional form
            out.append((f"ENCRYPTED {kind}", ""))
            continue
        try:
            base64.b64decode(body, validate=True)
        except binascii.Error as error:
            raise ValueError(f"{what} has a block {kind} that is not base64") from error
        lines = [body[i : i + _WIDTH] for i in range(0, len(body), _WIDTH)]
        out.append((kind, "\n".join((f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----", ""))))
    return out
