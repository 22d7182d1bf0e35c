"""The rules by which a load balancer answers requests, stated once and in plain steps. Pure.

HAProxy gets maps, certificates and a few lines that do the same, fast (haproxy/layout.py, haproxy/render.py). The
contract tests compare its answers with these, and ``rancherctl ingress show --request`` explains requests with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import ip_address, ip_network
from typing import Final

from rancherctl.ingress.model import ANY_HOST, Listener, Route, host_of, http_listeners, site_id, tls_id
from rancherctl.ingress.options import HTTP_PORT, HTTPS_PORT, NO_TLS_OPTIONS, RouteOptions
from rancherctl.ingress.request import STATUS, Answer, Kind, Match, Request, Shown
from rancherctl.ingress.tls_model import NO_TLS, TlsModel
from rancherctl.ingress.translate.clients import NO_PROOF
from rancherctl.net import unmapped

ACME: Final = "/.well-known/acme-challenge/"
"""Authorities fetch these paths over plain HTTP before they issue a certificate (RFC 8555 8.3)."""
PLAIN_LISTENERS: Final = http_listeners(HTTP_PORT, ("IPv4",))


class RuleTable:
    """The rules that one load balancer has.

    ``owned`` are its routes with the Ingress that owns each, ``bare`` sites that are known without a route. A *site* is
    a host pattern, with a port where other rules hold than on the default ports (``model.site_id``).
    """

    def __init__(
        self,
        owned: Iterable[tuple[str, Route]],
        bare: Iterable[str] = (),
        tls: TlsModel = NO_TLS,
        listeners: Iterable[Listener] = PLAIN_LISTENERS,
    ) -> None:
        self.tls, self.listeners = tls, tuple(listeners)
        self._routes: dict[str, list[tuple[str, Route]]] = {site: [] for site in bare}
        for ingress, route in owned:
            self._routes.setdefault(route.host, []).append((ingress, route))

    def of(self, site: str) -> tuple[Route, ...]:
        """All routes of this site."""
        return tuple(route for _, route in self._routes.get(site, ()))

    def listener(self, request: Request) -> Listener | None:
        """Where a request arrives; None if nothing listens there."""
        return next((x for x in self.listeners if (x.protocol, x.port) == (request.scheme, request.port)), None)

    def site(self, request: Request) -> str:
        """The site for a request: that of its name, else of a wildcard for the first label, else of any host.

        On a port that Ingresses ask for, only their rules for it count. The two default ports have the same sites,
        unless the one for HTTPS has other rules for the same host pattern.
        """
        listener = self.listener(request)
        port = f":{listener.port}" if listener and listener.own else ""
        first, _, parent = request.name.partition(".")
        known = [request.name + port, *([f"*.{parent}{port}"] if first else [])]
        return self._on(request, next((site for site in known if site in self._routes), ANY_HOST + port))

    def _on(self, request: Request, site: str) -> str:
        """A site on the default ports, or that of HTTPS if it has other rules there."""
        other = site_id(site, HTTPS_PORT)
        listener = self.listener(request)
        default_https = listener is not None and listener.protocol == "https" and not listener.own
        return other if default_https and other in self._routes else site

    def match(self, request: Request) -> Match:
        """The rule for a request.

        The site decides first, and no other site's paths are compared. An exact path counts before prefixes, a long
        prefix before a short one, and then come the default backends of this site and of any host.
        """
        site, path = self.site(request), request.path
        listener = self.listener(request)
        anything = f"{ANY_HOST}:{listener.port}" if listener and listener.own else self._on(request, ANY_HOST)
        own = self._routes.get(site, [])
        found = [(i, r) for i, r in own if r.kind == "exact" and r.path == path]
        # A prefix ends with a slash, so that it matches whole elements only.
        prefixes = [(i, r) for i, r in own if r.kind == "prefix" and f"{path}/".startswith(r.path)]
        found += sorted(prefixes, key=lambda owned: len(owned[1].path), reverse=True)
        found += [(i, r) for i, r in own if r.kind == "default"]
        found += [(i, r) for i, r in self._routes.get(anything, ()) if r.kind == "default"]
        return Match(site, *found[0]) if found else Match(site)

    def _tls_port(self, request: Request) -> int:
        """The port for ``model.tls_id``."""
        listener = self.listener(request)
        return listener.port if listener and listener.own else HTTPS_PORT

    def certificate(self, request: Request) -> Shown | None:
        """The certificate for the name in a request's handshake; None: the handshake is refused.

        That of the name itself counts before one for a wildcard, and that before the default certificate.
        """
        name, port = request.sni.lower(), self._tls_port(request)
        for each in (name, f"*.{name.partition('.')[2]}"):
            if name and (contents := self.tls.names.get(tls_id(each, port))):
                return Shown(tls_id(each, port), contents)
        return Shown("", (self.tls.default,)) if self.tls.default else None

    def refused(self, request: Request, shown: Shown | None) -> bool:
        """Whether the handshake ends without a connection."""
        options = self.tls.options.get(shown.name, NO_TLS_OPTIONS) if shown else NO_TLS_OPTIONS
        if shown is None or not options.authority:
            return shown is None
        return request.client != options.authority and (bool(request.client) or options.verify == "required")

    def proof(self, request: Request, name: str) -> str:
        """What handshakes for a name prove about the client: its own entry counts before that of a wildcard."""
        clients, port = self.tls.clients, self._tls_port(request)
        own, wildcard = tls_id(name, port), tls_id(f"*.{name.partition('.')[2]}", port)
        return clients.get(own) or clients.get(wildcard) or NO_PROOF

    def proves_other(self, request: Request) -> bool:
        """Whether the handshake of a connection proves something else about the client than one for the host would."""
        return self.proof(request, request.sni.lower().rstrip(".")) != self.proof(request, request.name)

    def misdirected(self, request: Request) -> bool:
        """Whether the client of a TLS connection must open another one for this request (421).

        Clients send requests for several names over one connection, if its certificate covers them (RFC 9110 7.4). They
        are answered wherever the rules are known, because some browsers never repeat a request. They are not if the
        name is not answered over TLS here, is unknown and another one than in the handshake, or if its own handshake
        would prove something else about the client.
        """
        if self.proves_other(request):
            return True
        site = self.site(request)
        if host_of(site) != ANY_HOST:
            return self.tls.sites.isdisjoint({site, site.removesuffix(f":{HTTPS_PORT}")})
        asked = request.sni.lower().rstrip(".")
        return bool(asked) and asked != request.name

    def https_location(self, request: Request) -> str:
        """Where a plain request is redirected to HTTPS; "" if it is not.

        Not before the certificate is there, and never a challenge of an authority: otherwise it could not issue one.
        Authorities use the default port.
        """
        listener, site = self.listener(request), self.site(request)
        secure = [x for x in self.listeners if x.protocol == "https"]
        default = next((x.port for x in secure if not x.own), 0)
        port = self.tls.https_ports.get(site, default) if secure else 0
        if (
            request.scheme == "https"
            or request.forwarded_proto == "https"
            or not port
            or not request.name
            or site not in self.tls.redirects
            or (request.path.startswith(ACME) and not (listener and listener.own))
        ):
            return ""
        return f"https://{request.name}{'' if port == HTTPS_PORT else f':{port}'}{request.target}"

    def answer(self, request: Request, servers: Callable[[Route], int]) -> Answer:
        """The answer to a request, if a route's backend has so many ``servers``."""
        match = self.match(request)
        if self.listener(request) is None:
            return Answer("no-listener", 0, match)
        shown = self.certificate(request) if request.scheme == "https" else None
        if request.scheme == "https":
            if self.refused(request, shown):
                return Answer("refused", 0, match)
            if self.misdirected(request):
                return _own("misdirected", match, shown)
        elif location := self.https_location(request):
            return Answer("tls-redirect", self.tls.redirects[self.site(request)], match, location)
        if match.route and not self._may_use(request, match.route):
            return _own("no-certificate", match, shown)
        return _of_route(request, match, shown, servers)

    def _may_use(self, request: Request, route: Route) -> bool:
        """Whether the connection proves what a route needs. Plain ones prove nothing."""
        options = route.options
        if not options.client_policy or options.closed or (request.source and not allowed(request.source, options)):
            return True  # or is refused for another reason
        verify, _, needed = options.client_policy.partition("|")
        proved = request.scheme == "https" and self.proof(request, request.sni.lower().rstrip(".")) == needed
        return proved and (verify == "optional" or bool(request.client))


