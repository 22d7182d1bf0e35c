"""Which certificates a host uses for which names, and what to say about each secret. Pure.

A secret that becomes unusable keeps its last good certificate; without any, its sites answer plain requests only and
are not redirected, so that an ACME challenge over HTTP can succeed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from rancherctl.ingress.model import ANY_HOST, Translated, host_of, tls_id
from rancherctl.ingress.options import HTTPS_PORT
from rancherctl.ingress.tls_model import NO_EXCLUSIONS, NO_TLS, Exclusions, TlsModel
from rancherctl.ingress.translate import secret_states, wildcards
from rancherctl.ingress.translate.clients import NO_CLIENTS, HostClients, host_clients
from rancherctl.ingress.translate.redirects import SiteRedirect, decided, unused
from rancherctl.ingress.translate.secret_states import MISSING, SecretState, usable
from rancherctl.ingress.translate.tls import TlsClaim
from rancherctl.placement.model import ObjectProblem


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
        chosen, excluded, hidden = self._choose(claims, states, default)
        names: dict[str, tuple[str, ...]] = {}
        secured: set[str] = set()
        certified: dict[str, int] = {}
        own: set[str] = set()
        for name, contents in chosen.items():
            claim = claims[name]
            secured.add(claim.site)
            if name == claim.site:  # a certificate for one of its names is not for all hosts of a wildcard
                own.add(name)
                port = int(name.partition(":")[2] or HTTPS_PORT)
                for plain in claim.plain:
                    certified.setdefault(plain, port)
            special = any(claim.secrets) or claim.options.changed or wildcards.parent_of(name) in chosen
            if special or contents != (default.content,):
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
        concerned = [t for t in every if t.tls or t.client or not t.ports.http]
        problems = self._all_problems(concerned, claims, states, policy, now, hidden)
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
            excluded=excluded,
        )
        return HostTls(model, problems)

    def _choose(
        self, claims: Mapping[str, TlsClaim], states: Mapping[str, SecretState], default: SecretState
    ) -> tuple[dict[str, tuple[str, ...]], Exclusions, frozenset[str]]:
        """The contents of each name that has any, what wildcards exclude, and names that do not fit in that."""
        before, self._chosen = self._chosen, {}
        chosen: dict[str, tuple[str, ...]] = {}
        for name, claim in claims.items():
            inputs = (claim, default, *[states.get(secret) for secret in claim.secrets])
            found = before.get(name)
            if found is None or found[0] != inputs:
                found = inputs, tuple(state.content for _, state in _chosen(claim, states, default))
            self._chosen[name] = found
            if found[1]:
                chosen[name] = found[1]
        kinds: dict[str, str] = {}
        if any(name.startswith("*.") for name in chosen):
            kinds = {state.content: state.facts.key_kind for state in (*states.values(), default) if state.facts}
        if not kinds:
            return chosen, NO_EXCLUSIONS, frozenset()
        excluded, hidden = wildcards.exclusions(chosen, kinds)
        return {name: contents for name, contents in chosen.items() if name not in hidden}, excluded, hidden

    def _all_problems(
        self,
        served: Iterable[Translated],
        claims: Mapping[str, TlsClaim],
        states: Mapping[str, SecretState],
        policy: TlsPolicy,
        now: float,
        hidden: frozenset[str],
    ) -> dict[str, tuple[ObjectProblem, ...]]:
        default = states.get(policy.default, MISSING) if policy.default else MISSING
        before, self._problems = self._problems, {}
        out: dict[str, tuple[ObjectProblem, ...]] = {}
        for t in served:
            own = [x for n in t.tls for x in (claims.get(tls_id(n.name, t.ports.https)), states.get(n.secret))]
            own += [states.get(t.client.authority)] if t.client else []
            too_many = tuple(n.name for n in t.tls if tls_id(n.name, t.ports.https) in hidden) if hidden else ()
            inputs = (t, policy, default, now // 60, too_many, *own)
            found = before.get(t.key)
            if found is None or found[0] != inputs:
                said = secret_states.problems(t, claims, states, policy.default, default, now)
                found = inputs, (*secret_states.too_many(too_many), *said)
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
