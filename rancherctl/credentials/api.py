"""One small HTTPS request to an environment's API, for renewing tokens; everything else uses kube."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any
from urllib.parse import urlsplit

from rancherctl import __version__
from rancherctl.errors import AuthError, NotFoundError, RancherctlError, UnreachableError
from rancherctl.proxy.choice import Proxy
from rancherctl.proxy.connect import connect
from rancherctl.secret import Secret
from rancherctl.trust import client_context

SECONDS = 5.0
LARGEST = 1 << 20


def call(
    method: str,
    server: str,
    path: str,
    *,
    ca: str,
    token: Secret,
    body: dict[str, Any] | None = None,
    proxy: Proxy | None = None,
) -> bytes:
    """The body of a 2xx response, through ``proxy`` if there is one.

    AuthError (401, 403, certificate), NotFoundError, UnreachableError or RancherctlError.
    """
    url = urlsplit(server)
    what = f"{method} {server}{path}"
    try:
        context = client_context(ca.encode())
    except (ssl.SSLError, ValueError) as e:
        raise AuthError(f"{server}: cannot read the stored certificate authority", why=str(e)) from e
    connection = http.client.HTTPSConnection(url.hostname or "", url.port or 443, timeout=SECONDS, context=context)
    headers = {
        "Authorization": f"Bearer {token!s}",
        "Accept": "application/json",
        "User-Agent": f"rancherctl-credential/{__version__}",
    }
    data = None if body is None else json.dumps(body).encode()
    if data is not None:
        headers["Content-Type"] = "application/json"
    try:
        plain = connect(connection.host, connection.port, proxy, SECONDS, ca=ca.encode())
        connection.sock = plain
        connection.sock = context.wrap_socket(plain, server_hostname=connection.host)
        connection.request(method, url.path.rstrip("/") + path, data, headers)
        response = connection.getresponse()
        content = response.read(LARGEST)
    except ssl.SSLCertVerificationError as e:
        raise AuthError(f"{server}: the API server's certificate is not trusted", why=e.verify_message or str(e)) from e
    except (OSError, http.client.HTTPException) as e:
        why = f"no answer within {SECONDS:.0f} s" if isinstance(e, TimeoutError) else str(e) or type(e).__name__
        raise UnreachableError(what, why=why) from e
    finally:
        connection.close()
    if 200 <= response.status < 300:
        return content
    kind = {401: AuthError, 403: AuthError, 404: NotFoundError}.get(response.status, RancherctlError)
    raise kind(what, why=_message(content) or f"HTTP status {response.status}")


def _message(content: bytes) -> str:
    try:
        return str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        return content[:200].decode("utf-8", "replace")
