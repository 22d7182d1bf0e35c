"""Routes that annotations add to an Ingress: redirects of ``/`` and of names with or without ``www.``. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from rancherctl.ingress.model import ANY_HOST, Route
from rancherctl.ingress.options import RouteOptions, SiteOptions
from rancherctl.placement.model import ObjectProblem

WWW: Final = "www."
Claim = tuple[str, str, str]


def added_routes(
    routes: Mapping[Claim, Route], sites: SiteOptions, options: RouteOptions, problems: list[ObjectProblem]
) -> Iterator[Route]:
    """The routes that ``sites`` add; they replace routes with the same claim. Adds to ``problems``.

    ``options`` are those of the Ingress: who may send requests holds for redirects, too.
    """
    first: dict[str, Route] = {}
    for route in routes.values():
        first.setdefault(route.host, route)
    if sites.app_root:
        for host, route in sorted(first.items()):
            yield Route(host, "exact", "/", route.backend, _redirect(options, sites.app_root, 302), route.ingress)
    if sites.www:
        twins = {twin: host for host in first if (twin := _twin(host, sites.www))}
        for twin, host in sorted(twins.items()):
            if twin in first:
                message = f"{twin} has rules of its own, which are served; it is not redirected to {host}"
                problems.append(ObjectProblem("WwwRedirectUnused", message, serious=False))
            else:
                target = first[host]
                redirect = _redirect(options, f"//{host}", 308)
                yield Route(twin, "prefix", "/", target.backend, redirect, target.ingress)
        if not twins:
            kind = f"begins with {WWW}" if sites.www == "to-www" else f"does not begin with {WWW}"
            message = f"www-redirect: {sites.www} has no effect: the ingress has no host name that {kind}"
            problems.append(ObjectProblem("WwwRedirectUnused", message, serious=False))


def _twin(host: str, www: str) -> str:
    """The name that is redirected to ``host``; "" if there is none."""
    if host.startswith(ANY_HOST):
        return ""
    if www == "to-www":
        return host.removeprefix(WWW) if host.startswith(WWW) and "." in host.removeprefix(WWW) else ""
    return "" if host.startswith(WWW) else f"{WWW}{host}"


def _redirect(options: RouteOptions, target: str, code: int) -> RouteOptions:
    return RouteOptions(
        closed=options.closed,
        allow_source=options.allow_source,
        deny_source=options.deny_source,
        client_ca=options.client_ca,
        client_verify=options.client_verify,
        hsts=() if options.closed else options.hsts,
        access_log=options.access_log,
        redirect="" if options.closed else target,
        redirect_code=302 if options.closed else code,
    )
