"""Derive what should be served, for the whole cluster and for one host's HAProxy. Pure.

The agent's role calls ``build`` for its host, the controller and the command line call it for the cluster.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain

from rancherctl.ingress.model import NO_PROXIES, BackendRef, Listener, Model, Proxies, Route, Server, Translated
from rancherctl.ingress.options import HTTPS_PORT, AccessLog, Protocol, RouteOptions
from rancherctl.ingress.role import draining
from rancherctl.ingress.role.draining import Serving
from rancherctl.ingress.tls_model import NO_TLS
from rancherctl.ingress.translate import endpoints
from rancherctl.ingress.translate.cache import TranslationCache
from rancherctl.ingress.translate.certificates import NO_POLICY, TlsPolicy
from rancherctl.ingress.translate.clients import effective
from rancherctl.ingress.translate.merge import HostRules, Merged
from rancherctl.ingress.translate.secret_states import SecretState, usable
from rancherctl.ingress.translate.tls import TlsClaims
from rancherctl.kube.objects import EndpointSlice, Ingress, IngressClass, Service
from rancherctl.placement.model import ObjectProblem, Roster
from rancherctl.placement.place import Placement
from rancherctl.text import short_digest

MAX_BACKEND_PROBLEMS = 5
"""Backend problems reported for one Ingress: a host's report has a limited size, which one user must not use up."""


@dataclass(frozen=True, slots=True)
class Tables:
    """API objects by key. ``resolved`` maps external names to addresses.

    ``secrets`` are the states of TLS secrets on this host at ``today``, in seconds since 1970. The cluster-wide part
    needs only Ingresses and classes.
    """

    ingresses: Mapping[str, Ingress]
    classes: Mapping[str, IngressClass]
    services: Mapping[str, Service] = field(default_factory=dict)
    slices: Mapping[str, EndpointSlice] = field(default_factory=dict)
    resolved: Mapping[str, Sequence[str]] = field(default_factory=dict)
    secrets: Mapping[str, SecretState] = field(default_factory=dict)
    today: float = 0.0


@dataclass(frozen=True, slots=True)
class Previous:
    """What a host did until now: the Ingress keys that it ``serves`` (None = unknown), and its published address.

    ``leaving`` maps Ingresses that leave the host to the time when that began, in monotonic seconds. ``refused`` are
    problems seen in traffic by backend key.
    """

    serves: Collection[str] | None = None
    address: str = ""
    leaving: Mapping[str, float] = field(default_factory=dict)
    refused: Mapping[str, ObjectProblem] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LocalHost:
    """The host to build a model for.

    ``drain`` is the time between its address leaving a status and the removal of the route, in seconds.
    ``external_names``: whether ExternalName Services are served. ``proxies`` are in front of it. ``access_log`` counts
    for Ingresses that do not say which requests are logged.
    """

    name: str
    listeners: tuple[Listener, ...]
    drain: float = 2.0
    external_names: bool = True
    proxies: Proxies = NO_PROXIES
    tls: TlsPolicy = NO_POLICY
    access_log: AccessLog = "errors"


@dataclass(frozen=True, slots=True)
class DesiredHost:
    """One host: the ``model`` of its HAProxy, the Ingresses that it serves on purpose, and its published ``address``.

    ``problems`` are those of backends and certificates by Ingress key. ``secrets`` are those that concern each Ingress
    on purpose here.
    """

    model: Model = field(default_factory=Model)
    serving: Serving = field(default_factory=Serving)
    address: str = ""
    problems: Mapping[str, tuple[ObjectProblem, ...]] = field(default_factory=dict)
    secrets: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Desired:
    """Translations, placements and path owners of all Ingresses of the rancherctl class, and what one ``host`` does.

    Keep no more of it than needed: its thousands of objects would be visited by each garbage collection.
    """

    translated: Mapping[str, Translated]
    placements: Mapping[str, Placement]
    merged: Merged
    claims: TlsClaims
    host: DesiredHost = field(default_factory=DesiredHost)

    @property
    def problems(self) -> Mapping[str, tuple[ObjectProblem, ...]]:
        """Problems of Ingresses that share a path or a TLS name, by Ingress key."""
        paths, names = self.merged.problems, self.claims.problems
        return {key: (*paths.get(key, ()), *names.get(key, ())) for key in paths.keys() | names.keys()}


