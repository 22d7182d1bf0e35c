"""The certificates of all Ingresses: what the API has, which hosts serve them, and what is wrong. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from rancherctl.contract import TLS_PURPOSE
from rancherctl.ingress.copies import Copied, certificates_digest, content_of, copied
from rancherctl.ingress.model import TlsName, Translated, tls_id
from rancherctl.ingress.operator import certificate_details
from rancherctl.ingress.operator.api_view import ApiView
from rancherctl.ingress.operator.certificate_details import CertificateDetails
from rancherctl.ingress.operator.overview import cluster_of
from rancherctl.ingress.status.report import HostReport
from rancherctl.ingress.translate.secret_states import title
from rancherctl.ingress.translate.tls import TlsClaim, TlsClaims, secrets_on, sites_of
from rancherctl.kube.objects import Secret, TlsSecret
from rancherctl.text import and_more, plural

Item = dict[str, Any]
REFUSED: Final = "CertificateInvalid"
NO_DETAILS: Final[Item] = dict.fromkeys(
    ("subject", "issuer", "self_signed", "key", "not_before", "not_after", "days_left", "serial", "fingerprint")
)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a certificate, and what to do about it."""

    reason: str
    message: str
    remedy: str

    @property
    def text(self) -> str:
        """One line for people."""
        return f"{self.message} ({self.remedy})"


def plain(problem: Problem) -> Item:
    """Plain values."""
    return {"reason": problem.reason, "message": problem.message, "remedy": problem.remedy}


@dataclass(slots=True)
class Use:
    """What a secret is for: ``names`` that clients ask for, of these ``ingresses``.

    ``shadowed``: names that belong to an older Ingress → its key.
    """

    names: set[str] = field(default_factory=set)
    ingresses: set[str] = field(default_factory=set)
    shadowed: dict[str, str] = field(default_factory=dict)


def claim_of(claims: TlsClaims, t: Translated, name: TlsName) -> TlsClaim | None:
    """The claim on a name of an Ingress, on its HTTPS port."""
    return claims.names.get(tls_id(name.name, t.ports.https))


class CertificateView:
    """Everything that decides about certificates, at ``now`` (seconds since 1970).

    ``default`` is the secret of the environment's default certificate: "" = none, None = not known here. ``secrets``
    are None if they are not ``readable``. ``read`` gives secrets for other purposes by their keys (purposes.py), as far
    as they exist.
    """

    def __init__(
        self,
        view: ApiView,
        secrets: Mapping[str, TlsSecret] | None,
        default: str | None,
        now: float,
        read: Callable[[Collection[str]], Mapping[str, Secret]] = lambda _: {},
    ) -> None:
        self.view, self.default, self.now = view, default, now
        self.readable = secrets is not None
        self.cluster = cluster_of(view)
        self.secrets: Mapping[str, Copied] = {key: copied(secret) for key, secret in (secrets or {}).items()}
        self._details: dict[str, tuple[CertificateDetails | None, str]] = {}
        translated, claims = self.cluster.translated, self.cluster.claims
        contents = {key: secret.content for key, secret in self.secrets.items()}
        self.others = read({t.client.authority for t in translated.values() if t.client})
        contents |= {key: content_of(key, secret) for key, secret in self.others.items()}
        self._digests = {key: certificates_digest(listed, contents) for key, listed in claims.secrets.items()}
        self._users: dict[str, set[str]] = {}
        for key, listed in claims.secrets.items():
            for secret in listed:
                self._users.setdefault(secret, set()).add(key)
        carried: dict[str, set[str]] = {h.name: set() for h in view.roster.hosts}
        for key, placement in self.cluster.placements.items():
            for host in placement.hosts:
                carried[host].add(key)
        for host, report in view.reports.items():
            carried.setdefault(host, set()).update(report.placed & translated.keys())
        default_one = {default} if default else set()
        self._needed = {
            host: secrets_on(claims, sites_of(translated, keys)) | default_one if keys else frozenset[str]()
            for host, keys in carried.items()
        }

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """Fingerprint of a certificate → a secret that has it."""
        every = ((secret, self.details(secret)[0]) for secret in sorted(self.secrets, reverse=True))
        return {found.fingerprint: secret for secret, found in every if found}

    def uses(self, keys: Collection[str]) -> dict[str, Use]:
        """Secret → its use by these Ingresses; "" stands for a default certificate that is not there or not known."""
        out: dict[str, Use] = {}
        for t in (self.cluster.translated[key] for key in sorted(keys) if key in self.cluster.translated):
            for name in t.tls:
                use = out.setdefault(name.secret or self.default or "", Use())
                use.ingresses.add(t.key)
                claim = self.claim(t, name)
                if claim is None or any(key == t.key for key, _ in claim.candidates):
                    use.names.add(name.name)
                else:
                    use.shadowed[name.name] = claim.owner
        return out

    def claim(self, t: Translated, name: TlsName) -> TlsClaim | None:
        """Who provides the certificate of a name of an Ingress; None if it cannot be placed."""
        return claim_of(self.cluster.claims, t, name)

    def details(self, secret: str) -> tuple[CertificateDetails | None, str]:
        """What the certificate of a secret says, or why it cannot be used; (None, "") if the secret does not exist."""
        known = self._details.get(secret)
        if known is None:
            known = self._details[secret] = self._read(secret)
        return known

    def _read(self, secret: str) -> tuple[CertificateDetails | None, str]:
        have = self.secrets.get(secret)
        if have is None or have.pair is None:
            return None, have.unusable if have else ""
        try:
            return certificate_details.details(have.pair.leaf), ""
        except ValueError as error:
            return None, f"the certificate cannot be read: {error}"

    def hosts(self, secret: str) -> list[Item]:
        """The hosts that serve a secret's certificate, or should.

        ``current`` says whether a host confirmed the present content (None: it does not say).
        """
        out = []
        users = self._users.get(secret, set())
        for host in self.view.roster.hosts:
            if secret in self._needed[host.name]:
                said = self.view.reports.get(host.name, HostReport()).certificates
                confirmed = [said[key] == self._digests[key] for key in sorted(users & said.keys())]
                current = all(confirmed) if confirmed else None
                out.append({"host": host.name, "address": host.address, "alive": host.alive, "current": current})
        return out

    def refusals(self, secret: str, ingresses: Iterable[str], hosts: Iterable[Item]) -> dict[str, list[str]]:
        """Why hosts do not use the content of a secret → the hosts that say so."""
        prefixes = tuple(f"{title(secret, default=default)}: " for default in (False, True))
        out: dict[str, list[str]] = {}
        for host in (h["host"] for h in hosts if h["current"] is not False):
            report = self.view.reports.get(host, HostReport())
            found = {p.message for key in ingresses for p in report.problems.get(key, ()) if p.reason == REFUSED}
            for message in sorted(found):
                if prefix := next((p for p in prefixes if message.startswith(p)), ""):
                    out.setdefault(message.removeprefix(prefix), []).append(host)
        return out


