"""Check which certificate each published address shows for each name of an Ingress, and that it answers over TLS."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rancherctl.ingress.model import Translated, host_of
from rancherctl.ingress.operator import certificate_details, tls_names
from rancherctl.ingress.operator.certificate_details import CertificateDetails
from rancherctl.ingress.operator.certificates import CertificateView, replacing
from rancherctl.ingress.operator.http_check import MAX_PATHS, TIMEOUT, Answer, ask, in_parallel, probe_name
from rancherctl.ingress.operator.tls_connection import TlsConnection
from rancherctl.ingress.operator.tls_names import ChosenCertificate
from rancherctl.ingress.options import HTTPS_PORT
from rancherctl.ingress.translate.secret_states import WARN_DAYS
from rancherctl.text import and_more, plural

SHORT: Final = 12
"""Digits of a serial number or fingerprint in messages."""


@dataclass(frozen=True, slots=True)
class TlsCheck:
    """One handshake with ``address`` for ``name``, and one request for ``path``; what should be ``chosen`` for it.

    ``owners``: fingerprint → secret of all certificates that are known. ``guarded``: clients need a certificate.
    """

    ingress: str
    address: str
    name: str
    path: str
    chosen: ChosenCertificate
    owners: Mapping[str, str]
    port: int = HTTPS_PORT
    guarded: bool = False


@dataclass(frozen=True, slots=True)
class TlsResult:
    """``ok`` and ``status`` are as in HttpResult; ``certificate`` is the one that was shown, if any."""

    check: TlsCheck
    ok: bool | None
    status: int
    result: str
    certificate: CertificateDetails | None = None
    now: float = 0.0

    def as_json(self) -> Mapping[str, Any]:
        """Plain values, with the same keys as an HttpResult."""
        c, shown = self.check, self.certificate
        return {
            "ingress": c.ingress,
            "address": c.address,
            "host": c.name if c.port == HTTPS_PORT else f"{c.name}:{c.port}",
            "path": "",
            "ok": self.ok,
            "status": self.status,
            "result": self.result,
            "certificate": {
                "secret": c.owners.get(shown.fingerprint, ""),
                "owner": c.chosen.owner,
                **certificate_details.item(shown, self.now),
            }
            if shown
            else None,
        }


def checks_for(view: CertificateView, t: Translated, addresses: Iterable[str]) -> list[TlsCheck]:
    """A check for every name with TLS (at most MAX_PATHS) on every address."""
    owners, port = view.fingerprints, t.ports.https
    if port is None:
        return []
    guarded = bool(t.client and t.client.required)
    paths = {host_of(r.host): r.path if r.kind == "exact" else r.path.rstrip("/") or "/" for r in reversed(t.routes)}
    wanted = {name.name: (paths.get(name.site, "/"), tls_names.choose(view, t, name)) for name in t.tls}
    return [
        TlsCheck(t.key, address, probe_name(name), path, chosen, owners, port, guarded)
        for address in addresses
        for name, (path, chosen) in list(wanted.items())[:MAX_PATHS]
    ]


def run_check(check: TlsCheck, now: float, timeout: float = TIMEOUT) -> TlsResult:
    """Shake hands with the name, then send one GET request. The body of the response is not read."""
    connection = TlsConnection(check.address, check.name, timeout, check.port)
    answer = ask(connection, check.name, check.path, guarded=check.guarded)
    return judge(check, connection.shown, answer, now)


def run_checks(
    checks: Iterable[TlsCheck], timeout: float = TIMEOUT, clock: Callable[[], float] = time.time
) -> list[TlsResult]:
    """Run all checks; results in the same order."""
    return in_parallel(lambda check: run_check(check, clock(), timeout), checks)


def judge(check: TlsCheck, shown: bytes, answer: Answer, now: float) -> TlsResult:
    """Compare what an address showed (DER; b"" = the handshake failed) with what it should show. Pure."""
    chosen = check.chosen
    if not shown:
        return TlsResult(check, False, answer.status, _refused(answer.text, chosen))
    try:
        found = certificate_details.details(shown)
    except ValueError as error:
        return TlsResult(check, False, answer.status, f"the certificate shown cannot be read: {error}")
    text = f"{_title(found, check.owners)}, {plural(found.days_left(now), 'day')} left"
    problems = [*_mismatch(check, found), *_faults(check, found, now)]
    if answer.ok is False:
        problems.append(answer.text)
    if problems:
        return TlsResult(check, False, answer.status, "; ".join(problems), found, now)
    if found.days_left(now) < WARN_DAYS:
        text = f"{text}: {_renew(check, found)}"
    return TlsResult(check, answer.ok, answer.status, text if answer.ok else f"{text}; {answer.text}", found, now)


def _title(found: CertificateDetails, owners: Mapping[str, str]) -> str:
    secret = owners.get(found.fingerprint)
    numbers = f"serial {found.serial[:SHORT]}, SHA-256 {found.fingerprint[:SHORT]}"
    if secret:
        return f"certificate of secret {secret} ({numbers})"
    signer = (
        "a self-signed certificate"
        if found.self_signed
        else f"a certificate issued by {found.issuer or 'an unnamed authority'}"
    )
    return f"{signer} ({numbers})"


def _refused(why: str, chosen: ChosenCertificate) -> str:
    if chosen.reason:
        return f"{why}; {chosen.reason}"
    return f"{why}; see rancherctl ingress certs, and rancherctl env status for the host" if chosen.secrets else why


def _mismatch(check: TlsCheck, found: CertificateDetails) -> Iterable[str]:
    """Whether it is another certificate than the chosen one."""
    chosen = check.chosen
    if not chosen.known:
        if chosen.reason:
            yield f"{_title(found, check.owners)} is still in use: {chosen.reason}"
        return
    if found.fingerprint in {each.fingerprint for each in chosen.certificates}:
        return
    if not chosen.certificates:
        yield f"{_title(found, check.owners)}, although none is expected: {chosen.reason}"
        return
    other = and_more([f"{s} ({c.serial[:SHORT]})" for s, c in zip(chosen.secrets, chosen.certificates, strict=True)])
    yield f"{_title(found, check.owners)} instead of that of secret {other}; if it stays so, see rancherctl env status"


def _faults(check: TlsCheck, found: CertificateDetails, now: float) -> Iterable[str]:
    """What clients object to."""
    if not found.facts.covers(check.name):
        valid = and_more(found.facts.names, shown=3) or "no name"
        yield f"the certificate is for {valid}, not for {check.name}: have another one issued, or correct tls"
    if found.days_left(now) < 0:
        date = certificate_details.timestamp(found.facts.not_after)
        yield f"the certificate expired at {date}: {_renew(check, found)}"
    elif found.not_before > now:
        yield f"the certificate is not valid before {certificate_details.timestamp(found.not_before)}"


def _renew(check: TlsCheck, found: CertificateDetails) -> str:
    secret = check.owners.get(found.fingerprint)
    return replacing(secret) if secret else "renew it"