def build(
    tables: Tables, roster: Roster, previous: Previous, cache: TranslationCache, host: LocalHost | None, now: float
) -> Desired:
    """Derive what should be served. Without a ``host``, that part of the result stays empty.

    ``cache`` is kept by the caller between calls. ``now`` is monotonic, in seconds.
    """
    translated = cache.translate_all(tables.ingresses, tables.classes)
    placements = cache.place_all(translated, roster)
    if host is None:
        return Desired(translated, placements, cache.merge(translated), cache.claim_names(translated))
    listed = roster.host(host.name)
    address = listed.address if listed else previous.address
    statuses = {key: (key in translated, i.status) for key, i in tables.ingresses.items()}
    serves = previous.serves
    if serves is None:  # the state file is lost: what statuses publish for this host counts as served
        serves = [key for key, (_, addresses) in statuses.items() if address in addresses]
    serving = draining.serving(
        [key for key, placement in placements.items() if host.name in placement.hosts],
        serves,
        statuses,
        own_address=address,
        leaving=previous.leaving,
        now=now,
        drain=max(host.drain, listed.draining if listed else 0),
    )
    left = {key: cache.translate(tables.ingresses[key]) for key in serving.keys - translated.keys()}
    translated = {**translated, **left}
    rules, claims = cache.host_rules(translated, serving.keys), cache.claim_names(translated, serving.keys)
    model, problems = _host_model(translated, serving.keys, rules, cache, tables, host, previous.refused)
    on_purpose = [translated[key] for key in serving.keys if key in translated]
    sites = cache.sites_of(translated, serving.keys)
    names = cache.claims_on(claims, sites)
    tls = cache.certificates.host_tls(
        names,
        on_purpose,
        tables.secrets,
        host.tls,
        tables.today,
        redirects=claims.redirects,
        strict={r.host.removesuffix(f":{HTTPS_PORT}") for r in model.routes if r.options.hsts},
    )
    model = replace(model, tls=tls.model if model.listeners else NO_TLS)
    problems = {k: (*problems.get(k, ()), *tls.problems.get(k, ())) for k in problems.keys() | tls.problems.keys()}
    secrets = {t.key: claims.secrets.get(t.key, frozenset()) for t in on_purpose if t.tls}
    own = DesiredHost(model, serving, address, problems, secrets)
    return Desired(translated, placements, rules.merged, claims, own)


def _host_model(
    translated: Mapping[str, Translated],
    serving: frozenset[str],
    rules: HostRules,
    cache: TranslationCache,
    tables: Tables,
    host: LocalHost,
    refused: Mapping[str, ObjectProblem],
) -> tuple[Model, Mapping[str, tuple[ObjectProblem, ...]]]:
    """The model of a host that serves ``serving``, and problems of the backends of these Ingresses."""
    routes = rules.routes
    cache.keep_lookups(rules.backends)
    slices = cache.slices_by_service(tables.slices)
    servers: dict[str, tuple[Server, ...]] = {}
    failing = dict(refused)
    protocols: dict[str, Protocol] = {}
    for key, route in rules.forwarding.items():
        ref, target = route.backend, route.options.target
        lookup = cache.servers_of(ref, tables.services, slices, tables.resolved, external=host.external_names)
        servers[key] = lookup.servers
        protocols[ref.key] = lookup.protocol
        if lookup.problem:
            failing[ref.key] = lookup.problem
        if target:
            local = cache.servers_of(ref, tables.services, slices, tables.resolved, node=host.name).servers
            servers[key] = local if local or target == "only-local" else lookup.servers
            if lookup.servers and not servers[key]:
                failing.setdefault(ref.key, _not_local(ref.key, host.name))
    if any(protocols.values()) or any(r.options.protocol or r.options.sticky for r in routes):
        cookie_key = _cookie_key(tables)
        routes = tuple(_effective(route, protocols.get(route.backend.key, ""), cookie_key) for route in routes)
        for key in {r.backend.key for r in routes if r.options.protocol in {"https", "grpcs"}}:
            failing.setdefault(key, _not_verified(key))
    if host.access_log != "errors" or any(route.options.access_log for route in routes):
        routes = tuple(_logged(route, host.access_log) for route in routes)
    if any(route.options.client_ca for route in routes):
        authorities = usable(tables.secrets)
        routes = tuple(effective(route, authorities) for route in routes)
    affected = sorted(serving & rules.loaded) if failing else ()
    problems = {key: found for key in affected if (found := _problems_of(translated[key], failing))}
    model = Model(
        _listeners(host, rules),
        routes,
        servers,
        rules.hashes,
        rules.bare,
        host.proxies,
        secured=rules.secured,
        ports=rules.ports,
    )
    return model, problems


