"""Ask the host's own OpenSSL, which HAProxy uses too, whether it accepts a certificate with its key."""

from __future__ import annotations

import os
import ssl
from typing import Final

from rancherctl.ingress.translate.pem import KeyPair

_WORDS: Final = {
    "KEY_VALUES_MISMATCH": "the private key does not belong to the certificate",
    "KEY_TYPE_MISMATCH": "the private key does not belong to the certificate",
    "NO_CERTIFICATE_ASSIGNED": "the private key does not belong to the certificate",
    "EE_KEY_TOO_SMALL": "the key of the certificate is too small",
    "CA_KEY_TOO_SMALL": "the key of a certificate in the chain is too small",
    "CA_MD_TOO_WEAK": "a certificate in the chain has a signature that is too weak",
    "EE_MD_TOO_WEAK": "the certificate has a signature that is too weak",
}


def refusal(pair: KeyPair) -> str:
    """Why OpenSSL refuses this pair, for people; "" if it accepts it. Keys touch memory only."""
    chain, key = _memory(pair.chain), _memory(pair.key)
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"/proc/self/fd/{chain}", f"/proc/self/fd/{key}", password=lambda: "")
    except ssl.SSLError as error:
        reason = str(error.reason or "")
        return _WORDS.get(reason) or f"OpenSSL refuses it ({reason.lower().replace('_', ' ') or 'malformed PEM'})"
    finally:
        os.close(chain)
        os.close(key)
    return ""


def authority_refusal(text: str) -> str:
    """Why OpenSSL refuses these certificates of authorities, for people; "" if it accepts them."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cadata=text)
    except ssl.SSLError as error:
        return f"OpenSSL refuses it ({str(error.reason or '').lower().replace('_', ' ') or 'malformed PEM'})"
    return ""


def _memory(text: str) -> int:
    """A file in memory with this text, as an open descriptor."""
    descriptor = os.memfd_create("certificate")
    os.write(descriptor, text.encode())
    return descriptor
