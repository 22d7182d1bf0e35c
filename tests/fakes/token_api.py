"""An API server with TLS that issues tokens and accepts only those that it has issued and not revoked."""

from __future__ import annotations

import base64
import itertools
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from rancherctl.credentials.registry import Access
from tests.fakes.certificates import certificate

NAME = "api.internal"
"""A host name that no resolver knows, in the certificate beside 127.0.0.1."""

PODS = {"name": "pods", "singularName": "pod", "namespaced": True, "kind": "Pod", "verbs": ["get", "list"]}
DISCOVERY: dict[str, object] = {
    "/version": {"major": "1", "minor": "36"},
    "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [PODS]},
}


@dataclass
class TokenApi:
    """``valid`` are the tokens that it accepts; ``refresh`` is accepted for token requests only."""

    ca: str
    port: int = 0
    refresh: str = "refresh"
    valid: set[str] = field(default_factory=set)
    requests: list[tuple[str, str, int]] = field(default_factory=list)
    """(method, path, answer's status)."""
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def access(self, host: str = "127.0.0.1", **more: str) -> Access:
        """A registry entry for this API under a name."""
        return Access("demo", f"https://{host}:{self.port}", self.ca, "ann", "s1", "uid-1", **more)  # type: ignore[arg-type]

    def issue(self, seconds: int = 3600) -> dict[str, dict[str, str]]:
        """The answer to a TokenRequest, with a new token."""
        now = int(time.time())
        claims = json.dumps({"iat": now, "number": next(self.numbers)}).encode()
        token = f"h.{base64.urlsafe_b64encode(claims).rstrip(b'=').decode()}.s"
        self.valid.add(token)
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + seconds))
        return {"status": {"token": token, "expirationTimestamp": until}}

    def count(self, method: str, status: int) -> int:
        return sum(1 for m, _, s in self.requests if (m, s) == (method, status))


@contextmanager
def token_api(folder: Path) -> Iterator[TokenApi]:
    """A running one."""
    pair, ca = certificate(folder, NAME)
    api = TokenApi(ca)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Nothing: tests read ``requests``."""

        def answer(self, status: int, value: object) -> None:
            api.requests.append((self.command, self.path, status))
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Cache-Control", "no-cache, private")  # as kube-apiserver does
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def refused(self) -> bool:
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            if token in api.valid or (token == api.refresh and self.path.endswith("/token")):
                return False
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Unauthorized"}
            self.answer(401, {**status, "message": "Unauthorized", "code": 401})
            return True

        def do_GET(self) -> None:
            if not self.refused():
                lists = {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": []}
                self.answer(200, DISCOVERY.get(self.path.partition("?")[0], lists))

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if not self.refused():
                self.answer(201, api.issue())

        def do_DELETE(self) -> None:
            if not self.refused():
                self.answer(200, {})

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Clients that go away in the middle are part of the tests."""

    server = Server(("127.0.0.1", 0), Handler)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    api.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield api
    server.shutdown()
    server.server_close()
    thread.join(60)