def _listeners(host: LocalHost, rules: HostRules) -> tuple[Listener, ...]:
    """Those of the host if an Ingress needs the default ports, and those of all other ports in use."""
    if not rules.loaded:
        return ()
    families = dict.fromkeys(listener.family for listener in host.listeners)
    own = (Listener(family, port, scheme, own=True) for port, scheme in rules.own_ports for family in families)
    return (*(host.listeners if rules.default_ports else ()), *own)


def _effective(route: Route, said: Protocol, cookie_key: str) -> Route:
    """The route with what only hosts know: the protocol that the Service port says, and the key of cookies."""
    options = route.options
    if not (route.forwards and (said or options.protocol or options.sticky)):
        return route
    return replace(route, options=_effective_options(options, said, cookie_key))


@lru_cache(maxsize=1 << 10)
def _effective_options(options: RouteOptions, said: Protocol, cookie_key: str) -> RouteOptions:
    protocol = options.protocol or said
    key = cookie_key if options.sticky else ""
    return replace(options, protocol="" if protocol == "http" else protocol, sticky_key=key)


def _logged(route: Route, default: AccessLog) -> Route:
    """The route with what its requests are logged; errors are what HAProxy does without any option."""
    wanted = route.options.access_log or default
    said = "" if wanted == "errors" or route.options.closed else wanted
    return route if said == route.options.access_log else replace(route, options=_with_log(route.options, said))


@lru_cache(maxsize=1 << 10)
def _with_log(options: RouteOptions, said: AccessLog) -> RouteOptions:
    return replace(options, access_log=said)


def _cookie_key(tables: Tables) -> str:
    """What makes cookies of sticky sessions unpredictable: the same on all hosts, and known to no client."""
    service = tables.services.get("default/kubernetes")
    return short_digest(f"sticky {service.meta.uid}", 32) if service else ""


def _not_local(backend: str, host: str) -> ObjectProblem:
    message = f"{backend} has no ready endpoint on {host}; target only-local answers with 503 there"
    return ObjectProblem("NoLocalEndpoint", message, serious=False)


def _not_verified(backend: str) -> ObjectProblem:
    return ObjectProblem("BackendNotVerified", f"the certificate of {backend} is not verified", serious=False)


def _problems_of(t: Translated, failing: Mapping[str, ObjectProblem]) -> tuple[ObjectProblem, ...]:
    found = [failing[b] for b in sorted({r.backend.key for r in t.routes if r.forwards}) if b in failing]
    if len(found) <= MAX_BACKEND_PROBLEMS:
        return tuple(found)
    hidden = len(found) - MAX_BACKEND_PROBLEMS
    rest = ObjectProblem("MoreBackends", f"{hidden} more backends of this ingress have problems")
    return (*found[:MAX_BACKEND_PROBLEMS], rest)


def external_names(tables: Tables, serves: Collection[str], cache: TranslationCache) -> frozenset[str]:
    """Names that must be resolved before ``build``: those behind ExternalName Services in use.

    Used by Ingresses of the rancherctl class, and by those that this host still ``serves``.
    """
    if not any(s.type == "ExternalName" for s in tables.services.values()):
        return frozenset()
    translated = cache.translate_all(tables.ingresses, tables.classes)
    leaving = (cache.translate(tables.ingresses[k]) for k in serves if k in tables.ingresses and k not in translated)
    routes = chain.from_iterable(t.routes for t in chain(translated.values(), leaving))
    refs: set[BackendRef] = {route.backend for route in routes if route.forwards}
    return endpoints.external_names(refs, tables.services)
