"""Check whether a published address answers for a host name and path: over HTTP, or HTTPS after a redirect."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from rancherctl.ingress.annotations.traffic import READ_TIMEOUT
from rancherctl.ingress.haproxy.responses import CLOSED, HEADER_LIMIT, NO_CERTIFICATE, NO_ROUTE, ORIGIN, TLS_REDIRECT
from rancherctl.ingress.model import ANY_HOST, Translated, host_of
from rancherctl.ingress.operator.tls_connection import NO_CLIENT_CERTIFICATE, TlsConnection, failure
from rancherctl.ingress.options import HTTP_PORT, HTTPS_PORT
from rancherctl.net import bracketed, split_host_port

TIMEOUT: Final = 5.0
MAX_PATHS: Final = 20
"""Paths of one Ingress that are checked on each address."""
PARALLEL: Final = 16
USER_AGENT: Final = "rancherctl-probe"
_OWN: Final[dict[str, tuple[bool | None, str]]] = {
    NO_ROUTE: (False, "the load balancer has no route for this host and path"),
    "no-endpoint": (None, "routed, but the service has no ready endpoint"),
    "bad-response": (
        False,
        f"routed, but the service's answer is not valid HTTP, or its headers are larger than {HEADER_LIMIT >> 10} KB",
    ),
    CLOSED: (False, "the load balancer answers with 503, because an annotation that restricts access is invalid"),
    "misdirected": (False, "the load balancer does not serve this host over TLS (status 421)"),
    "redirect": (True, "redirected by the load balancer"),
    "denied": (None, "routed, but the access list of the ingress does not allow this machine"),
    NO_CERTIFICATE.origin: (None, "routed, but it needs a certificate of the client"),
    "slow-response": (False, f"routed, but the service did not answer in time; {READ_TIMEOUT} sets the limit"),
}
"""Results by the origin of responses that the load balancer makes itself."""


@dataclass(frozen=True, slots=True)
class HttpCheck:
    """One request: to ``address``, for ``host`` (with its port, if that is not a default one) and ``path``.

    ``tls``: over TLS from the beginning, for an Ingress without plain HTTP. ``guarded``: over TLS, clients need a
    certificate.
    """

    ingress: str
    address: str
    host: str
    path: str
    port: int = HTTP_PORT
    tls: bool = False
    guarded: bool = False


@dataclass(frozen=True, slots=True)
class HttpResult:
    """The result of one check. ``status`` is the HTTP status, 0 without an answer.

    ``ok`` is True if a backend answered, with any status of its own. It is False if nothing answers, or if the load
    balancer answers itself because it has no such route or no usable answer. It is None if the route exists but its
    service has no ready endpoint, so that nothing is known about the backend.
    """

    check: HttpCheck
    ok: bool | None
    status: int
    result: str

    def as_json(self) -> Mapping[str, Any]:
        """Plain values."""
        c = self.check
        return {
            "ingress": c.ingress,
            "address": c.address,
            "host": c.host,
            "path": c.path,
            "ok": self.ok,
            "status": self.status,
            "result": self.result,
            "certificate": None,
        }


def probe_name(pattern: str) -> str:
    """A host pattern itself, or a name that a wildcard matches."""
    return pattern.replace("*.", f"{USER_AGENT}.", 1)


def checks_for(t: Translated, addresses: Iterable[str]) -> list[HttpCheck]:
    """A check for every path (at most MAX_PATHS) on every address.

    For a wildcard host, a name that it matches is used.
    """
    pairs: dict[tuple[str, str], None] = {}
    for route in t.routes:
        if route.kind != "default":
            path = route.path if route.kind == "exact" else route.path.rstrip("/") or "/"
            host = host_of(route.host)
            pairs[probe_name(host) if host != ANY_HOST else "", path] = None
    found = list(pairs)[:MAX_PATHS] or [("", "/")]
    port = t.ports.http or t.ports.https or HTTP_PORT
    suffix = "" if port in {HTTP_PORT, HTTPS_PORT} else f":{port}"
    guarded, tls = bool(t.client and t.client.required), t.ports.http is None
    return [
        HttpCheck(t.key, address, f"{host or bracketed(address)}{suffix}", path, port, tls, guarded)
        for address in addresses
        for host, path in found
    ]


def run_check(check: HttpCheck, port: int = 0, timeout: float = TIMEOUT) -> HttpResult:
    """Send one GET request, and another one over TLS if the load balancer redirects there.

    The body of the response is not read. ``port``: instead of that of the check.
    """
    name, port = split_host_port(check.host)[0], port or check.port
    if check.tls:
        answer = ask(TlsConnection(check.address, name, timeout, port), check.host, check.path, guarded=check.guarded)
    else:
        answer = ask(http.client.HTTPConnection(check.address, port, timeout=timeout), check.host, check.path)
    if answer.origin == TLS_REDIRECT:
        https = urlsplit(answer.location).port or HTTPS_PORT
        answer = ask(TlsConnection(check.address, name, timeout, https), check.host, check.path, guarded=check.guarded)
    return HttpResult(check, answer.ok, answer.status, answer.text)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request got, see HttpResult. ``origin`` and ``location`` are headers of the response."""

    ok: bool | None
    status: int
    text: str
    origin: str = ""
    location: str = ""


def ask(connection: http.client.HTTPConnection, host: str, path: str, *, guarded: bool = False) -> Answer:
    """Send one GET request and close the connection. ``guarded``: an end after the handshake is expected."""
    over = " over TLS" if isinstance(connection, TlsConnection) else ""
    try:
        connection.request("GET", path, headers={"Host": host, "User-Agent": USER_AGENT, "Connection": "close"})
        response = connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        shown = isinstance(connection, TlsConnection) and connection.shown
        why = NO_CLIENT_CERTIFICATE if guarded and shown else failure(error)
        return Answer(None if why == NO_CLIENT_CERTIFICATE else False, 0, f"no answer{over}: {why}")
    finally:
        connection.close()
    origin, location = response.getheader(ORIGIN, ""), response.getheader("Location", "")
    if not origin:
        return Answer(True, response.status, f"answered with status {response.status}{over}", location=location)
    ok, text = _OWN.get(origin, (False, f"the load balancer itself answered with status {response.status}"))
    return Answer(ok, response.status, text, origin, location)


Check = TypeVar("Check")
Result = TypeVar("Result")


def in_parallel(run: Callable[[Check], Result], checks: Iterable[Check]) -> list[Result]:
    """Run all checks, PARALLEL at a time; results in the same order."""
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        return list(pool.map(run, checks))


def run_checks(checks: list[HttpCheck], port: int = 0, timeout: float = TIMEOUT) -> list[HttpResult]:
    """Run all checks; results in the same order."""
    return in_parallel(lambda check: run_check(check, port, timeout), checks)
