"""Which host gets copies of which secrets, and what is in them. Pure.

A host reads secrets in a namespace of its own only (docs/adr/0038). The controller keeps there what Ingresses placed on
the host need, and takes away what they no longer do. ``key`` names a secret with what it is for (purposes.purpose_key).
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rancherctl.change import Plan, diff
from rancherctl.contract import (
    CONTENT_ANNOTATION,
    COPY_LABEL,
    SOURCE_ANNOTATION,
    TLS_PURPOSE,
    UNUSABLE_ANNOTATION,
    host_namespace,
)
from rancherctl.ingress.model import Translated, digest
from rancherctl.ingress.purposes import PURPOSES, PurposeData, data_of, parse_key, purpose_key, read_data, unusable_data
from rancherctl.ingress.translate import pem
from rancherctl.ingress.translate.tls import TlsClaims, secrets_on, sites_of
from rancherctl.kube.objects import Meta, Secret, TlsSecret

TYPE_PREFIX: Final = "rancherctl.io/"
"""Types of copies end with their purpose: they are not secrets that an Ingress may name."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What a TLS secret contains: a pair, or why it is ``unusable``. ``content`` is a digest of either."""

    content: str
    pair: pem.KeyPair | None = None
    unusable: str = ""


def copied(secret: TlsSecret) -> Copied:
    """What is copied of a secret."""
    try:
        pair = pem.key_pair(secret.certificate, secret.key)
    except ValueError as error:
        return Copied(f"unusable-{digest(str(error))}", None, str(error))
    return Copied(pair.content, pair)


def read_copy(copy: TlsSecret | Secret) -> tuple[str, Copied] | None:
    """The source of a copy (``namespace/name``) of a TLS secret and its content; None for any other Secret."""
    source = copy.meta.annotations.get(SOURCE_ANNOTATION, "")
    if not source or not isinstance(copy, TlsSecret):
        return None
    if unusable := copy.meta.annotations.get(UNUSABLE_ANNOTATION, ""):
        return source, Copied(f"unusable-{digest(unusable)}", None, unusable)
    return source, copied(copy)


def read_purpose_copy(copy: TlsSecret | Secret) -> tuple[str, PurposeData] | None:
    """The key of a copy for a known purpose other than TLS and its data; None for any other Secret."""
    source = copy.meta.annotations.get(SOURCE_ANNOTATION, "")
    purpose = PURPOSES.get(copy.meta.labels.get(COPY_LABEL, ""))
    if not source or purpose is None or isinstance(copy, TlsSecret):
        return None
    unusable = copy.meta.annotations.get(UNUSABLE_ANNOTATION, "")
    return purpose_key(purpose.name, source), unusable_data(unusable) if unusable else read_data(purpose, copy.data)


@dataclass(slots=True)
class Contents:
    """Contents of secrets by key, computed once for each version of a secret."""

    known: dict[str, tuple[TlsSecret | Secret, str]] = field(default_factory=dict)

    def of(self, secrets: Mapping[str, TlsSecret | Secret]) -> dict[str, str]:
        """Key → digest of the content."""
        before, self.known = self.known, {}
        for key, secret in secrets.items():
            seen = before.get(key)
            self.known[key] = seen if seen is not None and seen[0] is secret else (secret, content_of(key, secret))
        return {key: content for key, (_, content) in self.known.items()}


def copy_name(key: str) -> str:
    """The name of a copy: the same for a secret that is deleted and created again."""
    return f"s-{digest(key)}"


def secrets_by_host(
    translated: Mapping[str, Translated],
    claims: TlsClaims,
    placed: Mapping[str, Collection[str]],
    default: str = "",
) -> dict[str, frozenset[str]]:
    """Host → keys of the secrets that it may have.

    ``placed``: host → keys of the Ingresses that are placed there or still served there. ``default`` is the secret of
    the environment's default certificate.
    """
    return {
        host: secrets_on(claims, sites_of(translated, keys)) | ({default} if default and keys else frozenset())
        for host, keys in placed.items()
    }


