"""The rules by which a load balancer answers requests, stated once and in plain steps. Pure.

HAProxy gets maps and a few lines that do the same, fast (haproxy/layout.py, haproxy/render.py). The contract tests
compare its answers with these, and ``rancherctl ingress show --request`` explains requests with them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Literal

from rancherctl.ingress.model import ANY_HOST, Route
from rancherctl.ingress.options import RouteOptions
from rancherctl.net import unmapped

Kind = Literal["forwarded", "no-route", "no-endpoint", "closed", "denied", "redirect"]
_PORT = re.compile(r":[0-9]*\Z")


@dataclass(frozen=True, slots=True)
class Request:
    """A request over plain HTTP. ``host`` is the Host header, ``target`` the path with its query, both as sent.

    ``source`` is the client's address; "" = one that every list allows.
    """

    host: str
    target: str
    method: str = "GET"
    source: str = ""

    @property
    def name(self) -> str:
        """The host name that is compared with rules: without port, in lower case, without a final dot."""
        return _PORT.sub("", self.host).lower().rstrip(".")

    @property
    def path(self) -> str:
        """The path that is compared with rules: percent codes and empty elements as sent."""
        return self.target.partition("?")[0]


@dataclass(frozen=True, slots=True)
class Match:
    """The rule that decides: ``route`` of ``ingress`` (None and "" if no rule matches).

    ``pattern`` is the host pattern whose rules were compared.
    """

    pattern: str
    ingress: str = ""
    route: Route | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client gets: the answer of the service (``forwarded``), or a response of the load balancer itself.

    ``status`` is that of the load balancer's response, 0 if the service answers. ``location`` is where a redirect
    leads.
    """

    kind: Kind
    status: int
    match: Match
    location: str = ""


class RuleTable:
    """The rules that one load balancer has: routes with the Ingress that owns each, and names known without a route."""

    def __init__(self, owned: Iterable[tuple[str, Route]], bare: Iterable[str] = ()) -> None:
        self._routes: dict[str, list[tuple[str, Route]]] = {host: [] for host in bare}
        for ingress, route in owned:
            self._routes.setdefault(route.host, []).append((ingress, route))

    def of(self, pattern: str) -> tuple[Route, ...]:
        """All routes with this host pattern."""
        return tuple(route for _, route in self._routes.get(pattern, ()))

    def pattern(self, name: str) -> str:
        """The host pattern for a name: the name itself, else a wildcard for its first label, else any host."""
        if name in self._routes:
            return name
        first, _, parent = name.partition(".")
        wildcard = f"*.{parent}"
        return wildcard if first and wildcard in self._routes else ANY_HOST

    def match(self, request: Request) -> Match:
        """The rule for a request.

        The host pattern decides first, and no other pattern's paths are compared. An exact path counts before
        prefixes, a long prefix before a short one, and then come the default backends of this host and of any host.
        """
        pattern, path = self.pattern(request.name), request.path
        own = self._routes.get(pattern, [])
        found = [(i, r) for i, r in own if r.kind == "exact" and r.path == path]
        # A prefix ends with a slash, so that it matches whole elements only.
        prefixes = [(i, r) for i, r in own if r.kind == "prefix" and f"{path}/".startswith(r.path)]
        found += sorted(prefixes, key=lambda owned: len(owned[1].path), reverse=True)
        found += [(i, r) for i, r in own if r.kind == "default"]
        found += [(i, r) for i, r in self._routes.get(ANY_HOST, ()) if r.kind == "default"]
        return Match(pattern, *found[0]) if found else Match(pattern)


def answer(request: Request, match: Match, servers: int) -> Answer:
    """The answer to a request that matched so, if the route's backend has so many servers."""
    if match.route is None:
        return Answer("no-route", 404, match)
    options = match.route.options
    if options.closed:
        return Answer("closed", 503, match)
    if request.source and not allowed(request.source, options):
        return Answer("denied", 403, match)
    if options.redirect:
        return Answer("redirect", options.redirect_code, match, location(request, options.redirect))
    if not servers:
        return Answer("no-endpoint", 503, match)
    return Answer("forwarded", 0, match)


def allowed(source: str, options: RouteOptions) -> bool:
    """Whether a client may send requests: one of ``deny_source`` may not, even if it is in ``allow_source``."""
    address = unmapped(ip_address(source))

    def listed(networks: tuple[str, ...]) -> bool:
        return any(address in ip_network(network) for network in networks)

    return not listed(options.deny_source) and (not options.allow_source or listed(options.allow_source))


def location(request: Request, redirect: str) -> str:
    """The header Location of a redirect: the URL or path itself, or the same target at another host."""
    return f"http:{redirect}{request.target}" if redirect.startswith("//") else redirect
