"""The load-balancer model as frozen values: listeners, routes, backends and servers. Pure.

A *backend* is one Service port (``namespace/service:port``). A *pool* (haproxy/layout.py) is the HAProxy backend that
it occupies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from rancherctl.ingress.options import (
    AS_ENVIRONMENT,
    DEFAULT_PORTS,
    HTTP_PORT,
    HTTPS_PORT,
    NO_OPTIONS,
    NO_TLS_OPTIONS,
    HttpsRedirect,
    PortGroup,
    RouteOptions,
    TlsOptions,
)
from rancherctl.ingress.tls_model import NO_TLS, TlsModel
from rancherctl.placement.model import ObjectProblem, Placeable, PlacementOptions

HASH_SCHEME = 1
"""Number of the rule that makes ``Translated.hash``: hashes of different schemes are not compared.

0 is release 0.1, whose reports have no number. Raise it in each release that gives any Ingress another hash, also if
only a new option does: an agent that does not know the option reports the hash without it.
"""
CLASS_NAME = "rancher"
ANY_HOST = "*"
"""The host pattern of a rule without a host."""

PathKind = Literal["exact", "prefix", "default"]
Family = Literal["IPv4", "IPv6"]
Scheme = Literal["http", "https"]


@dataclass(frozen=True, slots=True)
class Listener:
    """A place where a host's load balancer accepts connections.

    ``certificates`` is always empty: the certificates of HTTPS belong to names, see tls_model.py. It is part of stored
    values. ``own``: its port is one that Ingresses ask for by annotation, with sites of its own (``site_id``).
    """

    family: Family
    port: int
    protocol: Scheme = "http"
    certificates: tuple[str, ...] = ()
    own: bool = False


def http_listeners(port: int, families: Iterable[Family]) -> tuple[Listener, ...]:
    """Plain HTTP on one port, in these address families."""
    return tuple(Listener(family, port) for family in families)


def https_listeners(port: int, families: Iterable[Family]) -> tuple[Listener, ...]:
    """HTTPS on one port, in these address families."""
    return tuple(Listener(family, port, "https") for family in families)


def site_id(host: str, port: int) -> str:
    """How a host pattern on one port is named in routes and maps: ``a.example:8080``.

    The default ports share the sites of most Ingresses, so that on 80 it is the pattern alone, and on 443 also,
    unless an Ingress has only one of these two ports: then the site on 443 is ``a.example:443``.
    """
    return host if port == HTTP_PORT else f"{host}:{port}"


def tls_id(name: str, port: int | None) -> str:
    """How a name (SNI) or host pattern on one HTTPS port is named in TlsModel: on the default port by itself."""
    return name if port == HTTPS_PORT else f"{name}:{port}"


def host_of(site: str) -> str:
    """The host pattern of a site. A colon is in no name."""
    return site.partition(":")[0]


class Server(NamedTuple):
    """One endpoint: an IP address without brackets, and a port.

    A tuple, because every change compares thousands of them.
    """

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class BackendRef:
    """A Service port as an Ingress names it: by number, or by name (then ``number`` is 0)."""

    namespace: str
    service: str
    number: int = 0
    name: str = ""
    key: str = field(init=False, compare=False)
    """``namespace/service:port``; unique, and safe in a comment because all parts are validated names."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", f"{self.namespace}/{self.service}:{self.name or self.number}")

    @staticmethod
    def of(key: str) -> BackendRef:
        """The reference with this ``key``. A port's name always contains a letter."""
        namespace, _, rest = key.partition("/")
        service, _, port = rest.rpartition(":")
        return BackendRef(namespace, service, int(port)) if port.isdigit() else BackendRef(namespace, service, 0, port)


@dataclass(frozen=True, slots=True)
class Route:
    """One rule of an Ingress.

    ``host`` is a lower-case name, ``*.name`` or ``*`` (any); with a port if it is not for both default ports, see
    ``site_id``. ``path`` starts with a slash; a prefix ends with one.

    ``kind`` ``default`` is a defaultBackend: it answers for ``host`` if no path matches, and with host ``*`` for all
    unmatched requests. ``ingress`` is the key of its Ingress, for the access log.
    """

    host: str
    kind: PathKind
    path: str
    backend: BackendRef
    options: RouteOptions = NO_OPTIONS
    ingress: str = ""
    pool_key: str = field(init=False, compare=False, repr=False)
    """Routes with equal keys share one HAProxy backend: the same Service port with the same options.

    "" for a closed route.
    """
    servers_key: str = field(init=False, compare=False, repr=False)
    """The ``servers_key`` of its backend; "" if the load balancer itself answers."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "pool_key", pool_key(self.backend.key, self.options))
        own = servers_key(self.backend.key, self.options) if self.forwards else ""
        object.__setattr__(self, "servers_key", own)

    @property
    def forwards(self) -> bool:
        """Whether a service answers; otherwise the load balancer itself does."""
        return not (self.options.closed or self.options.redirect)

    @property
    def claim(self) -> tuple[str, str, str]:
        """What two Ingresses may not both own."""
        return (self.host, self.kind, self.path)


def pool_key(backend: str, options: RouteOptions) -> str:
    """``namespace/service:port``, and ``@`` with a digest of the options if they are not the defaults.

    "" for a closed route: it forwards no request.
    """
    if options.closed:
        return ""
    return f"{backend}@{digest(options.changed)}" if options.changed else backend


def servers_key(backend: str, options: RouteOptions) -> str:
    """Routes with equal keys have the same servers: the backend's key, and ``#`` with the target if there is one."""
    return f"{backend}#{options.target}" if options.target else backend


