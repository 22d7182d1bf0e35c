"""HAProxy's maps: their names, and what a model's routes, sites and options have in them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from rancherctl.ingress.haproxy.client_certificates import NAMES_MAP
from rancherctl.ingress.haproxy.pools import Pool
from rancherctl.ingress.haproxy.profiles import VALUE_MAPS, values_of
from rancherctl.ingress.haproxy.responses import CLOSED
from rancherctl.ingress.haproxy.secured import CERTIFIED
from rancherctl.ingress.model import Model, Route, host_of
from rancherctl.ingress.options import HTTPS_PORT
from rancherctl.ingress.translate.latest import Latest

INGRESS_MAP = "ingress"
PORT_MAPS = ("tls-tiers", "https-ports")
"""HAProxy has them only while an Ingress has not the default ports (``Layout.own_ports``)."""
MAPS = (
    *("hosts", "wildcards", "tls-tiers", "exact", "prefix"),
    *("trusted", "speaking", "secured", "to-https", "https-ports", NAMES_MAP),
    *VALUE_MAPS,
    INGRESS_MAP,
)
"""In this order keys are removed; they are added in the opposite one."""
NETWORK_MAPS = ("trusted", "speaking")
"""Their keys are networks, see ``model.Proxies``. HAProxy finds them by an address in them."""
LATER_MAPS = (*NETWORK_MAPS, "secured", "to-https", NAMES_MAP, *PORT_MAPS, *VALUE_MAPS, INGRESS_MAP)
"""Release 0.1 had none of them."""
_ON_HTTPS = f":{HTTPS_PORT}"
MAX_NAMED = 5
"""Ingresses that the access log names for a pool that they share."""


def maps_of(model: Model, pools: Iterable[Pool]) -> dict[str, dict[str, str]]:
    """The maps of a model whose routes lead to these pools.

    ``hosts``: name → tier; ``wildcards``: parent → tier; ``exact``: tier + path; ``prefix``: tier + path + slash. A
    tier is the matching host pattern, with the port if that is not a default one (``model.site_id``). The key ``*``
    in ``exact`` is the default backend for everything unmatched.
    ``trusted`` and ``speaking`` are sets: all values are 1. ``secured``: tiers that are answered over TLS → 1, or
    CERTIFIED. ``to-https``: those whose plain requests are redirected → status. ``https-ports``: their other HTTPS port
    with a colon.
    ``tls-tiers``: tier → tier on the default HTTPS port if that has other rules. ``client-names``: see
    client_certificates.py. The other maps have values by name of the pool: an option's, or in ``ingress``
    the Ingresses that lead to it, separated by commas.
    """
    live = [pool for pool in pools if pool.key]
    pool_of = {pool.key: pool.name for pool in live} | {"": CLOSED}
    maps: dict[str, dict[str, str]] = {name: {} for name in MAPS} | _route_maps(model.routes, model.bare, pool_of)
    if model.listeners:  # without one, HAProxy loads no maps
        maps["trusted"] = dict.fromkeys(model.proxies.trusted, "1")
        maps["speaking"] = dict.fromkeys(model.proxies.speaking, "1")
        maps["to-https"] = {site: str(status) for site, status in model.tls.redirects.items()}
        maps["https-ports"] = {site: f":{port}" for site, port in model.tls.https_ports.items()}
        for mark, sites in (("1", model.tls.sites), (CERTIFIED, model.tls.certified)):
            maps["secured"] |= {maps["tls-tiers"].get(site, site): mark for site in sites}
        maps[NAMES_MAP] = dict(model.tls.clients)
    for pool in (p for p in live if p.options.changed):
        for name, value in values_of(pool.options).items():
            maps[name][pool.name] = value
    return maps


def _maps_of_routes(
    routes: tuple[Route, ...], bare: Iterable[str], pool_of: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    maps: dict[str, dict[str, str]] = {"hosts": {}, "wildcards": {}, "tls-tiers": {}, "exact": {}, "prefix": {}}
    names: dict[str, str] = {}
    shared: dict[str, set[str]] = {}
    for host in {*bare, *(route.host for route in routes)} - {"*"}:
        if host.endswith(_ON_HTTPS):
            maps["tls-tiers"][host.removesuffix(_ON_HTTPS)] = host
        elif host.startswith("*."):
            maps["wildcards"][host[2:]] = host
        elif not host.startswith("*"):
            maps["hosts"][host] = host
    # Defaults come last: a prefix / has the same key as the default of its host, and counts before it.
    for route in sorted(routes, key=lambda r: r.kind == "default"):
        name, key = map_entry(route)
        pool = pool_of[route.pool_key]
        maps[name].setdefault(key, pool)
        if names.setdefault(pool, route.ingress) != route.ingress:
            shared.setdefault(pool, {names[pool]}).add(route.ingress)
    names |= {pool: _named(listed) for pool, listed in shared.items()}
    return maps | {INGRESS_MAP: {pool: name for pool, name in names.items() if name and pool != CLOSED}}


_route_maps: Final = Latest(_maps_of_routes)
"""A change of endpoints or certificates leaves them as they are."""


def _named(keys: Iterable[str]) -> str:
    """Keys of Ingresses in one word; those that were read from a layout may be several already."""
    return ",".join(sorted({key for word in keys for key in word.split(",") if key})[:MAX_NAMED])


def map_entry(route: Route) -> tuple[str, str]:
    """The map and the key that lead to a route."""
    if route.kind != "default":
        return route.kind, route.host + route.path
    return ("exact", route.host) if host_of(route.host) == "*" else ("prefix", f"{route.host}/")
