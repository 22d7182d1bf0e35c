"""Which certificates a host uses for which names, and what to say about each secret. Pure.

A secret that becomes unusable keeps its last good certificate; without any, its sites answer plain requests only and
are not redirected, so that an ACME challenge over HTTP can succeed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from rancherctl.ingress.model import ANY_HOST, NO_TLS, TlsModel, Translated, host_of, tls_id
from rancherctl.ingress.options import HTTPS_PORT
from rancherctl.ingress.translate.certificate import CertificateFacts
from rancherctl.ingress.translate.clients import NO_CLIENTS, HostClients, authority_problems, host_clients
from rancherctl.ingress.translate.redirects import SiteRedirect, decided, unused
from rancherctl.ingress.translate.tls import TlsClaim
from rancherctl.placement.model import ObjectProblem
from rancherctl.text import plural

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


@dataclass(frozen=True, slots=True)
class TlsPolicy:
    """What the environment says: the secret of the ``default`` certificate ("" = none), and whether to ``redirect``.

    The latter is for Ingresses that do not say it themselves.
    """

    default: str = ""
    redirect: bool = True


NO_POLICY: Final = TlsPolicy()


@dataclass(frozen=True, slots=True)
class HostTls:
    """The ``model`` of one host, and problems of certificates by Ingress key."""

    model: TlsModel = NO_TLS
    problems: Mapping[str, tuple[ObjectProblem, ...]] = field(default_factory=dict)


_Inputs = tuple[object, ...]


class CertificateChoice:
    """Chooses certificates for names, and keeps what it found for those whose claim and secrets did not change."""

    def __init__(self) -> None:
        self._chosen: dict[str, tuple[_Inputs, tuple[str, ...]]] = {}
        self._problems: dict[str, tuple[_Inputs, tuple[ObjectProblem, ...]]] = {}

    def host_tls(
        self,
        claims: Mapping[str, TlsClaim],
        serving: Iterable[Translated],
        states: Mapping[str, SecretState],
        policy: TlsPolicy,
        now: float,
        *,
        redirects: Mapping[str, SiteRedirect] | None = None,
        strict: Collection[str] = (),
    ) -> HostTls:
        """Choose the certificates for ``claims``, the names that a host answers for.

        ``serving`` are the Ingresses that it serves on purpose. ``now`` is in seconds since 1970; what is said about
        the time that is left may be a minute old. ``redirects`` are options by site. ``strict`` are the host
        patterns for which it matters whether their certificates are valid.
        """
        default = states.get(policy.default, MISSING) if policy.default else MISSING
        names: dict[str, tuple[str, ...]] = {}
        secured: set[str] = set()
        certified: dict[str, int] = {}
        own: set[str] = set()
        before, self._chosen = self._chosen, {}
        for name, claim in claims.items():
            inputs = (claim, default, *[states.get(secret) for secret in claim.secrets])
            found = before.get(name)
            if found is None or found[0] != inputs:
                found = inputs, tuple(state.content for _, state in _chosen(claim, states, default))
            self._chosen[name] = found
            if contents := found[1]:
                secured.add(claim.site)
                if name == claim.site:  # a certificate for one of its names is not for all hosts of a wildcard
                    own.add(name)
                    port = int(name.partition(":")[2] or HTTPS_PORT)
                    for plain in claim.plain:
                        certified.setdefault(plain, port)
                if contents != (default.content,) or any(claim.secrets) or claim.options.changed:
                    names[name] = contents
        options = {name: claims[name].options for name in names if claims[name].options.changed}
        clients = _clients(claims, names, states)
        for name, (authority, verify) in clients.files.items():
            options[name] = replace(claims[name].options, authority=authority, verify=verify)
        every = list(serving)
        if default.content:
            claimed = {claim.site for claim in claims.values()}
            sites = {tls_id(host, t.ports.https) for t in every if t.ports.https for host in t.hosts}
            secured |= {site for site in sites if site not in claimed or host_of(site) == ANY_HOST}
        made = decided(certified, redirects or {}, secured, redirect=policy.redirect)
        others = {plain: port for plain, port in made.ports.items() if port != HTTPS_PORT}
        valid = frozenset(own.intersection(strict) - _doubtful(claims, states, default, strict, now))
        problems = self._all_problems(
            [t for t in every if t.tls or t.client or not t.ports.http], claims, states, policy, now
        )
        for key, problem in unused(every, secured):
            problems[key] = (*problems.get(key, ()), problem)
        model = TlsModel(
            names,
            options,
            frozenset(secured),
            certified=valid,
            redirects=made.statuses,
            default=default.content,
            https_ports=others,
            clients=clients.clients,
            authorities=clients.authorities,
        )
        return HostTls(model, problems)

    def _all_problems(
        self,
        served: Iterable[Translated],
        claims: Mapping[str, TlsClaim],
        states: Mapping[str, SecretState],
        policy: TlsPolicy,
        now: float,
    ) -> dict[str, tuple[ObjectProblem, ...]]:
        default = states.get(policy.default, MISSING) if policy.default else MISSING
        before, self._problems = self._problems, {}
        out: dict[str, tuple[ObjectProblem, ...]] = {}
        for t in served:
            own = [x for n in t.tls for x in (claims.get(tls_id(n.name, t.ports.https)), states.get(n.secret))]
            own += [states.get(t.client.authority)] if t.client else []
            inputs = (t, policy, default, now // 60, *own)
            found = before.get(t.key)
            if found is None or found[0] != inputs:
                found = inputs, _problems(t, claims, states, policy, default, now)
            self._problems[t.key] = found
            if found[1]:
                out[t.key] = found[1]
        return out


def _clients(
    claims: Mapping[str, TlsClaim], secured: Collection[str], states: Mapping[str, SecretState]
) -> HostClients:
    authorities = {claim.client.authority for claim in claims.values() if claim.client}
    if not authorities:
        return NO_CLIENTS
    policies = {name: claim.client for name, claim in claims.items()}
    return host_clients(policies, secured, usable({key: states[key] for key in authorities if key in states}))


def usable(states: Mapping[str, SecretState]) -> dict[str, str]:
    """Key → content of each secret that can be used."""
    return {key: state.content for key, state in states.items() if state.content}


def _doubtful(
    claims: Mapping[str, TlsClaim],
    states: Mapping[str, SecretState],
    default: SecretState,
    strict: Collection[str],
    now: float,
) -> set[str]:
    """Those of the ``strict`` sites that clients may be shown a certificate for that they do not accept.

    It is not their own, has expired or is for another name.
    """
    out: set[str] = set()
    for name, claim in claims.items() if strict else ():
        if claim.site in strict:
            for secret, state in _chosen(claim, states, default):
                if not (secret and state.facts and state.facts.covers(host_of(name)) and state.facts.not_after > now):
                    out.add(claim.site)
    return out


def _chosen(
    claim: TlsClaim, states: Mapping[str, SecretState], default: SecretState
) -> tuple[tuple[str, SecretState], ...]:
    """The secrets of a name with its certificates: of the oldest Ingress with any, one for each kind of key."""
    for _, secrets in claim.candidates:
        found: dict[str, tuple[str, SecretState]] = {}
        for secret in secrets:
            state = states.get(secret, MISSING) if secret else default
            if state.content:
                found.setdefault(state.facts.key_kind if state.facts else "", (secret, state))
        if found:
            return tuple(found.values())
    return ()


def _problems(
    t: Translated,
    claims: Mapping[str, TlsClaim],
    states: Mapping[str, SecretState],
    policy: TlsPolicy,
    default: SecretState,
    now: float,
) -> tuple[ObjectProblem, ...]:
    """What to say about the secrets of one Ingress."""
    out: list[ObjectProblem] = []
    if t.client:
        state = states.get(t.client.authority, MISSING)
        out += authority_problems(t.client, state.trouble, state.reason)
    own: dict[str, list[str]] = {}
    if not t.tls and not policy.default:
        message = "it is not served over HTTP, and over HTTPS it needs tls: the environment has no default certificate"
        out.append(ObjectProblem("NotServed", message))
    for n in t.tls:
        claim = claims.get(tls_id(n.name, t.ports.https))
        if claim is not None and any(key == t.key for key, _ in claim.candidates):
            own.setdefault(n.secret, []).append(n.name)
    for secret, names in sorted(own.items()):
        if secret:
            out += _of_secret(title(secret), states.get(secret, MISSING), names, now)
        elif not policy.default:
            message = f"tls without a secret for {', '.join(names[:3])}, and the environment has no default certificate"
            out.append(ObjectProblem("NoDefaultCertificate", message))
        else:
            out += _of_secret(title(policy.default, default=True), default, names, now)
    return tuple(out)


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
