"""The authorities of clients' certificates (annotation ``client-ca``): which hosts use them, what is wrong. Pure."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rancherctl.ingress.model import Translated
from rancherctl.ingress.operator import certificate_details
from rancherctl.ingress.operator.certificate_details import CertificateDetails
from rancherctl.ingress.operator.certificates import NO_DETAILS, CertificateView, Item, Problem, plain
from rancherctl.ingress.purposes import CA_FILE, CLIENT_CA, data_of, parse_key
from rancherctl.text import and_more, plural

_END = "-----END CERTIFICATE-----"


@dataclass(slots=True)
class _Use:
    names: set[str] = field(default_factory=set)
    ingresses: set[str] = field(default_factory=set)


def rows(view: CertificateView, ingresses: Iterable[Translated], warn_days: int) -> list[Item]:
    """One row for each secret with authorities that one of these Ingresses names, sorted; keys as in certificates.rows.

    What is said about a certificate concerns the one of them that expires first. ``names`` are those whose clients need
    a certificate.
    """
    uses: dict[str, _Use] = {}
    for t in ingresses:
        if t.client:
            use = uses.setdefault(t.client.authority, _Use())
            use.ingresses.add(t.key)
            use.names.update(name.name for name in t.tls)
    return [_row(view, key, use, warn_days) for key, use in sorted(uses.items())]


def _row(view: CertificateView, key: str, use: _Use, warn_days: int) -> Item:
    secret, found = parse_key(key)[1], view.others.get(key)
    read, reason = ((), "") if found is None else _read(data_of(CLIENT_CA, found).data.get(CA_FILE, ""))
    reason = reason or (data_of(CLIENT_CA, found).unusable if found else "")
    first = min(read, key=lambda details: details.facts.not_after, default=None)
    hosts = view.hosts(key) if found else []
    late = [h["host"] for h in hosts if h["current"] is False and h["alive"]]
    problems = list(_problems(secret, reason, read, view.now, warn_days, missing=found is None))
    if late and read:
        message = f"{and_more(late)} has not confirmed the present content of the secret"
        problems.append(Problem("ClientCaNotConfirmed", message, "if it stays so, see rancherctl env status"))
    return {
        "secret": secret,
        "purpose": CLIENT_CA.name,
        "default": False,
        "ingresses": sorted(use.ingresses),
        "names": sorted(use.names),
        **(certificate_details.item(first, view.now) if first else NO_DETAILS),
        "certificate_names": [],
        "hosts": hosts,
        "problems": [plain(problem) for problem in problems],
    }


def _read(text: str) -> tuple[Sequence[CertificateDetails], str]:
    """The certificates of a normalised ``ca.crt``, or why one of them cannot be read."""
    out = []
    for block in text.split(_END)[:-1]:
        try:
            der = base64.b64decode("".join(block.strip().splitlines()[1:]), validate=True)
            out.append(certificate_details.details(der))
        except ValueError as error:
            return (), f"a certificate cannot be read: {error}"
    return out, ""


def _problems(
    secret: str, reason: str, read: Sequence[CertificateDetails], now: float, warn_days: int, *, missing: bool
) -> Iterable[Problem]:
    replace = f"replace {CA_FILE} of the secret {secret}"
    if missing:
        namespace, _, name = secret.partition("/")
        create = f"kubectl -n {namespace} create secret generic {name} --from-file={CA_FILE}=FILE"
        yield Problem("ClientCaMissing", "the secret does not exist; requests get status 503", create)
    elif reason:
        yield Problem("ClientCaInvalid", f"{reason}; requests get status 503", replace)
    for details in read:
        days = details.days_left(now)
        name = details.subject or "an authority"
        date = certificate_details.timestamp(details.facts.not_after)
        if days < 0:
            message = f"the authority {name} expired at {date}; its clients are refused"
            yield Problem("ClientCaExpired", message, replace)
        elif days < warn_days:
            yield Problem(
                "ClientCaExpiring", f"the authority {name} expires in {plural(days, 'day')}, at {date}", replace
            )
