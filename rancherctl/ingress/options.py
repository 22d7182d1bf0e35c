"""Options of a route: how its requests are answered and forwarded, as typed values. Pure.

Annotations become these values (annotations/), and HAProxy gets them as map entries or as text (haproxy/profiles.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, Final, Literal

Protocol = Literal["", "http", "h2c", "https", "grpc", "grpcs"]
"""How a service is spoken to. ``h2c`` and ``grpc`` are HTTP/2 without TLS, ``grpcs`` is HTTP/2 with TLS."""
AccessLog = Literal["", "true", "false", "errors"]


@dataclass(frozen=True, slots=True)
class RouteOptions:
    """How requests of a route are answered. Every default is the behaviour without annotations.

    ``closed``: an annotation that restricts access is invalid, so that every request is answered with 503.

    ``allow_source`` and ``deny_source`` are networks of clients in CIDR notation, () = all and none.

    ``client_ca`` is the name of the Secret with the authorities of clients' certificates, "" = clients need none;
    ``client_verify`` says whether they need one. ``client_headers``: the service learns about the certificate.
    ``client_policy`` is set in a host's model: the verdict that a connection needs, see haproxy/client_certificates.py.

    ``redirect``: requests are redirected to this URL, to this path, or to the same path of another host (``//HOST``),
    with the status ``redirect_code``.

    ``read_timeout``: milliseconds that a server may send nothing while a request waits for (more of) its answer.
    ``tunnel_timeout``: the same for both sides of an upgraded connection (WebSocket).

    ``hsts`` are the directives of the header Strict-Transport-Security, () = none.

    ``body_size``: bytes of a request's body as its Content-Length says, 0 = no limit.

    ``cors_*``: which origins (URLs without a path, with ``*.`` for a wildcard, or ``*``) may read answers in a browser,
    and with what; () = no CORS headers. ``cors_max_age`` is in seconds.

    ``balance`` is HAProxy's method to choose a server, or ``hdr:NAME``; "" = round robin. ``target`` is "only-local" or
    "prefer-local" for endpoints on the load balancer's own host.

    ``sticky``: requests of one client go to one server, by a cookie. ``sticky_key`` makes its values unpredictable; it
    is set in a host's model.

    ``check_path``: servers are checked by requests for it; ``check_status`` are the statuses of a healthy one, and
    ``check_interval`` is in milliseconds, 0 = as for other servers.

    ``access_log``: which requests are logged: "errors", "true" (all) or "false" (none); "" is what the environment
    says, and in a host's model errors.

    ``protocol`` "" is what the Service port says; in a host's model it is HTTP/1.1.
    """

    closed: bool = False
    allow_source: tuple[str, ...] = ()
    deny_source: tuple[str, ...] = ()
    client_ca: str = ""
    client_verify: str = "required"
    client_headers: bool = False
    client_policy: str = ""
    redirect: str = ""
    redirect_code: int = 302
    read_timeout: int = 300_000
    tunnel_timeout: int = 3_600_000
    body_size: int = 0
    hsts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    cors_methods: tuple[str, ...] = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    cors_headers: tuple[str, ...] = ()
    cors_expose: tuple[str, ...] = ()
    cors_credentials: bool = False
    cors_max_age: int = 600
    balance: str = ""
    target: str = ""
    sticky: bool = False
    sticky_name: str = "rancherctl"
    sticky_path: str = "/"
    sticky_domain: str = ""
    sticky_samesite: str = ""
    sticky_secure: bool = False
    sticky_max_age: int = 0
    sticky_key: str = ""
    check_path: str = ""
    check_status: tuple[str, ...] = ("200-399",)
    check_interval: int = 0
    access_log: AccessLog = ""
    protocol: Protocol = ""

    changed: Mapping[str, Any] = field(init=False, compare=False, repr=False)
    """The options that differ from their defaults.

    Hashes and stored values are made from these alone, so a new option changes none of an Ingress without it. Computed
    once: every change reads it for thousands of pools.
    """

    def __post_init__(self) -> None:
        object.__setattr__(self, "changed", _changed(self, fields(self)))

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> RouteOptions:
        """Parse ``changed`` as it was stored. Raises ValueError for anything else."""
        return RouteOptions(**_given(data, _TYPES))


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """How clients of a name are answered over TLS: what a line of HAProxy's crt-list says beside certificate and names.

    ``http2``: whether clients may choose HTTP/2. ``tls_min_version`` is the oldest version of TLS, "1.2" or "1.3".

    Set in a host's model: ``authority`` is the file with the authorities of clients' certificates ("" = clients are not
    asked for one), and ``verify`` "required" or "optional".
    """

    http2: bool = True
    tls_min_version: str = "1.2"
    authority: str = ""
    verify: str = ""

    changed: Mapping[str, Any] = field(init=False, compare=False, repr=False)
    """As in ``RouteOptions``."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "changed", _changed(self, fields(self)))

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> TlsOptions:
        """Parse ``changed`` as it was stored. Raises ValueError for anything else."""
        return TlsOptions(**_given(data, _TLS_TYPES))


@dataclass(frozen=True, slots=True)
class HttpsRedirect:
    """Whether plain requests for the hosts of an Ingress are redirected to HTTPS.

    ``ssl_redirect``: "auto" = hosts with a certificate of their own, "true" = also those that are answered with the
    default certificate, "false" = none, "" = what the environment says. ``ssl_redirect_code`` is the HTTP status.
    """

    ssl_redirect: str = ""
    ssl_redirect_code: int = 308

    changed: Mapping[str, Any] = field(init=False, compare=False, repr=False)
    """As in ``RouteOptions``."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "changed", _changed(self, fields(self)))


def _changed(options: object, every: tuple[Field[Any], ...]) -> dict[str, Any]:
    """The fields that differ from their defaults."""
    return {f.name: v for f in every if f.init and (v := getattr(options, f.name)) != f.default}


def _given(data: Mapping[str, Any], types: Mapping[str, type]) -> dict[str, Any]:
    """Stored values by field; lists become tuples."""
    given: dict[str, Any] = {}
    for name, value in data.items():
        plain = tuple(value) if isinstance(value, list) else value
        if name not in types or type(plain) is not types[name]:
            raise ValueError(f"unknown option: {name!a} = {value!a}")
        given[name] = plain
    return given


_TYPES: Final = {f.name: type(f.default) for f in fields(RouteOptions) if f.init}
_TLS_TYPES: Final = {f.name: type(f.default) for f in fields(TlsOptions) if f.init}


@dataclass(frozen=True, slots=True)
class SiteOptions:
    """Further host names and paths of one Ingress. They become routes, see translate/sites.py.

    ``app_root`` is the path to which ``/`` is redirected; ``www``: redirect from the name without www. ("to-www") or
    with it ("from-www"); ``aliases`` are names with the same rules.
    """

    app_root: str = ""
    www: str = ""
    aliases: tuple[str, ...] = ()


HTTP_PORT: Final = 80
HTTPS_PORT: Final = 443


@dataclass(frozen=True, slots=True)
class PortGroup:
    """The ports that an Ingress is served on, for plain requests and for those over TLS. None = not at all."""

    http: int | None = HTTP_PORT
    https: int | None = HTTPS_PORT

    @property
    def own(self) -> tuple[tuple[int, Literal["http", "https"]], ...]:
        """Those that are not the default ones, with their protocols."""
        out: list[tuple[int, Literal["http", "https"]]] = []
        if self.http not in {None, HTTP_PORT}:
            out.append((self.http or 0, "http"))
        if self.https not in {None, HTTPS_PORT}:
            out.append((self.https or 0, "https"))
        return tuple(out)

    @property
    def shares_default(self) -> bool:
        """Whether it concerns a default port. Without plain HTTP, that port says so."""
        return self.http in {None, HTTP_PORT} or self.https == HTTPS_PORT

    def needed(self, *, tls: bool) -> tuple[int, ...]:
        """The ports that a host must have free to carry an Ingress. That of HTTPS only if nothing else can answer."""
        https = self.https if tls or self.http is None else None
        return tuple(port for port in (self.http, https) if port is not None)


DEFAULT_PORTS: Final = PortGroup()
NO_OPTIONS: Final = RouteOptions()
CLOSED: Final = RouteOptions(closed=True)
NO_TLS_OPTIONS: Final = TlsOptions()
SET_ELSEWHERE: Final = frozenset({"closed", "client_policy", "sticky_key", "authority", "verify"})
"""Fields of RouteOptions and TlsOptions that no annotation sets."""
AS_ENVIRONMENT: Final = HttpsRedirect()
