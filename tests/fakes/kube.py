"""A Kubernetes API server in the test's own process: paged lists, watches with bookmarks, writes, and faults.

It answers over real HTTP on loopback, so tests cover the client's framing, deadlines and connection reuse. The same
contract tests run against a real kube-apiserver.
"""

from __future__ import annotations

import bisect
import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from rancherctl.kube.kinds import KNOWN, api_version
from tests.fakes.kube_store import Json, RefusedError, Store, matches, merge_patch


@dataclass
class Fault:
    """Intercepts the next ``times`` matching requests; ``act`` gets the handler and returns True if it has answered."""

    matches: Callable[[str, str, dict[str, str]], bool]
    act: Callable[[Handler], bool]
    times: int


@dataclass
class FakeApi:
    """Clients connect to ``url``. Seed it with ``store.put("/api/v1/pods", "ns", {...})`` or through a client."""

    bookmark_seconds: float = 0.2
    store: Store = field(default_factory=Store)
    faults: list[Fault] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    """(method, path with query) in order of arrival."""
    silent: bool = False
    """Watches stay open and say nothing, as behind a firewall that forgot the connection."""
    connections: int = 0

    def __post_init__(self) -> None:
        api = self

        class Bound(Handler):
            fake = api

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Clients that go away in the middle are part of the tests."""

        self._tokens: dict[str, list[Json]] = {}
        self._stopping = threading.Event()
        self._server = Server(("127.0.0.1", 0), Bound)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        with self.store.changed:
            self.store.changed.notify_all()
        self._server.shutdown()
        self._server.server_close()

    def fail(
        self,
        code: int,
        *,
        times: int = 1,
        path: str = "",
        method: str = "",
        watch: bool | None = None,
        retry_after: str = "",
    ) -> None:
        """Answer the next ``times`` requests that match with an error."""

        def wanted(m: str, p: str, q: dict[str, str]) -> bool:
            return path in p and method in ("", m) and (watch is None or watch == ("watch" in q))

        def act(handler: Handler) -> bool:
            reason = {410: "Expired", 429: "TooManyRequests"}.get(code, "InternalError")
            handler.refuse(
                RefusedError(code, reason, f"scripted {code}", {"Retry-After": retry_after} if retry_after else {})
            )
            return True

        self.faults.append(Fault(wanted, act, times))

    def cut(self, *, times: int = 1, path: str = "", after_head: bool = False) -> None:
        """Close the connection instead of answering (``after_head``: in the middle of the body)."""

        def act(handler: Handler) -> bool:
            if after_head:
                handler.send_response(200)
                handler.send_header("Content-Length", "1000")
                handler.end_headers()
                handler.wfile.write(b'{"items":')
                handler.wfile.flush()
            handler.close_connection = True
            return True

        self.faults.append(Fault(lambda _m, p, _q: path in p, act, times))

    def stall(self, *, times: int = 1, path: str = "", trickle: bytes = b"", every: float = 0.05) -> None:
        """Accept the request and never finish the answer; ``trickle`` sends these bytes over and over."""

        def act(handler: Handler) -> bool:
            while not self._stopping.wait(every):
                if trickle:
                    handler.wfile.write(trickle)
            handler.close_connection = True
            return True

        self.faults.append(Fault(lambda _m, p, _q: path in p, act, times))

    def post(self, _path: str, _body: Any) -> Any:
        """The answer to a POST that creates no object; None for those that do."""
        return None

    def compact(self) -> None:
        """Forget the history: watches from older versions and page tokens answer 410."""
        with self.store.changed:
            self.store.compacted = self.store.version
            self.store.history.clear()
            self._tokens.clear()

    def watch_error(self, code: int = 410) -> None:
        """Send an ERROR event on all open watches."""
        with self.store.changed:
            self.store.version += 1
            self.store.history.append(_error(self.store.version, code))
            self.store.changed.notify_all()

    def wait_watching(self, count: int = 1, timeout: float = 60.0) -> None:
        """Until ``count`` watches are open."""
        with self.store.changed:
            assert self.store.changed.wait_for(lambda: self.watching >= count, timeout), (
                f"{self.watching} of {count} watches are open"
            )

    watching: int = 0


def _error(version: int, code: int) -> Any:
    from tests.fakes.kube_store import Past

    return Past(version, "*", "ERROR", RefusedError(code, "Expired", "too old resource version").status())


def discovery(path: str) -> Any:
    """The discovery document at ``path`` for the kinds that this program uses; None for other paths."""
    groups = sorted({(resource.group, resource.version) for resource in KNOWN if resource.group})
    if path in ("/apis", "/apis/"):
        listed = [
            {"name": group, "versions": [version], "preferredVersion": version}
            for group, number in groups
            for version in ({"groupVersion": f"{group}/{number}", "version": number},)
        ]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}
    version = path.removeprefix("/apis/") if path.startswith("/apis/") else path.removeprefix("/api/")
    if version not in {api_version(resource) for resource in KNOWN}:
        return None
    resources = [
        {"name": r.plural, "kind": r.kind, "namespaced": r.namespaced, "singularName": "", "verbs": ["get", "patch"]}
        for r in KNOWN
        if api_version(r) == version
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources}


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    fake: FakeApi
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.fake.connections += 1

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def answer(self, code: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode() if not isinstance(body, bytes) else body
        self.send_response(code)
        for k, v in {"Content-Type": "application/json", "Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(k, v)
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, e: RefusedError) -> None:
        self.answer(e.code, e.status(), e.headers)

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {k: v[0] for k, v in parse_qs(url.query, keep_blank_values=True).items()}
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        with self.fake.store.changed:
            self.fake.requests.append((self.command, self.path))
        for fault in list(self.fake.faults):
            if fault.times > 0 and fault.matches(self.command, url.path, query):
                fault.times -= 1
                if fault.act(self):
                    return
        try:
            self.serve(unquote(url.path), query, json.loads(body) if body else None)
        except RefusedError as e:
            self.refuse(e)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # the standard library's names

    def serve(self, path: str, query: dict[str, str], body: Any) -> None:
        if path in ("/readyz", "/livez"):
            return self.answer(200, b"ok")
        if path == "/version":
            return self.answer(200, {"gitVersion": "v1.36.3"})
        if (found := discovery(path)) is not None:
            return self.answer(200, found)
        if self.command == "POST" and (answer := self.fake.post(path, body)) is not None:
            return self.answer(201, answer)
        collection, namespace, name, sub = split(path)
        store, dry = self.fake.store, bool(query.get("dryRun"))
        match self.command:
            case "GET" if "watch" in query:
                self.watch(collection, namespace, query)
            case "GET" if name:
                self.answer(200, store.get(collection, namespace, name))
            case "GET":
                self.list(collection, namespace, query)
            case "POST":
                self.answer(201, store.create(collection, namespace, body, dry=dry))
            case "PUT":
                self.answer(200, store.update(collection, namespace, name, body, dry=dry))
            case "PATCH" if self.headers["Content-Type"] == "application/apply-patch+yaml":
                force = query.get("force") == "true"
                with store.changed:
                    if sub:
                        store.get(collection, namespace, name)  # an apply of a status creates nothing
                    found = store.apply(collection, namespace, name, body, query["fieldManager"], force=force, dry=dry)
                self.answer(200, found)
            case "PATCH":
                with store.changed:
                    self.answer(
                        200,
                        store.update(
                            collection,
                            namespace,
                            name,
                            merge_patch(store.get(collection, namespace, name), body),
                            dry=dry,
                        ),
                    )
            case "DELETE":
                store.delete(collection, namespace, name)
                self.answer(200, {"kind": "Status", "status": "Success"})
        return None

    def list(self, collection: str, namespace: str, query: dict[str, str]) -> None:
        fake, store = self.fake, self.fake.store
        with store.changed:
            if token := query.get("continue"):
                if token not in fake._tokens:
                    raise RefusedError(410, "Expired", "The provided continue parameter is too old")
                rest, version = fake._tokens.pop(token), token.split(":")[0]
            else:
                found = [
                    o for (c, n, _), o in sorted(store.objects.items()) if c == collection and namespace in ("", n)
                ]
                rest = [o for o in found if matches(o, query.get("labelSelector", ""), query.get("fieldSelector", ""))]
                version = str(store.version)
            limit = int(query.get("limit") or 0) or len(rest)
            meta = {"resourceVersion": version}
            if rest[limit:]:
                meta["continue"] = f"{version}:{len(fake._tokens)}:{len(rest)}"
                fake._tokens[meta["continue"]] = rest[limit:]
        self.answer(200, {"kind": "List", "metadata": meta, "items": rest[:limit]})

    def watch(self, collection: str, namespace: str, query: dict[str, str]) -> None:
        fake, store = self.fake, self.fake.store
        at = int(query["resourceVersion"])
        if at < store.compacted:
            raise RefusedError(410, "Expired", f"too old resource version: {at} ({store.compacted})")
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        ends = time.monotonic() + float(query.get("timeoutSeconds") or 300)
        with self.watching():
            while not fake._stopping.is_set() and time.monotonic() < ends:
                with store.changed:
                    store.changed.wait_for(
                        lambda seen=at: store.version > seen or fake._stopping.is_set(),  # type: ignore[misc]
                        fake.bookmark_seconds,
                    )
                    events = store.history[bisect.bisect_right(store.history, at, key=lambda past: past.version) :]
                    now = store.version
                    if at < store.compacted:  # what this watch has not sent yet is forgotten: it cannot go on
                        events.insert(0, _error(now, 410))
                if fake.silent:
                    continue
                lines = []
                for e in events:
                    mine = e.collection == collection and (
                        not namespace or e.object["metadata"].get("namespace") == namespace
                    )
                    if e.collection == "*" or (
                        mine and matches(e.object, query.get("labelSelector", ""), query.get("fieldSelector", ""))
                    ):
                        lines.append({"type": e.type, "object": e.object})
                if not lines and query.get("allowWatchBookmarks") == "true":
                    lines = [
                        {"type": "BOOKMARK", "object": {"kind": "Bookmark", "metadata": {"resourceVersion": str(now)}}}
                    ]
                at = now
                for line in lines:
                    data = json.dumps(line).encode() + b"\n"
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                if any(line["type"] == "ERROR" for line in lines):
                    break
            with contextlib.suppress(OSError):
                self.wfile.write(b"0\r\n\r\n")

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        with self.fake.store.changed:
            self.fake.watching += 1
            self.fake.store.changed.notify_all()
        try:
            yield
        finally:
            with self.fake.store.changed:
                self.fake.watching -= 1
                self.fake.store.changed.notify_all()


def split(path: str) -> tuple[str, str, str, str]:
    """(collection, namespace, name, subresource) of a URL path."""
    parts = path.strip("/").split("/")
    head, rest = (parts[:2], parts[2:]) if parts[0] == "api" else (parts[:3], parts[3:])
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    plural, name, sub = [*rest, "", "", ""][:3]
    return "/" + "/".join([*head, plural]), namespace, name, sub
