"""What an Ingress may name secrets for, besides TLS: which keys of them are read, and what they must contain. Pure.

A new purpose is one more row of PURPOSES. Secrets are named by the key ``PURPOSE:NAMESPACE/NAME``; the key of a TLS
secret is ``NAMESPACE/NAME``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rancherctl.contract import TLS_PURPOSE
from rancherctl.ingress.model import digest
from rancherctl.ingress.translate import pem
from rancherctl.kube import objects
from rancherctl.kube.views import Secret
from rancherctl.text import quoted

TYPES: Final = ("Opaque", "kubernetes.io/tls")
"""Types of secrets that are read. Those of service accounts and of bootstrap tokens are credentials of the cluster."""
CA_FILE: Final = "ca.crt"


@dataclass(frozen=True, slots=True)
class Purpose:
    """A purpose with the ``keys`` of a secret that it needs.

    ``read`` normalises their values, which are text of ASCII characters then. It raises ValueError, for people.
    """

    name: str
    keys: tuple[str, ...]
    read: Callable[[Mapping[str, bytes]], Mapping[str, str]]


def _authorities(data: Mapping[str, bytes]) -> Mapping[str, str]:
    return {CA_FILE: pem.authorities(data[CA_FILE], CA_FILE)}


CLIENT_CA: Final = Purpose("client-ca", (CA_FILE,), _authorities)
"""Authorities of clients' certificates."""
PURPOSES: Final = {purpose.name: purpose for purpose in (CLIENT_CA,)}
_KEYS: Final = frozenset(key for purpose in PURPOSES.values() for key in purpose.keys)


@dataclass(frozen=True, slots=True)
class PurposeData:
    """What is copied of a secret for a purpose: ``data``, or why it is ``unusable``.

    ``content`` is a digest of either.
    """

    content: str
    data: Mapping[str, str] = field(default_factory=dict, repr=False)
    unusable: str = ""


def purpose_key(purpose: str, source: str) -> str:
    """The key of the secret ``source`` (``namespace/name``) for a purpose."""
    return source if purpose == TLS_PURPOSE else f"{purpose}:{source}"


def parse_key(key: str) -> tuple[str, str]:
    """The purpose and the secret of a ``purpose_key``."""
    purpose, _, source = key.rpartition(":")
    return purpose or TLS_PURPOSE, source


def is_tls(key: str) -> bool:
    """Whether a key names a TLS secret; there may be thousands of them."""
    return ":" not in key


def named_secret(obj: Mapping[str, Any]) -> Secret:
    """v1 Secret with the keys that any purpose needs; none of them if it has another type than TYPES."""
    return objects.secret(obj, _KEYS if obj.get("type") in TYPES else ())


def data_of(purpose: Purpose, secret: Secret) -> PurposeData:
    """What is copied of a secret."""
    if secret.type not in TYPES:
        return unusable_data(f"it has the type {quoted(secret.type)}, only {' and '.join(TYPES)} are read")
    return read_data(purpose, secret.data)


def read_data(purpose: Purpose, given: Mapping[str, bytes]) -> PurposeData:
    """The normalised form of the data of a secret or of its copy."""
    if missing := [key for key in purpose.keys if key not in given]:
        return unusable_data(f"it has no key {missing[0]}")
    try:
        data = purpose.read(given)
    except ValueError as error:
        return unusable_data(str(error))
    return PurposeData(digest(*sorted(data.items())), data)


def authorities_content(text: str) -> str:
    """The content of normalised authorities of clients."""
    return digest((CA_FILE, text))


def unusable_data(reason: str) -> PurposeData:
    """A secret that cannot be used for this reason."""
    return PurposeData(f"unusable-{digest(reason)}", {}, reason)