def _own(kind: Kind, match: Match, shown: Shown | None) -> Answer:
    return Answer(kind, STATUS[kind], match, certificate=shown)


def _of_route(request: Request, match: Match, shown: Shown | None, servers: Callable[[Route], int]) -> Answer:
    """The answer to a request that reaches the rules for paths."""
    if match.route is None:
        return _own("no-route", match, shown)
    options = match.route.options
    if options.closed or (request.source and not allowed(request.source, options)):
        return _own("closed" if options.closed else "denied", match, shown)
    if options.redirect:
        return Answer("redirect", options.redirect_code, match, _location(request, options.redirect), shown)
    if options.cors_origins and request.asks_method and request.method == "OPTIONS":
        return _own("preflight", match, shown)
    if options.body_size and (request.length or 0) > options.body_size:
        return _own("too-large", match, shown)
    return (
        Answer("forwarded", 0, match, certificate=shown) if servers(match.route) else _own("no-endpoint", match, shown)
    )


def allowed(source: str, options: RouteOptions) -> bool:
    """Whether a client may send requests: one of ``deny_source`` may not, even if it is in ``allow_source``."""
    address = unmapped(ip_address(source))

    def listed(networks: tuple[str, ...]) -> bool:
        return any(address in ip_network(network) for network in networks)

    return not listed(options.deny_source) and (not options.allow_source or listed(options.allow_source))


def _location(request: Request, redirect: str) -> str:
    """The header Location of a redirect: the URL or path itself, or the same target at another host."""
    return f"{request.client_scheme}:{redirect}{request.target}" if redirect.startswith("//") else redirect
