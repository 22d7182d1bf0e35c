"""Which host gets copies of which TLS secrets, and what is in them. Pure.

A host reads secrets in a namespace of its own only (docs/adr/0038). The controller keeps there what Ingresses placed on
the host need, and takes away what they no longer do.
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
    UNUSABLE_ANNOTATION,
    host_namespace,
)
from rancherctl.ingress.model import Translated, digest
from rancherctl.ingress.translate import pem
from rancherctl.ingress.translate.tls import TlsClaims, secrets_on, sites_of
from rancherctl.kube.objects import Meta, TlsSecret

TYPE: Final = "rancherctl.io/tls"
"""Not ``kubernetes.io/tls``: copies are not secrets that an Ingress may name."""


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


def read_copy(copy: TlsSecret) -> tuple[str, Copied] | None:
    """The source of a copy (``namespace/name``) and its content; None for any other Secret."""
    source = copy.meta.annotations.get(SOURCE_ANNOTATION, "")
    if not source:
        return None
    if unusable := copy.meta.annotations.get(UNUSABLE_ANNOTATION, ""):
        return source, Copied(f"unusable-{digest(unusable)}", None, unusable)
    return source, copied(copy)


@dataclass(slots=True)
class Contents:
    """Contents of secrets by key, computed once for each version of a secret."""

    known: dict[str, tuple[TlsSecret, str]] = field(default_factory=dict)

    def of(self, secrets: Mapping[str, TlsSecret]) -> dict[str, str]:
        """``namespace/name`` → digest of the content."""
        before, self.known = self.known, {}
        for key, secret in secrets.items():
            seen = before.get(key)
            self.known[key] = seen if seen is not None and seen[0] is secret else (secret, copied(secret).content)
        return {key: content for key, (_, content) in self.known.items()}


def copy_name(source: str) -> str:
    """The name of a copy: the same for a secret that is deleted and created again."""
    return f"s-{digest(source)}"


def copies_by_host(
    translated: Mapping[str, Translated],
    claims: TlsClaims,
    placed: Mapping[str, Collection[str]],
    contents: Mapping[str, str],
    default: str = "",
) -> dict[tuple[str, str], str]:
    """(host, source) → content, of all copies that should be there.

    ``placed``: host → keys of the Ingresses that are placed there or still served there. ``default`` is the secret of
    the environment's default certificate.
    """
    out: dict[tuple[str, str], str] = {}
    for host, keys in placed.items():
        wanted = secrets_on(claims, sites_of(translated, keys)) | ({default} if default and keys else set())
        out |= {(host, source): contents[source] for source in wanted if source in contents}
    return out


def stored_copies(copies: Mapping[str, Meta], hosts: Collection[str]) -> dict[tuple[str, str], Meta]:
    """(host, source) → metadata of the copies in the namespaces of these hosts."""
    namespaces = {host_namespace(host): host for host in hosts}
    return {
        (namespaces[m.namespace], m.annotations.get(SOURCE_ANNOTATION, m.name)): m
        for m in copies.values()
        if m.namespace in namespaces and not m.deleting
    }


def plan_copies(wanted: Mapping[tuple[str, str], str], stored: Mapping[tuple[str, str], Meta]) -> Plan[str]:
    """What to create, replace and delete; keys are ``host source``, values contents."""
    have = {f"{host} {source}": m.annotations.get(CONTENT_ANNOTATION, "") for (host, source), m in stored.items()}
    return diff(have, {f"{host} {source}": content for (host, source), content in wanted.items()})


def copy_object(host: str, source: str, secret: TlsSecret) -> dict[str, Any]:
    """The Secret to write."""
    content = copied(secret)
    annotations = {SOURCE_ANNOTATION: source, CONTENT_ANNOTATION: content.content}
    if content.unusable:
        annotations[UNUSABLE_ANNOTATION] = content.unusable
    data = {"tls.crt": content.pair.chain, "tls.key": content.pair.key} if content.pair else {}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": TYPE,
        "metadata": {
            "name": copy_name(source),
            "namespace": host_namespace(host),
            "labels": {"app.kubernetes.io/managed-by": "rancherctl", COPY_LABEL: "tls"},
            "annotations": annotations,
        },
        "data": {key: base64.b64encode(text.encode()).decode() for key, text in data.items()},
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
