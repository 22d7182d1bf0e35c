"""Responses that the load balancer makes itself: texts, and the header that tells them from a service's own. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ORIGIN: Final = "X-Rancherctl-Ingress"
"""Header of responses made by the load balancer itself: the ``origin`` of an ``OwnResponse``.

It is removed from responses of services.
"""
NO_ROUTE: Final = "no-route"
TLS_REDIRECT: Final = "tls-redirect"
"""The origin of redirects to HTTPS."""
HEADER_LIMIT: Final = 28 << 10
"""Bytes of all headers of a request or response, first line included."""


@dataclass(frozen=True, slots=True)
class OwnResponse:
    """A response with this HTTP status; ``text`` is its body, one line."""

    status: int
    origin: str
    text: str

    @property
    def arguments(self) -> str:
        """The arguments of HAProxy's ``http-error`` and ``return``."""
        return f'status {self.status} content-type text/plain string "{self.text}\\n" hdr {ORIGIN} {self.origin}'


_KB: Final = HEADER_LIMIT >> 10
NO_ROUTE_RESPONSE: Final = OwnResponse(404, NO_ROUTE, "404: no ingress rule matches this request")
CLOSED: Final = "closed"
CLOSED_RESPONSE: Final = OwnResponse(503, CLOSED, "503: an access rule of this ingress is invalid, so it is closed")
DENIED: Final = OwnResponse(403, "denied", "403: this client is not allowed here")
NO_CERTIFICATE: Final = OwnResponse(403, "no-certificate", "403: a valid certificate of the client is needed here")
TOO_LARGE: Final = OwnResponse(413, "too-large", "413: the body of the request is larger than this ingress allows")
REDIRECTS: Final = tuple(
    OwnResponse(status, "redirect", f"{status}: see the header Location") for status in (301, 302, 303, 307, 308)
)
MISDIRECTED_RESPONSE: Final = OwnResponse(
    421, "misdirected", "421: this host name is not served over TLS here; open a new connection for it"
)
ERRORS: Final = (
    OwnResponse(400, "bad-request", f"400: the request is malformed, or its headers are larger than {_KB} KB"),
    OwnResponse(408, "slow-request", "408: the request did not arrive in time"),
    OwnResponse(500, "internal", "500: the load balancer could not handle this request"),
    OwnResponse(502, "bad-response", f"502: the service sent no valid answer, or its headers are larger than {_KB} KB"),
    OwnResponse(503, "no-endpoint", "503: no endpoint of this service answers"),
    OwnResponse(504, "slow-response", "504: the service did not answer in time"),
)
"""HAProxy's own errors, which it sends instead of a service's answer."""