@dataclass(frozen=True, slots=True)
class TlsName:
    """A name for which an Ingress has a TLS secret.

    ``name`` is what clients ask for (SNI; may be ``*.parent``), ``site`` the host pattern of the Ingress's rules that
    answers for it. ``secret`` is ``namespace/name``, "" for the environment's default certificate.
    """

    name: str
    site: str
    secret: str


@dataclass(frozen=True, slots=True)
class ClientPolicy:
    """``authority`` is the key (purposes.py) of the secret with the authorities of clients' certificates.

    ``required``: whether clients without a certificate are refused.
    """

    authority: str
    required: bool = True


def content_hash(
    uid: str,
    routes: Iterable[Route],
    bare: Iterable[str],
    tls: Iterable[TlsName] = (),
    tls_options: TlsOptions = NO_TLS_OPTIONS,
    redirect: HttpsRedirect = AS_ENVIRONMENT,
) -> str:
    """The hash of everything that is rendered for one Ingress, except endpoints, certificates and placement.

    See HASH_SCHEME: a release that gives any Ingress another hash must raise that number.
    """
    parts = [
        (r.host, r.kind, r.path, r.backend.key, *((r.options.changed,) if r.options.changed else ())) for r in routes
    ]
    names = [(t.name, t.site, t.secret) for t in tls]
    options = [each for each in (tls_options.changed if names else {}, redirect.changed) if each]
    return digest(uid, parts, *sorted(bare), *([names] if names else []), *options)


@dataclass(frozen=True, slots=True)
class Translated:
    """One Ingress after validation.

    ``hash`` covers everything that decides what is served, except endpoints and placement.

    ``obstacle`` says why it cannot be placed on any host ("" = it can). ``bare`` are host patterns of rules without any
    valid path: nothing answers for them, and no other Ingress's wildcard does. ``tls`` are the names with a
    secret, sorted, all with the same ``tls_options``. ``ports`` are those that it is served on. ``client`` is what the
    options of its routes say about certificates of clients, None = nothing. ``redirect``
    says what happens to plain requests.
    """

    key: str
    created: str
    uid: str
    hash: str
    routes: tuple[Route, ...]
    problems: tuple[ObjectProblem, ...] = ()
    options: PlacementOptions = field(default_factory=PlacementOptions)
    obstacle: str = ""
    bare: frozenset[str] = frozenset()
    tls: tuple[TlsName, ...] = ()
    tls_options: TlsOptions = NO_TLS_OPTIONS
    ports: PortGroup = DEFAULT_PORTS
    client: ClientPolicy | None = None
    redirect: HttpsRedirect = AS_ENVIRONMENT
    age: tuple[str, str] = field(init=False, compare=False)
    """Sort key, oldest first; the key decides between equals, so every host and every restart agrees."""
    hosts: frozenset[str] = field(init=False, compare=False)
    """The host patterns of its rules, without ports."""
    sites: frozenset[str] = field(init=False, compare=False)
    """The same with the ports that they are served on, as in routes."""
    placeable: bool = field(init=False, compare=False)
    """Whether hosts may carry it."""
    claims: tuple[tuple[tuple[str, str, str], tuple[str, Route]], ...] = field(init=False, compare=False, repr=False)
    """(claim, (key, route)) of each route, made once: every change gives thousands of claims to their owners."""
    for_placement: Placeable = field(init=False, compare=False)
    """What placement and the status need to know about it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "age", (self.created or "9999", self.key))
        sites = self.bare.union([route.host for route in self.routes])
        hosts = sites if self.ports == DEFAULT_PORTS else frozenset(map(host_of, sites))
        object.__setattr__(self, "sites", sites)
        object.__setattr__(self, "hosts", hosts)
        object.__setattr__(self, "placeable", not self.obstacle)
        object.__setattr__(self, "claims", tuple([(r.claim, (self.key, r)) for r in self.routes]))
        # DNS made from statuses mixes the addresses of Ingresses with the same name. A rule for any host has none.
        shared = hosts - {ANY_HOST}
        ports = self.ports.needed(tls=bool(self.tls))
        placeable = Placeable(self.key, self.options, self.hash, ports, self.obstacle, shared)
        object.__setattr__(self, "for_placement", placeable)


@dataclass(frozen=True, slots=True)
class Proxies:
    """Networks of proxies in front of the load balancers, as ``ADDRESS/LENGTH``.

    X-Forwarded headers of ``trusted`` ones are kept, and the client that they name counts. Those that are ``speaking``
    must begin every connection with the PROXY protocol, version 1 or 2.
    """

    trusted: tuple[str, ...] = ()
    speaking: tuple[str, ...] = ()


NO_PROXIES = Proxies()


@dataclass(frozen=True, slots=True)
class Model:
    """What one host's HAProxy must do: listeners to open, routes (one per claim), servers per ``servers_key``.

    ``loaded`` are the content hashes of the Ingresses in it, ``secured`` those of them that need HTTPS. ``bare`` are
    host patterns that are known without any route. ``proxies`` is what the host knows about proxies in front of it.
    ``ports`` are those that loaded Ingresses need, by key, of all that do not have the default ones.
    """

    listeners: tuple[Listener, ...] = ()
    routes: tuple[Route, ...] = ()
    servers: Mapping[str, tuple[Server, ...]] = field(default_factory=dict)
    loaded: Mapping[str, str] = field(default_factory=dict)
    bare: frozenset[str] = frozenset()
    proxies: Proxies = NO_PROXIES
    tls: TlsModel = NO_TLS
    secured: frozenset[str] = frozenset()
    ports: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def servers_of(self, route: Route) -> tuple[Server, ...]:
        """The servers of a route; () if the load balancer itself answers."""
        return self.servers.get(route.servers_key, ())


def digest(*parts: object) -> str:
    """Twelve hex digits over the repr of ``parts`` (values with a stable repr only)."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]
