"""The standard-library KubeClient: keep-alive connections, call deadlines, paged lists, watches, server-side apply."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from rancherctl.errors import UnreachableError, UsageError
from rancherctl.kube.client import GoneError, Json, ListPage, Resource, WatchEvent
from rancherctl.kube.decode import loads
from rancherctl.kube.http.exchange import JSON, Exchange, HttpRequest
from rancherctl.kube.http.pool import ConnectionPool
from rancherctl.kube.http.stream import WatchStream
from rancherctl.kube.http.tls import ApiEndpoint

PAGE = 500
WATCH_SECONDS = (290, 350)
"""Range of the life of a watch, asked of the server at random: many agents do not renew at the same moment."""
HEAD_SECONDS = 30.0
"""The head of a watch's answer comes at once, or after the server has caught up with the version asked for."""


class RestClient:
    """One API server. Thread-safe. Implements kube.client.KubeClient; ``timeout``: seconds per call, with connecting.

    ``server`` is a URL; ``ca``, ``cert``, ``key`` are paths (re-read on change) or PEM. ``token`` is sent as
    bearer
    token; a callable is called before every request, so it can renew. ``gate`` is called right before a write is sent
    and can stop it by raising.
    """

    def __init__(
        self,
        server: str | ApiEndpoint,
        *,
        ca: Path | str | bytes | None = None,
        cert: Path | str | bytes | None = None,
        key: Path | str | bytes | None = None,
        token: str | Callable[[], str] = "",
        agent: str = "rancherctl",
        choose: random.Random | None = None,
        gate: Callable[[], object] | None = None,
    ) -> None:
        self._pool = ConnectionPool(
            server if isinstance(server, ApiEndpoint) else ApiEndpoint(server, _pem(ca), _pem(cert), _pem(key))
        )
        self._exchange = Exchange(self._pool, token, agent, gate)
        self._random = choose or random.Random()  # noqa: S311  # spreads load, protects nothing
        self._streams: set[WatchStream] = set()
        self._lock = threading.Lock()

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self._pool.server.url

    def list(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        timeout: float = 30.0,
    ) -> ListPage:
        """All objects as one page; see ``pages``."""
        items: list[Json] = []
        version = ""
        for page in self.pages(
            resource, namespace=namespace, label_selector=label_selector, field_selector=field_selector, timeout=timeout
        ):
            if page.restarted:
                items.clear()
            items.extend(page.items)
            version = page.resource_version
        return ListPage(tuple(items), version)

    def pages(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        timeout: float = 30.0,
    ) -> Iterator[ListPage]:
        """The list in pages of 500, so that a caller can shrink the objects of one page before the next is read.

        All pages have one resource version. If a page's token expires (410) the list starts over once (``restarted``).
        """
        deadline = time.monotonic() + timeout
        query = {"limit": str(PAGE)} | _selectors(label_selector, field_selector)
        path, restarted = resource.path(namespace), False
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise UnreachableError(f"GET {self.server}{path}: the list is not complete after {timeout:.0f} s")
            try:
                answer = self._json("GET", path, query, timeout=left)
            except GoneError:
                if restarted or "continue" not in query:
                    raise
                restarted = True
                query = _selectors(label_selector, field_selector)  # whole in one answer: no token can expire again
                continue
            meta = answer.get("metadata") or {}
            yield ListPage(tuple(answer.get("items") or ()), str(meta.get("resourceVersion", "")), restarted)
            if not meta.get("continue"):
                return
            query["continue"] = str(meta["continue"])

    def watch_batches(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
        timeout: float = 70.0,
    ) -> WatchStream:
        """Start a watch; iterate over the answer for tuples of events that had arrived together. Close it when done."""
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(self._random.randint(*WATCH_SECONDS)),
        } | _selectors(label_selector, field_selector)
        request = HttpRequest("GET", resource.path(namespace), urlencode(query))
        connection, response = self._exchange.open(request, min(timeout, HEAD_SECONDS))
        stream = WatchStream(self._exchange.name(request), connection, response, timeout, self._forget)
        with self._lock:
            self._streams.add(stream)
        return stream

    def watch(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
        timeout: float = 70.0,
    ) -> Iterator[WatchEvent]:
        """Events from ``resource_version`` on, one by one."""
        stream = self.watch_batches(
            resource,
            namespace=namespace,
            resource_version=resource_version,
            label_selector=label_selector,
            field_selector=field_selector,
            timeout=timeout,
        )
        for batch in stream:
            yield from batch

    def get(self, resource: Resource, name: str, *, namespace: str = "", timeout: float = 10.0) -> Json:
        """One object."""
        return self._json("GET", resource.path(namespace, name), timeout=timeout)

    def create(
        self,
        resource: Resource,
        body: Json,
        *,
        namespace: str = "",
        subresource: str = "",
        name: str = "",
        manager: str = "",
        strict: bool = False,
        timeout: float = 10.0,
    ) -> Json:
        """Create and return the stored object; ``name`` and ``subresource`` for subresources (token, eviction).

        ``manager`` is the field manager; ``strict`` refuses fields that the server does not know.
        """
        namespace = namespace or (body.get("metadata") or {}).get("namespace", "")
        stored = body if subresource else _typed(resource, body)
        query = ({"fieldManager": manager} if manager else {}) | ({"fieldValidation": "Strict"} if strict else {})
        return self._json("POST", resource.path(namespace, name, subresource), query, body=stored, timeout=timeout)

    def replace(
        self, resource: Resource, body: Json, *, subresource: str = "", manager: str = "", timeout: float = 10.0
    ) -> Json:
        """PUT the whole object; ``manager`` is the field manager."""
        namespace, name = _names(resource, body)
        query, path = {"fieldManager": manager} if manager else {}, resource.path(namespace, name, subresource)
        return self._json("PUT", path, query, body=_typed(resource, body), timeout=timeout)

    def patch(
        self,
        resource: Resource,
        name: str,
        body: Json,
        *,
        namespace: str = "",
        subresource: str = "",
        timeout: float = 10.0,
    ) -> Json:
        """Merge patch."""
        path = resource.path(namespace, name, subresource)
        return self._json("PATCH", path, body=body, content="application/merge-patch+json", timeout=timeout)

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
        """Server-side apply; the body is JSON, which is YAML too."""
        namespace, name = _names(resource, body)
        query = {"fieldManager": manager, "force": str(force).lower()} | ({"dryRun": "All"} if dry_run else {})
        path = resource.path(namespace, name, subresource)
        return self._json(
            "PATCH", path, query, body=_typed(resource, body), content="application/apply-patch+yaml", timeout=timeout
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
        """Delete one object; ``options`` are DeleteOptions (propagationPolicy, preconditions)."""
        body = {"kind": "DeleteOptions", "apiVersion": "v1", **options} if options else None
        self._json("DELETE", resource.path(namespace, name), body=body, timeout=timeout)

    def raw(self, method: str, path: str, *, body: bytes | None = None, timeout: float = 10.0) -> bytes:
        """A plain request; ``path`` may have a query."""
        plain, _, query = path.partition("?")
        return self._exchange.call(HttpRequest(method, plain, query, body), timeout)

    def __enter__(self) -> RestClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End watches and idle connections."""
        with self._lock:
            streams = tuple(self._streams)
        for stream in streams:
            stream.close()
        self._pool.close()

    def _forget(self, stream: WatchStream) -> None:
        with self._lock:
            self._streams.discard(stream)

    def _json(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: Json | None = None,
        content: str = JSON,
        timeout: float,
    ) -> Json:
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        request = HttpRequest(method, path, urlencode(query or {}), data, content)
        answer = self._exchange.call(request, timeout)
        try:
            parsed = loads(answer)
        except ValueError:
            parsed = None
        if not isinstance(parsed, dict):
            what = f"{self._exchange.name(request)}: the answer is not a JSON object"
            raise UnreachableError(
                what, why=answer[:200].decode("utf-8", "replace"), hint="is this address really that of an API server?"
            )
        return parsed


def _selectors(label: str, fields: str) -> dict[str, str]:
    return {k: v for k, v in (("labelSelector", label), ("fieldSelector", fields)) if v}


def _typed(resource: Resource, body: Json) -> Json:
    version = f"{resource.group}/{resource.version}" if resource.group else resource.version
    return {"apiVersion": version, "kind": resource.kind, **body}


def _names(resource: Resource, body: Json) -> tuple[str, str]:
    meta = body.get("metadata") or {}
    if not meta.get("name"):
        raise UsageError(f"a {resource.kind} without metadata.name cannot be written")
    return str(meta.get("namespace") or ""), str(meta["name"])


def _pem(value: Path | str | bytes | None) -> Path | bytes | None:
    return Path(value) if isinstance(value, str) else value
