"""One HTTP request and its answer within a deadline, over the pool; answers that are not 2xx become errors."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from rancherctl import __version__
from rancherctl.errors import UnreachableError, UsageError
from rancherctl.kube.client import UnauthorizedError
from rancherctl.kube.http.failures import failure, status_object
from rancherctl.kube.http.pool import Connection, ConnectionPool

JSON = "application/json"
APPLY = "application/apply-patch+yaml"
BROKEN = (OSError, http.client.HTTPException)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """``path`` is quoted and starts with a slash; ``query`` is encoded; ``content`` is the body's type."""

    method: str
    path: str
    query: str = ""
    body: bytes | None = None
    content: str = JSON

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice does no more than sending it once."""
        return self.method == "GET" or self.content == APPLY


@runtime_checkable
class RenewableToken(Protocol):
    """A source of bearer tokens that can replace one which the API server no longer accepts."""

    def __call__(self) -> str:
        """The present token."""

    def renew(self, refused: str) -> bool:
        """Whether there is another token than ``refused`` now; errors of the renewal are raised."""


class Exchange:
    """Sends requests over a pool. ``token`` is a bearer token or a callable that gives one, asked before every request.

    After a 401 a ``RenewableToken`` is renewed and the request sent again, once: the server has not carried it out.

    ``gate`` is asked when a connection is there and the next step would send a write; what it raises stops the write.
    """

    def __init__(
        self, pool: ConnectionPool, token: str | Callable[[], str], agent: str, gate: Callable[[], object] | None = None
    ) -> None:
        self._pool = pool
        self._token = token
        self._gate = gate
        self._agent = f"{agent}/{__version__}"

    def name(self, request: HttpRequest) -> str:
        """The request for messages."""
        return f"{request.method} {self._pool.host}:{self._pool.port}{request.path}"

    def call(self, request: HttpRequest, timeout: float) -> bytes:
        """The whole body of a good answer within ``timeout`` seconds."""
        connection, response = self.open(request, timeout)
        try:
            answer = response.read()
        except BROKEN as e:
            connection.close()
            raise self._broken(request, e, timeout) from e
        self._finish(connection, response)
        return answer

    def open(self, request: HttpRequest, timeout: float) -> tuple[Connection, http.client.HTTPResponse]:
        """Send and read the head of a good answer; the caller owns the connection then. Other answers are raised."""
        deadline = time.monotonic() + timeout
        token = self._token() if callable(self._token) else self._token
        try:
            return self._open(request, token, deadline, timeout)
        except UnauthorizedError:
            if not isinstance(self._token, RenewableToken) or not self._token.renew(token):
                raise
        # A renewal may have taken longer than this request has: it gets its whole time again.
        return self._open(request, self._token(), time.monotonic() + timeout, timeout)

    def _open(
        self, request: HttpRequest, token: str, deadline: float, timeout: float
    ) -> tuple[Connection, http.client.HTTPResponse]:
        head = self._head(request, token)
        connection, used = self._pool.take(deadline)
        try:
            response = self._send(connection, request, head)
        except BROKEN as e:
            connection.close()
            # A server closes idle connections when it likes: repeat once what may be repeated, on a new connection.
            if not used or isinstance(e, TimeoutError) or not request.repeatable:
                raise self._broken(request, e, timeout) from e
            connection, _ = self._pool.take(deadline, fresh=True)
            try:
                response = self._send(connection, request, head)
            except BROKEN as again:
                connection.close()
                raise self._broken(request, again, timeout) from again
        if 200 <= response.status < 300:
            return connection, response
        try:
            body = response.read()
        except BROKEN as e:
            body = f"the text of the answer was cut off: {e}".encode()
        self._finish(connection, response)
        raise failure(self.name(request), response.status, status_object(body), response.getheader("Retry-After"))

    def _finish(self, connection: Connection, response: http.client.HTTPResponse) -> None:
        if response.will_close or not response.isclosed():
            connection.close()
        else:
            self._pool.give_back(connection)

    def _head(self, request: HttpRequest, token: str) -> bytes:
        host = f"[{self._pool.host}]" if ":" in self._pool.host else self._pool.host
        target = self._pool.prefix + request.path + (f"?{request.query}" if request.query else "")
        lines = [
            f"{request.method} {target} HTTP/1.1",
            f"Host: {host}:{self._pool.port}",
            f"Accept: {JSON}",
            f"User-Agent: {self._agent}",
        ]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        if request.body is not None:
            lines += [f"Content-Type: {request.content}", f"Content-Length: {len(request.body)}"]
        elif request.method in ("POST", "PUT", "PATCH"):
            lines.append("Content-Length: 0")
        if any(not " " <= c <= "~" for line in lines for c in line) or " " in target:
            raise UsageError(
                f"{request.method} {target!r}: a request cannot hold this text",
                hint="paths and tokens are printable ASCII",
            )
        return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")

    def _broken(self, request: HttpRequest, e: Exception, timeout: float) -> UnreachableError:
        late = isinstance(e, TimeoutError)
        why = f"no whole answer within {timeout:.0f} s" if late else str(e) or type(e).__name__
        hint = "whether it was carried out is unknown: look before repeating it"
        if request.method == "GET":
            hint = "it accepts connections, but is busy or stuck: see the API server's log" if late else "try again"
        return UnreachableError(self.name(request), why=why, hint=hint)

    def _send(self, connection: Connection, request: HttpRequest, head: bytes) -> http.client.HTTPResponse:
        data = head + (request.body or b"")
        if self._gate is not None and request.method != "GET":
            try:
                self._gate()
            except Exception:
                connection.close()
                raise
        connection.send(data)
        response = http.client.HTTPResponse(connection, method=request.method)  # type: ignore[arg-type]  # it only calls makefile
        response.begin()
        return response
