"""Check whether a published address answers for a host name and path: over HTTP, or HTTPS after a redirect."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from rancherctl.ingress.annotations.traffic import READ_TIMEOUT
from rancherctl.ingress.haproxy.responses import CLOSED, HEADER_LIMIT, NO_ROUTE, ORIGIN, TLS_REDIRECT
from rancherctl.ingress.model import Translated
from rancherctl.ingress.options import HTTP_PORT, HTTPS_PORT
from rancherctl.net import bracketed

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
    "redirect": (True, "redirected by the load balancer"),
    "denied": (None, "routed, but the access list of the ingress does not allow this machine"),
    "slow-response": (False, f"routed, but the service did not answer in time; {READ_TIMEOUT} sets the limit"),
}
"""Results by the origin of responses that the load balancer makes itself."""


@dataclass(frozen=True, slots=True)
class HttpCheck:
    """One request: to ``address``, for ``host`` and ``path``."""

    ingress: str
    address: str
    host: str
    path: str


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
        }


def checks_for(t: Translated, addresses: Iterable[str]) -> list[HttpCheck]:
    """A check for every path (at most MAX_PATHS) on every address.

    For a wildcard host, a name that it matches is used.
    """
    pairs: dict[tuple[str, str], None] = {}
    for route in t.routes:
        if route.kind != "default":
            path = route.path if route.kind == "exact" else route.path.rstrip("/") or "/"
            pairs[route.host.replace("*.", "rancherctl-probe.", 1) if route.host != "*" else "", path] = None
    found = list(pairs)[:MAX_PATHS] or [("", "/")]
    return [
        HttpCheck(t.key, address, host or bracketed(address), path) for address in addresses for host, path in found
    ]


def run_check(check: HttpCheck, port: int = HTTP_PORT, timeout: float = TIMEOUT) -> HttpResult:
    """Send one GET request, and another one over TLS if the load balancer redirects there.

    The body of the response is not read.
    """
    found, origin = _request(http.client.HTTPConnection(check.address, port, timeout=timeout), check)
    if origin == TLS_REDIRECT:
        found, origin = _request(_TlsConnection(check.address, check.host, timeout), check)
    return found


def _request(connection: http.client.HTTPConnection, check: HttpCheck) -> tuple[HttpResult, str]:
    """The result, and the origin of a response that the load balancer made itself."""
    try:
        headers = {"Host": check.host, "User-Agent": USER_AGENT, "Connection": "close"}
        connection.request("GET", check.path, headers=headers)
        response = connection.getresponse()
        origin = response.getheader(ORIGIN, "")
    except (OSError, http.client.HTTPException) as error:
        return HttpResult(check, False, 0, f"no answer{_over(connection)}: {error}"), ""
    finally:
        connection.close()
    if origin:
        ok, text = _OWN.get(origin, (False, f"the load balancer itself answered with status {response.status}"))
        return HttpResult(check, ok, response.status, text), origin
    return HttpResult(check, True, response.status, f"answered with status {response.status}{_over(connection)}"), ""


def _over(connection: http.client.HTTPConnection) -> str:
    return " over TLS" if isinstance(connection, _TlsConnection) else ""


class _TlsConnection(http.client.HTTPConnection):
    """HTTPS to an address with the name of a host. Whether the certificate is trusted is not this check's question."""

    def __init__(self, address: str, name: str, timeout: float) -> None:
        super().__init__(address, HTTPS_PORT, timeout=timeout)
        self._name = name

    def connect(self) -> None:
        """Connect, then shake hands."""
        super().connect()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.sock = context.wrap_socket(self.sock, server_hostname=self._name)


def run_checks(checks: list[HttpCheck], port: int = HTTP_PORT, timeout: float = TIMEOUT) -> list[HttpResult]:
    """Run all checks, PARALLEL at a time; results in the same order."""
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        return list(pool.map(lambda check: run_check(check, port, timeout), checks))