def rows(view: CertificateView, ingresses: Iterable[Translated], warn_days: int) -> list[Item]:
    """One row for each secret that serves one of these Ingresses, sorted; see ``_row``."""
    uses = view.uses([t.key for t in ingresses])
    return [_row(view, secret, use, warn_days) for secret, use in sorted(uses.items())]


def _row(view: CertificateView, secret: str, use: Use, warn_days: int) -> Item:
    found, reason = view.details(secret)
    hosts = view.hosts(secret) if secret in view.secrets else []
    refused = view.refusals(secret, use.ingresses, hosts)
    problems = list(_problems(view, secret, use, found, reason, refused, warn_days))
    late = [h["host"] for h in hosts if h["current"] is False and h["alive"]]
    if late and found:
        problems.append(
            Problem(
                "CertificateNotConfirmed",
                f"{and_more(late)} has not confirmed the present content of the secret",
                "if it stays so, see rancherctl env status",
            )
        )
    shown = certificate_details.item(found, view.now) if found and not refused else NO_DETAILS
    return {
        "secret": secret,
        "purpose": TLS_PURPOSE,
        "default": bool(secret) and secret == view.default,
        "ingresses": sorted(use.ingresses),
        "names": sorted(use.names | use.shadowed.keys()),
        "certificate_names": [],
        **shown,
        "hosts": hosts,
        "problems": [plain(p) for p in problems],
    }


def _problems(
    view: CertificateView,
    secret: str,
    use: Use,
    found: CertificateDetails | None,
    reason: str,
    refused: Mapping[str, Collection[str]],
    warn_days: int,
) -> Iterable[Problem]:
    names = and_more(sorted(use.names), shown=3)
    for name, owner in sorted(use.shadowed.items()):
        yield Problem(
            "CertificateShadowed",
            f"{name} gets the certificate of the older ingress {owner}",
            f"remove {name} from one of the two",
        )
    if not secret:
        if view.default == "":
            yield Problem(
                "NoDefaultCertificate",
                f"tls without a secret for {names}, and the environment has no default certificate",
                "add secretName to the ingress, or ingress.tls.defaultCertificate to the environment file",
            )
        return
    if secret not in view.secrets:
        yield Problem(
            "CertificatePending",
            f"the secret (type kubernetes.io/tls) does not exist; {names or 'no name'} has plain HTTP only",
            creating(secret),
        )
        return
    replace = replacing(secret)
    for message, hosts in sorted(refused.items()):
        yield Problem(REFUSED, f"refused by {and_more(sorted(hosts))}: {message}", replace)
    if reason and not refused:
        yield Problem(REFUSED, f"{reason}; hosts keep the last good certificate if they have one", replace)
    if found is None or refused:
        return
    yield from of_certificate(found, use.names, view.now, warn_days, replace)


def creating(secret: str) -> str:
    """The command that creates a secret."""
    namespace, _, name = secret.partition("/")
    return f"kubectl -n {namespace} create secret tls {name} --cert=FILE --key=FILE"


def replacing(secret: str) -> str:
    """The remedy for most problems of a certificate."""
    return f"replace tls.crt and tls.key of the secret {secret}"


def of_certificate(
    found: CertificateDetails, names: Iterable[str], now: float, warn_days: int, replace: str
) -> Iterable[Problem]:
    """What is wrong with the certificate itself."""
    days, date = found.days_left(now), certificate_details.timestamp(found.facts.not_after)
    if days < 0:
        yield Problem("CertificateExpired", f"the certificate expired at {date}", f"renew it: {replace}")
    elif days < warn_days:
        yield Problem(
            "CertificateExpiring",
            f"the certificate expires in {plural(days, 'day')}, at {date}",
            f"renew it: {replace}",
        )
    if found.not_before > now:
        when = certificate_details.timestamp(found.not_before)
        yield Problem(
            "CertificateNotYetValid", f"the certificate is not valid before {when}", "check the clock of its issuer"
        )
    if uncovered := sorted(name for name in names if not found.facts.covers(name)):
        valid = and_more(found.facts.names, shown=3) or "no name"
        yield Problem(
            "CertificateName",
            f"the certificate is for {valid}, not for {and_more(uncovered, shown=3)}",
            "have a certificate issued for these names, or correct tls of the ingress",
        )
