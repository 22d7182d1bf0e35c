"""The official ``kubernetes`` client: discovery of any kind and server-side apply of arbitrary manifests.

Importing it takes most of a second, so only the function that needs it imports this module. Its typed models are not
used.
"""

from __future__ import annotations

import json
import socket
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rancherctl.errors import RancherctlError, UnreachableError
from rancherctl.kube.client import Json, Resource, UnauthorizedError
from rancherctl.kube.http.exchange import RenewableToken
from rancherctl.kube.http.failures import failure, status_object
from rancherctl.kube.http.pool import CONNECT_SECONDS
from rancherctl.kube.http.tls import ApiEndpoint, make_context
from rancherctl.proxy.connect import connect


class OfficialClient:
    """The client that kube.apply needs, on the official one.

    Use it as a context manager: its private files are removed at the end.
    """

    def __init__(self, server: ApiEndpoint, token: str | Callable[[], str] = "") -> None:
        import kubernetes.client
        import kubernetes.dynamic

        # For credentials given as bytes and the discovery cache, whose default is a predictable file in /tmp.
        self._folder = tempfile.TemporaryDirectory(prefix="rancherctl-api-")
        settings = kubernetes.client.Configuration(host=server.url)
        settings.ssl_ca_cert = self._file("ca", server.ca)
        settings.cert_file, settings.key_file = self._file("cert", server.cert), self._file("key", server.key)
        settings.verify_ssl = not server.insecure
        settings.tls_server_name = server.server_name or None
        settings.retries = False
        # Its own reading of HTTPS_PROXY would also send requests to a tunnel on loopback through the proxy, and it
        # knows no SOCKS5: connections come from proxy.connect.
        settings.proxy = None
        settings.no_proxy = None
        self._token = token
        self._api = kubernetes.client.ApiClient(settings)
        connect: Any = kubernetes.dynamic.DynamicClient
        try:
            with _translated(f"the credentials for {server.url}"):
                # The library's own context would be stricter than kubectl from Python 3.13 on.
                manager = self._api.rest_client.pool_manager
                manager.connection_pool_kw["ssl_context"] = make_context(server)
                if server.proxy is not None:
                    manager.pool_classes_by_scheme = _pools_through(server)
            self._dynamic = self._with_token(
                f"discovery at {server.url}",
                lambda: connect(self._api, cache_file=str(Path(self._folder.name, "discovery.json"))),
            )
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> OfficialClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End connections and remove the files; safe to call twice."""
        self._api.rest_client.pool_manager.clear()
        self._folder.cleanup()

    def resource(self, api_version: str, kind: str) -> Resource:
        """The resource of a kind; NotFoundError if the API does not serve it."""
        found = self._with_token(
            f"{kind} ({api_version})", lambda: self._dynamic.resources.get(api_version=api_version, kind=kind)
        )
        return Resource(found.group or "", found.api_version, found.name, found.kind, bool(found.namespaced))

    def get(self, resource: Resource, name: str, *, namespace: str = "", timeout: float = 10.0) -> Json:
        """One object."""
        return self._json("get", resource.path(namespace, name), timeout=timeout)

    def apply(
        self,
        resource: Resource,
        body: Json,
        *,
        manager: str,
        force: bool = True,
        dry_run: bool = False,
        subresource: str = "",
        timeout: float = 10.0,
    ) -> Json:
        """Server-side apply."""
        meta = body["metadata"]
        more: dict[str, Any] = {
            "field_manager": manager,
            "force_conflicts": str(force).lower(),
            "content_type": "application/apply-patch+yaml",
        }
        if dry_run:
            more["dry_run"] = "All"
        return self._json(
            "patch",
            resource.path(meta.get("namespace", ""), meta["name"], subresource),
            body=body,
            timeout=timeout,
            **more,
        )

    def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str = "",
        options: Mapping[str, Any] | None = None,
        timeout: float = 10.0,
    ) -> None:
        """Delete one object."""
        self._json("delete", resource.path(namespace, name), body=dict(options) if options else None, timeout=timeout)

    def raw(self, method: str, path: str, *, body: bytes | None = None, timeout: float = 10.0) -> bytes:
        """A plain request."""
        return self._bytes(method.lower(), path, body=json.loads(body) if body else None, timeout=timeout)

    def _json(self, method: str, path: str, **more: Any) -> Json:
        parsed: Json = json.loads(self._bytes(method, path, **more))
        return parsed

    def _bytes(self, method: str, path: str, *, timeout: float, **more: Any) -> bytes:
        def request() -> bytes:
            answer = self._dynamic.request(
                method, path, serialize=False, _request_timeout=timeout, query_params=[], header_params={}, **more
            )
            return bytes(answer.data)

        answer: bytes = self._with_token(f"{method.upper()} {self._api.configuration.host}{path}", request)
        return answer

    def _with_token(self, what: str, request: Callable[[], Any]) -> Any:
        """Send requests with the present token; after a 401 once again with a renewed one, as ``Exchange`` does."""
        token = self._token() if callable(self._token) else self._token
        try:
            return self._sent(what, token, request)
        except UnauthorizedError:
            if not isinstance(self._token, RenewableToken) or not self._token.renew(token):
                raise
        return self._sent(what, self._token(), request)

    def _sent(self, what: str, token: str, request: Callable[[], Any]) -> Any:
        settings = self._api.configuration
        settings.api_key = {"authorization": token} if token else {}
        settings.api_key_prefix = {"authorization": "Bearer"}
        with _translated(what):
            return request()

    def _file(self, name: str, value: Path | bytes | None) -> str | None:
        if not isinstance(value, bytes):
            return str(value) if value else None
        path = Path(self._folder.name, name)
        path.touch(mode=0o600)
        path.write_bytes(value)
        return str(path)


def _pools_through(server: ApiEndpoint) -> dict[str, Any]:
    """Pools of urllib3 by scheme whose connections lead through the endpoint's proxy."""
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    def opened(host: str, port: int | None) -> socket.socket:
        return connect(host, port or server.parts()[2], server.proxy, CONNECT_SECONDS, ca=server.ca)

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return opened(self.host, self.port)

    class Encrypted(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return opened(self.host, self.port)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = Encrypted

    return {"http": PlainPool, "https": EncryptedPool}


class _translated:  # noqa: N801  # used as a statement
    """Translates errors of the official client and its libraries, with the cause kept."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        from kubernetes.client.exceptions import ApiException
        from kubernetes.dynamic.exceptions import ResourceNotFoundError, ResourceNotUniqueError
        from urllib3.exceptions import HTTPError

        if isinstance(error, ApiException) and error.status:
            headers = error.headers or {}
            body = error.body if isinstance(error.body, bytes) else str(error.body or "").encode()
            raise failure(self._what, int(error.status), status_object(body), headers.get("Retry-After")) from error
        if isinstance(error, ResourceNotFoundError):
            raise failure(self._what, 404, {"message": "the API does not serve it"}) from error
        if isinstance(error, ResourceNotUniqueError):
            raise RancherctlError(self._what, why=str(error)) from error
        if isinstance(error, (HTTPError, ApiException, OSError)):
            raise UnreachableError(self._what, why=str(error)[:300]) from error
