"""TLS entries of Ingresses → who owns a name, and which secrets a host needs. Pure.

Names are claims like paths: the oldest Ingress whose ``tls`` names a site owns the name, whether its secret is valid or
not. A lapse must not hand a name to another tenant: only Ingresses of the owner's namespace may fill in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from rancherctl.ingress.model import ANY_HOST, ClientPolicy, TlsName, Translated, host_of, site_id, tls_id
from rancherctl.ingress.options import NO_TLS_OPTIONS, TlsOptions
from rancherctl.ingress.translate import validate
from rancherctl.ingress.translate.clients import joined, unverifiable
from rancherctl.ingress.translate.merge import wildcard_of
from rancherctl.ingress.translate.redirects import SiteRedirect, owned_redirects
from rancherctl.kube.objects import IngressTls
from rancherctl.placement.model import ObjectProblem
from rancherctl.text import and_more


def tls_names(
    entries: Iterable[IngressTls], namespace: str, sites: Collection[str]
) -> tuple[tuple[TlsName, ...], list[ObjectProblem]]:
    """The names of one Ingress with their secrets, sorted, and what is wrong with its entries.

    ``sites`` are the host patterns of its rules. An entry without hosts is for all of them that no other entry names;
    a rule without a host has no name. A host of an entry that no rule answers for is left out.
    """
    named = {s for s in sites if s != ANY_HOST}
    problems: list[ObjectProblem] = []
    parsed: list[tuple[str, str]] = []
    for secret, host in ((entry.secret, host) for entry in entries for host in entry.hosts or ("",)):
        try:
            name = f"{namespace}/{validate.name(secret, 'secret')}" if secret else ""
            parsed.append((validate.host(host), name))
        except ValueError as error:
            problems.append(ObjectProblem("InvalidTls", f"tls: {error}"))
    found = {TlsName(host, site, secret) for host, secret in parsed if (site := _site(host, named))}
    # An entry for *.example.org is also for a rule's a.example.org, unless another entry names that one.
    free = named - {t.site for t in found}
    found |= {TlsName(s, s, secret) for host, secret in parsed for s in free if wildcard_of(s) == host}
    free = named - {t.site for t in found}
    found |= {TlsName(s, s, secret) for host, secret in parsed if host == ANY_HOST for s in free}
    used = {t.name for t in found} | {wildcard_of(t.name) for t in found} | {ANY_HOST}
    if unused := sorted({host for host, _ in parsed} - used):
        message = f"tls: no rule of this ingress is for {and_more(unused)}"
        problems.append(ObjectProblem("TlsHostWithoutRule", message, serious=False))
    return tuple(sorted(found, key=lambda t: (t.name, t.site, t.secret))), problems


def _site(host: str, sites: Collection[str]) -> str:
    """The host pattern of a rule that answers for a host of an entry: itself, or a wildcard; "" if there is none."""
    return next((site for site in (host, wildcard_of(host)) if site in sites), "")


@dataclass(frozen=True, slots=True)
class TlsClaim:
    """Who provides the certificates of a name.

    ``candidates`` are Ingresses of the ``owner``'s namespace with their secrets, the oldest first: the first one with
    a usable certificate provides it. ``options`` are the owner's in any case. ``plain`` are the sites whose plain
    requests are redirected to this one. ``client``: what clients must show in the handshake, None = nothing.
    """

    site: str
    owner: str
    candidates: tuple[tuple[str, tuple[str, ...]], ...]
    options: TlsOptions = NO_TLS_OPTIONS
    plain: tuple[str, ...] = ()
    client: ClientPolicy | None = None
    secrets: tuple[str, ...] = field(init=False, compare=False)
    """Those of all candidates, "" for the default certificate, and the key of the authorities of clients."""

    def __post_init__(self) -> None:
        every = [secret for _, secrets in self.candidates for secret in secrets]
        object.__setattr__(self, "secrets", (*every, self.client.authority) if self.client else tuple(every))


@dataclass(frozen=True, slots=True)
class TlsClaims:
    """The claim on each SNI name, problems of Ingresses that share one, and the secrets that concern each Ingress.

    Names and sites have the HTTPS port after them if it is not the default one (``model.tls_id``). ``redirects`` are
    options of sites of plain requests.
    """

    names: Mapping[str, TlsClaim] = field(default_factory=dict)
    problems: Mapping[str, tuple[ObjectProblem, ...]] = field(default_factory=dict)
    secrets: Mapping[str, frozenset[str]] = field(default_factory=dict)
    redirects: Mapping[str, SiteRedirect] = field(default_factory=dict)

    def on(self, sites: Collection[str]) -> dict[str, TlsClaim]:
        """The claims that a host needs to answer for these host patterns.

        These are names of Ingresses placed there, and of those that share a host pattern with one. Others, whose rules
        the host knows because they might match, are not among them: their keys have no business there.
        """
        return {name: claim for name, claim in self.names.items() if host_of(claim.site) in sites}


def claim_names(translated: Mapping[str, Translated], serving: Collection[str] = ()) -> TlsClaims:
    """Give each name to the oldest Ingress that has a secret for it; see ``merge.merge`` for who may own anything."""
    found: dict[str, tuple[str, str, dict[str, list[str]], dict[str, None]]] = {}
    problems: dict[str, list[ObjectProblem]] = {}
    able = [t for t in translated.values() if t.placeable or t.key in serving]
    policies = {t.key: t.client for t in able if t.client}
    for t in sorted((t for t in able if t.tls and t.ports.https), key=lambda t: t.age):
        namespace = t.key.partition("/")[0]
        shadowed: dict[str, list[str]] = {}
        overruled: dict[str, list[str]] = {}
        for n in t.tls:
            own_site = tls_id(n.site, t.ports.https)
            site, owner, candidates, plain = found.setdefault(tls_id(n.name, t.ports.https), (own_site, t.key, {}, {}))
            if site == own_site and t.ports.http:
                plain[site_id(n.site, t.ports.http)] = None
            if owner.partition("/")[0] == namespace and site == own_site:
                candidates.setdefault(t.key, []).append(n.secret)
            else:
                shadowed.setdefault(owner, []).append(n.name)
            if t.tls_options.changed and t.tls_options != translated[owner].tls_options:
                overruled.setdefault(owner, []).append(n.name)
        for owner, names in shadowed.items():
            message = f"the certificate of {and_more(sorted(set(names)))} is that of the older ingress {owner}"
            problems.setdefault(t.key, []).append(ObjectProblem("CertificateShadowed", message))
        for owner, names in overruled.items():
            message = f"the TLS annotations of the older ingress {owner} count for {and_more(sorted(set(names)))}"
            problems.setdefault(t.key, []).append(ObjectProblem("TlsOptionsShadowed", message))
    claims = {
        name: TlsClaim(
            site,
            owner,
            tuple((key, tuple(dict.fromkeys(s))) for key, s in given.items()),
            translated[owner].tls_options,
            tuple(plain),
            joined([policies.get(key) for key in given]) if policies else None,
        )
        for name, (site, owner, given, plain) in found.items()
    }
    for key, policy in policies.items():
        t = translated[key]
        own = {n.name: claims[tls_id(n.name, t.ports.https)] for n in t.tls} if t.ports.https else {}
        by_name = {name: (claim.owner, claim.client) for name, claim in own.items()}
        if unmet := unverifiable(t, policy, by_name):
            problems.setdefault(key, []).extend(unmet)
    secrets: dict[str, set[str]] = {}
    for claim in claims.values():
        named = set(claim.secrets) - {""}
        for key, _ in claim.candidates:
            secrets.setdefault(key, set()).update(named)
    redirects = owned_redirects(able, problems)
    return TlsClaims(
        claims,
        {k: tuple(v) for k, v in problems.items()},
        {key: frozenset(each) for key, each in secrets.items()},
        redirects,
    )


def sites_of(translated: Mapping[str, Translated], serving: Iterable[str]) -> frozenset[str]:
    """The host patterns that a host answers for on purpose; a rule without a host has no name of its own."""
    return frozenset({site for key in serving if key in translated for site in translated[key].hosts} - {ANY_HOST})


def secrets_on(claims: TlsClaims, sites: Collection[str]) -> frozenset[str]:
    """The secrets that a host needs to answer for these host patterns; not the default certificate."""
    every = claims.on(sites).values()
    return frozenset({secret for claim in every for secret in claim.secrets if secret})
