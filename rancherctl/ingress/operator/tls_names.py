"""Which certificate each name of an Ingress should get, and which hosts confirm it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rancherctl.ingress.model import TlsName, Translated
from rancherctl.ingress.operator import certificate_details
from rancherctl.ingress.operator.certificate_details import CertificateDetails
from rancherctl.ingress.operator.certificates import CertificateView, Item, creating
from rancherctl.text import plural


@dataclass(frozen=True, slots=True)
class ChosenCertificate:
    """The certificates that clients of a name may be shown: of ``secrets``, one for each kind of key.

    ``owner`` is the Ingress that decides. Without any, ``reason`` says why clients are refused; if that is not known
    (``known`` is False), the name may have any certificate, and ``reason`` may say why.
    """

    owner: str
    secrets: tuple[str, ...] = ()
    certificates: tuple[CertificateDetails, ...] = ()
    reason: str = ""
    known: bool = True


def choose(view: CertificateView, t: Translated, name: TlsName) -> ChosenCertificate:
    """What hosts choose for a name of an Ingress: see ``translate.certificates``."""
    claim = view.claim(t, name)
    if claim is None:
        return ChosenCertificate(t.key, reason="the ingress cannot be placed on any host")
    reasons: list[str] = []
    for owner, secrets in claim.candidates:
        found: dict[str, tuple[str, CertificateDetails]] = {}
        for secret in (secret or view.default for secret in secrets):
            if secret is None or not view.readable:
                return ChosenCertificate(owner, known=False)
            details, reason = view.details(secret) if secret else (None, "the environment has no default certificate")
            if details is None:
                reasons.append(reason if not secret or reason else f"waiting for secret {secret} ({creating(secret)})")
            refused = view.refusals(secret, [owner], view.hosts(secret)) if details or reason else {}
            if refused:
                return ChosenCertificate(owner, (secret,), reason=f"secret {secret}: {min(refused)}", known=False)
            if details is not None:
                found.setdefault(details.facts.key_kind, (secret, details))
        if found:
            return ChosenCertificate(
                owner, tuple(secret for secret, _ in found.values()), tuple(details for _, details in found.values())
            )
    return ChosenCertificate(claim.owner, reason=reasons[0])


def rows(view: CertificateView, t: Translated, addresses: Iterable[str]) -> list[Item]:
    """What ``ingress show`` says about each name: the secret and its certificate, and hosts with their addresses.

    ``published`` says whether a host's address is among ``addresses``.
    """
    out = []
    for name in t.tls:
        chosen = choose(view, t, name)
        hosts = {h["host"]: h for secret in chosen.secrets for h in view.hosts(secret)} if view.readable else {}
        out.append(
            {
                "name": name.name,
                "secret": name.secret or view.default or "",
                "owner": chosen.owner,
                "reason": chosen.reason,
                "certificates": [
                    {"secret": secret, **certificate_details.item(found, view.now)}
                    for secret, found in zip(chosen.secrets, chosen.certificates, strict=False)
                ],
                "hosts": [h | {"published": h["address"] in {*addresses}} for h in hosts.values()],
            }
        )
    return out


def text(names: Iterable[Item]) -> str:
    """``rows`` for people; "" without any."""
    lines = [line for row in names for line in _lines(row)]
    return "".join(f"{line}\n" for line in ("tls:", *lines)) if lines else ""


def _lines(row: Item) -> Iterable[str]:
    if not row["certificates"]:
        secret = f"secret {row['secret']}" if row["secret"] else "default certificate"
        yield f"  {row['name']}: {row['reason'] or secret}"
    for found in row["certificates"]:
        signer = "self-signed" if found["self_signed"] else f"issuer {found['issuer'] or 'unnamed'}"
        left = f"{plural(found['days_left'], 'day')} left (until {found['not_after']})"
        yield f"  {row['name']}: secret {found['secret']}, {found['key']}, {signer}, {left}"
    for host in row["hosts"]:
        has = {True: "has it", False: "does not have the present content", None: "has not confirmed it"}[
            host["current"]
        ]
        parts = (has, "published" if host["published"] else "not published", "" if host["alive"] else "not alive")
        yield f"    {host['host']} {host['address']}: {', '.join(part for part in parts if part)}"