def copies_by_host(needed: Mapping[str, Collection[str]], contents: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """(host, key) → content, of all copies that should be there."""
    return {(host, key): contents[key] for host, keys in needed.items() for key in keys if key in contents}


def stored_copies(copies: Mapping[str, Meta], hosts: Collection[str]) -> dict[tuple[str, str], Meta]:
    """(host, key) → metadata of the copies in the namespaces of these hosts."""
    namespaces = {host_namespace(host): host for host in hosts}
    return {
        (namespaces[m.namespace], _key(m)): m for m in copies.values() if m.namespace in namespaces and not m.deleting
    }


def _key(copy: Meta) -> str:
    return purpose_key(copy.labels.get(COPY_LABEL, TLS_PURPOSE), copy.annotations.get(SOURCE_ANNOTATION, copy.name))


def plan_copies(wanted: Mapping[tuple[str, str], str], stored: Mapping[tuple[str, str], Meta]) -> Plan[str]:
    """What to create, replace and delete; keys are ``host key``, values contents."""
    have = {f"{host} {key}": m.annotations.get(CONTENT_ANNOTATION, "") for (host, key), m in stored.items()}
    return diff(have, {f"{host} {key}": content for (host, key), content in wanted.items()})


def content_of(key: str, secret: TlsSecret | Secret) -> str:
    """The digest of what is copied of a secret for the purpose in ``key``."""
    return _copy(key, secret)[0]


def _copy(key: str, secret: TlsSecret | Secret) -> tuple[str, Mapping[str, str], str]:
    """Content, data, and why it is unusable."""
    if isinstance(secret, TlsSecret):
        tls = copied(secret)
        return tls.content, {"tls.crt": tls.pair.chain, "tls.key": tls.pair.key} if tls.pair else {}, tls.unusable
    other = data_of(PURPOSES[parse_key(key)[0]], secret)
    return other.content, other.data, other.unusable


def copy_object(host: str, key: str, secret: TlsSecret | Secret) -> dict[str, Any]:
    """The Secret to write."""
    purpose, source = parse_key(key)
    content, data, unusable = _copy(key, secret)
    annotations = {SOURCE_ANNOTATION: source, CONTENT_ANNOTATION: content}
    if unusable:
        annotations[UNUSABLE_ANNOTATION] = unusable
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": TYPE_PREFIX + purpose,
        "metadata": {
            "name": copy_name(key),
            "namespace": host_namespace(host),
            "labels": {"app.kubernetes.io/managed-by": "rancherctl", COPY_LABEL: purpose},
            "annotations": annotations,
        },
        "data": {name: base64.b64encode(text.encode()).decode() for name, text in data.items()},
    }


def certificates_digest(secrets: Collection[str], contents: Mapping[str, str]) -> str:
    """A digest of the contents of these secrets, as far as they exist; "" if none does.

    A host reports it for each Ingress, so that the leader knows whether the host has its certificates.
    """
    present = [(secret, contents[secret]) for secret in sorted(secrets) if secret in contents]
    return digest(*present) if present else ""


@dataclass(slots=True)
class Digests:
    """``certificates_digest`` of many Ingresses, computed again only for those whose secrets have other contents."""

    secrets: Mapping[str, Collection[str]] = field(default_factory=dict)
    contents: Mapping[str, str] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)

    def of(self, secrets: Mapping[str, Collection[str]], contents: Mapping[str, str]) -> dict[str, str]:
        """Ingress key → digest, for Ingresses with these ``secrets``."""
        before = self.contents
        changed = {s for s, content in contents.items() if before.get(s) != content} | (before.keys() - contents.keys())
        old = self.secrets
        stay = [key for key, listed in secrets.items() if old.get(key) == listed and changed.isdisjoint(listed)]
        known = {key: self.known[key] for key in stay}
        known |= {key: certificates_digest(secrets[key], contents) for key in secrets.keys() - known.keys()}
        self.secrets, self.contents, self.known = secrets, contents, known
        return known
