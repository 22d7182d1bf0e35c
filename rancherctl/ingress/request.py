"""A request to a load balancer and its answer, as values. Pure; matcher.py says which request gets which answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from rancherctl.ingress.model import Route, Scheme
from rancherctl.ingress.options import HTTP_PORT

Kind = Literal[
    "no-listener",
    "refused",
    "misdirected",
    "tls-redirect",
    "no-route",
    "closed",
    "denied",
    "no-certificate",
    "redirect",
    "preflight",
    "too-large",
    "no-endpoint",
    "forwarded",
]
"""In the order of the steps. All between ``refused`` and ``forwarded`` are responses of the load balancer itself."""
STATUS: Final[dict[Kind, int]] = {
    "misdirected": 421,
    "no-route": 404,
    "closed": 503,
    "denied": 403,
    "no-certificate": 403,
    "preflight": 204,
    "too-large": 413,
    "no-endpoint": 503,
}
_PORT = re.compile(r":[0-9]*\Z")


@dataclass(frozen=True, slots=True)
class Request:
    """A request to a ``port`` of a load balancer, over HTTP/1.1 or HTTP/2: which one changes no answer.

    ``host`` is the Host header, ``target`` the path with its query, both as sent. ``source`` is the client's address;
    "" = one that every list allows. ``length`` is the Content-Length, None without one. Over ``https``, ``sni`` is the
    name that the client asks for in its handshake, "" without one, and ``client`` the file with authorities
    (TlsOptions.authority) that its certificate is of, "" without a certificate. ``forwarded_proto`` is what a trusted
    proxy in front says about the client's scheme, "" without one. ``asks_method``: whether the request has the header
    Access-Control-Request-Method, as browsers send it before a request of another site (CORS).
    """

    host: str
    target: str
    method: str = "GET"
    source: str = ""
    scheme: Scheme = "http"
    port: int = HTTP_PORT
    sni: str = ""
    length: int | None = None
    client: str = ""
    forwarded_proto: str = ""
    asks_method: bool = False

    @property
    def name(self) -> str:
        """The host name that is compared with rules: without port, in lower case, without a final dot."""
        return _PORT.sub("", self.host).lower().rstrip(".")

    @property
    def path(self) -> str:
        """The path that is compared with rules: percent codes and empty elements as sent."""
        return self.target.partition("?")[0]

    @property
    def client_scheme(self) -> str:
        """The scheme of the URL that the client has: a trusted proxy may have received it over TLS."""
        return self.forwarded_proto or self.scheme


@dataclass(frozen=True, slots=True)
class Match:
    """The rule that decides: ``route`` of ``ingress`` (None and "" if no rule matches).

    ``pattern`` is the host pattern whose rules were compared, with a port where other rules hold.
    """

    pattern: str
    ingress: str = ""
    route: Route | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """The certificate that a client is shown: that of the SNI ``name``, which may be a wildcard; "" = the default one.

    The name has the port if that is one that Ingresses ask for. ``contents`` has more than one if there are several
    kinds of keys: the client chooses.
    """

    name: str
    contents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client gets: the answer of the service (``forwarded``), or of the load balancer itself.

    ``status`` is that of the load balancer's response, 0 if the service answers, or if no response is sent.
    ``location`` is where a redirect leads. ``certificate`` is None without TLS, and if the handshake is refused.
    """

    kind: Kind
    status: int
    match: Match
    location: str = ""
    certificate: Shown | None = None
