"""Which plain requests are redirected to HTTPS, where and with which status. Pure.

One value counts for a site, because the redirect comes before a rule for a path is chosen: that of the oldest
Ingress with ``tls`` for it, else of the oldest with rules. A site that waits for a certificate of its own is never
redirected: an authority could not issue it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from rancherctl.ingress.model import Translated, host_of, site_id, tls_id
from rancherctl.ingress.options import AS_ENVIRONMENT, HttpsRedirect
from rancherctl.placement.model import ObjectProblem
from rancherctl.text import and_more


class SiteRedirect(NamedTuple):
    """What the owner of a site says, and the HTTPS port of its Ingress (0 = none)."""

    option: HttpsRedirect
    port: int


def owned_redirects(every: Collection[Translated], problems: dict[str, list[ObjectProblem]]) -> dict[str, SiteRedirect]:
    """Sites (``model.site_id``) of plain requests whose owner says something else than the default.

    Adds to ``problems`` for those of ``every`` Ingress whose options do not count.
    """
    asking = sorted((t for t in every if t.redirect.changed and t.ports.http), key=lambda t: t.age)
    if not asking:  # mostly: thousands of Ingresses have no such options
        return {}
    asked = {site for t in asking for site in _plain(t, t.hosts)}
    owners: dict[str, Translated] = {}
    ordered = sorted((t for t in every if t.ports.http), key=lambda t: t.age)
    for t in ordered:
        if t.tls and t.ports.https:
            owners |= {site: t for site in _plain(t, {n.site for n in t.tls}) if site in asked and site not in owners}
    for t in ordered:
        owners |= {site: t for site in _plain(t, t.hosts) if site in asked and site not in owners}
    for t in asking:
        overruled: dict[str, list[str]] = {}
        for site in sorted(_plain(t, t.hosts)):
            if owners[site].redirect != t.redirect:
                overruled.setdefault(owners[site].key, []).append(site)
        for owner, sites in overruled.items():
            message = f"whether {and_more(sites)} is redirected to HTTPS is for the older ingress {owner} to say"
            problems.setdefault(t.key, []).append(ObjectProblem("SslRedirectShadowed", message))
    return {s: SiteRedirect(t.redirect, t.ports.https or 0) for s, t in owners.items() if t.redirect.changed}


def _plain(t: Translated, hosts: Iterable[str]) -> list[str]:
    """These hosts of an Ingress on its port for plain requests."""
    return [site_id(host, t.ports.http) for host in hosts] if t.ports.http else []


class Redirects(NamedTuple):
    """By site of plain requests that are redirected: status, and HTTPS port."""

    statuses: Mapping[str, int]
    ports: Mapping[str, int]


def decided(
    certified: Mapping[str, int], options: Mapping[str, SiteRedirect], secured: Collection[str], *, redirect: bool
) -> Redirects:
    """The redirects of one host.

    ``certified``: sites with a certificate of their own → HTTPS port. ``secured`` are all that are answered over TLS.
    ``redirect`` is what the environment says about Ingresses without ``options``.
    """
    statuses = dict.fromkeys(certified, AS_ENVIRONMENT.ssl_redirect_code) if redirect else {}
    ports = dict(certified)
    for site, (option, port) in options.items():
        choice = option.ssl_redirect or ("auto" if redirect else "false")
        by_default = choice == "true" and tls_id(host_of(site), port) in secured
        statuses.pop(site, None)
        if by_default or (choice != "false" and site in certified):
            statuses[site] = option.ssl_redirect_code
            ports.setdefault(site, port)
    return Redirects(statuses, {site: ports[site] for site in statuses})


def unused(serving: Iterable[Translated], secured: Collection[str]) -> Iterable[tuple[str, ObjectProblem]]:
    """Ingresses (by key) whose redirect would lead to hosts that are not answered over TLS.

    Those that wait for a certificate are reported elsewhere.
    """
    for t in serving:
        if t.redirect.ssl_redirect == "true" and t.ports.http:
            answered = {n.site for n in t.tls} if t.ports.https else set()
            idle = sorted(h for h in t.hosts - answered if tls_id(h, t.ports.https) not in secured)
            if idle:
                message = f"ssl-redirect has no effect for {and_more(idle)}: no certificate, and none by default"
                yield t.key, ObjectProblem("SslRedirectUnused", message)
