"""Send requests to a load balancer as clients do: HTTP/1.1 or HTTP/2, with or without TLS, several a connection."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final, NamedTuple

from rancherctl.ingress.haproxy.responses import ORIGIN
from rancherctl.ingress.request import Request
from tests.fakes import mtls
from tests.fakes.h2 import H2Connection

PROXY: Final = "127.0.0.3"
"""The address of the trusted proxy that sends requests with ``forwarded_proto``."""
FORGER: Final = "127.0.0.2"
"""A client that claims to have sent each request over HTTPS."""


_REFUSALS: Final = (
    None,  # the connection ended before the alert was read
    "TLSV1_UNRECOGNIZED_NAME",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED",
    "TLSV1_ALERT_UNKNOWN_CA",
    "TLSV1_ALERT_DECRYPT_ERROR",
)


class Seen(NamedTuple):
    """What a client sees: the pod that answered or the origin of the load balancer's response, its status and Location.

    ``certificate`` is that of the connection in DER; b"" without TLS, and if the handshake is refused.
    """

    answer: str
    status: int
    location: str = ""
    certificate: bytes = b""


def context(*alpn: str) -> ssl.SSLContext:
    """Accepts any certificate."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    if alpn:
        made.set_alpn_protocols(list(alpn))
    return made


@cache
def _context(alpn: tuple[str, ...], client: str) -> ssl.SSLContext:
    """``client`` is the file with authorities that the client's certificate is of, "" without one."""
    made = context(*alpn)
    if client:
        mtls.load(made, mtls.PAIRS[client])
    return made


class _Client:
    """One connection, opened again when the load balancer closes it. It may refuse the second version of HTTP."""

    def __init__(self, first: Request, *, second_version: bool) -> None:
        self._first, self._second_version = first, second_version
        self._h1: http.client.HTTPConnection | None = None
        self._h2: H2Connection | None = None
        self.certificate = b""

    def _open(self) -> socket.socket:
        request = self._first
        source = PROXY if request.forwarded_proto else request.source
        stream = socket.create_connection(("127.0.0.1", request.port), 30, (source, 0))
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if request.scheme == "http":
            return stream
        try:
            secure = _context((*(["h2"] if self._second_version else []), "http/1.1"), request.client).wrap_socket(
                stream, server_hostname=request.sni or None
            )
        except ssl.SSLError:
            stream.close()
            raise
        self.certificate = secure.getpeercert(binary_form=True) or b""
        self._second_version = secure.selected_alpn_protocol() == "h2"
        return secure

    def send(self, request: Request) -> Seen:
        headers = _headers(request)
        body = None if request.length is None else b"x" * request.length
        stream = self._open() if self._h1 is None and self._h2 is None else None
        if self._second_version:
            if stream is not None:
                self._h2 = H2Connection(stream)
            assert self._h2 is not None
            found = self._h2.get(
                request.host, request.target, request.scheme, headers, method=request.method, body=body
            )
            status, shown, content = found.status, found.headers, found.body
        else:
            if stream is not None:
                self._h1 = http.client.HTTPConnection("127.0.0.1", request.port, timeout=30)
                self._h1.sock = stream
            assert self._h1 is not None
            self._h1.request(request.method, request.target, body, {"Host": request.host, **headers})
            response = self._h1.getresponse()
            status, content = response.status, response.read()
            shown = {key.lower(): value for key, value in response.getheaders()}
            if response.will_close:
                self.close()
        own = shown.get(ORIGIN.lower(), "")
        name = own or str(json.loads(content)["pod"])
        return Seen(name, status if own else 0, shown.get("location", ""), self.certificate)

    def close(self) -> None:
        for connection in (self._h1, self._h2):
            if connection is not None:
                connection.close()
        self._h1 = self._h2 = None


def _headers(request: Request) -> Mapping[str, str]:
    asked = {"origin": "https://z.org", "access-control-request-method": "GET"} if request.asks_method else {}
    if request.forwarded_proto:
        return {"x-forwarded-for": request.source, "x-forwarded-proto": request.forwarded_proto, **asked}
    return {"x-forwarded-proto": "https", **asked} if request.source == FORGER else asked


def send_all(requests: Iterable[Request], *, second_version: bool) -> list[Seen]:
    """What a client sees for each. Requests that may share a connection do: one for each client and SNI name."""
    clients: dict[tuple[object, ...], _Client] = {}
    out: list[Seen] = []
    try:
        for r in requests:
            key = (r.port, r.sni, r.client, bool(r.forwarded_proto) or r.source)
            client = clients.setdefault(key, _Client(r, second_version=second_version))
            try:
                out.append(client.send(r))
            except ssl.SSLError as error:
                out.append(Seen("refused" if error.reason in _REFUSALS else str(error.reason), 0))
                client.close()
            except ConnectionError:  # as above
                out.append(Seen("refused", 0))
                client.close()
    finally:
        for client in clients.values():
            client.close()
    return out
