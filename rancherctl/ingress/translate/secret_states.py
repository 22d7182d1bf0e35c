"""What a host has of each secret, and what to say about it on Ingresses. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from rancherctl.ingress.model import Translated, tls_id
from rancherctl.ingress.translate.certificate import CertificateFacts
from rancherctl.ingress.translate.clients import authority_problems
from rancherctl.ingress.translate.tls import TlsClaim
from rancherctl.placement.model import ObjectProblem
from rancherctl.text import and_more, plural

WARN_DAYS: Final = 14
DELETED_SECONDS: Final = 60.0
"""How long the certificate of a deleted secret is used: tools delete and create secrets again, and keys are revoked."""
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class SecretState:
    """What a host has of one secret.

    ``content`` is the certificate to use ("" = none), with its ``facts``. ``trouble`` says how the secret differs from
    it: it is missing (never seen), unusable (for the ``reason``), or was deleted a short time ago.
    """

    content: str = ""
    facts: CertificateFacts | None = None
    trouble: Literal["", "missing", "unusable", "deleted"] = ""
    reason: str = ""


MISSING: Final = SecretState(trouble="missing")


def usable(states: Mapping[str, SecretState]) -> dict[str, str]:
    """Key → content of each secret that can be used."""
    return {key: state.content for key, state in states.items() if state.content}


def problems(
    t: Translated,
    claims: Mapping[str, TlsClaim],
    states: Mapping[str, SecretState],
    default_secret: str,
    default: SecretState,
    now: float,
) -> tuple[ObjectProblem, ...]:
    """What to say about the secrets of one Ingress. ``default_secret`` is the name of ``default``, "" = none."""
    out: list[ObjectProblem] = []
    if t.client:
        state = states.get(t.client.authority, MISSING)
        out += authority_problems(t.client, state.trouble, state.reason)
    own: dict[str, list[str]] = {}
    if not t.tls and not default_secret:
        message = "it is not served over HTTP, and over HTTPS it needs tls: the environment has no default certificate"
        out.append(ObjectProblem("NotServed", message))
    for n in t.tls:
        claim = claims.get(tls_id(n.name, t.ports.https))
        if claim is not None and any(key == t.key for key, _ in claim.candidates):
            own.setdefault(n.secret, []).append(n.name)
    for secret, names in sorted(own.items()):
        if secret:
            out += _of_secret(title(secret), states.get(secret, MISSING), names, now)
        elif not default_secret:
            message = f"tls without a secret for {', '.join(names[:3])}, and the environment has no default certificate"
            out.append(ObjectProblem("NoDefaultCertificate", message))
        else:
            out += _of_secret(title(default_secret, default=True), default, names, now)
    return tuple(out)


def too_many(names: Collection[str]) -> Iterable[ObjectProblem]:
    """What to say about names of an Ingress that a wildcard cannot exclude, see wildcards.py."""
    if names:
        message = (
            f"{and_more(sorted(names))} cannot be served over HTTPS: too many names below a wildcard have certificates "
            "with another kind of key (RSA, EC) than its own; use the same kind for this one"
        )
        yield ObjectProblem("TooManyCertificates", message)


def title(secret: str, *, default: bool = False) -> str:
    """How messages name a secret."""
    return f"default certificate {secret}" if default else f"secret {secret}"


def _of_secret(what: str, state: SecretState, names: Collection[str], now: float) -> Iterable[ObjectProblem]:
    days = int((state.facts.not_after - now) // _DAY) if state.facts else 0
    left = f"it expires in {plural(days, 'day')}" if days >= 0 else "it has expired"
    if state.trouble == "missing":
        message = f"waiting for {what} (type kubernetes.io/tls); until then its hosts answer plain HTTP only"
        yield ObjectProblem("CertificatePending", message, serious=False)
    elif state.trouble == "unusable":
        then = (
            f"the last good certificate stays in use, {left}" if state.content else "its hosts answer plain HTTP only"
        )
        yield ObjectProblem("CertificateInvalid", f"{what}: {state.reason}; {then}")
    elif state.trouble == "deleted":
        message = f"{what} was deleted; its certificate is used for {DELETED_SECONDS:.0f} s more"
        yield ObjectProblem("CertificateDeleted", message)
    if state.facts is None:
        return
    if days < 0:
        yield ObjectProblem("CertificateExpired", f"the certificate of {what} has expired")
    elif days < WARN_DAYS:
        message = f"the certificate of {what} expires in {plural(days, 'day')}"
        yield ObjectProblem("CertificateExpiring", message, serious=False)
    if uncovered := sorted(name for name in names if not state.facts.covers(name)):
        valid = ", ".join(state.facts.names[:3]) or "no name"
        message = f"the certificate of {what} is for {valid}, not for {', '.join(uncovered[:3])}"
        yield ObjectProblem("CertificateName", message, serious=False)
