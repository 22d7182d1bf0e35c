"""Asking published addresses themselves: does this address answer for this name and path, and who answered?"""

from __future__ import annotations

import http.client
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from rancherctl.ingress.haproxy.render import ORIGIN
from rancherctl.ingress.model import HTTP_PORT, Translated

TIMEOUT = 5.0
MAX_ROUTES = 20
PARALLEL = 16


@dataclass(frozen=True, slots=True)
class Question:
    """One request: to ``address``, for ``host`` and ``path``."""

    ingress: str
    address: str
    host: str
    path: str


@dataclass(frozen=True, slots=True)
class Probe:
    """What came of it. ``ok``: a backend answered (True), the load balancer has no such route or nobody answered (False), or the route is
    there but its service has no ready endpoint (None: nothing is known about the backend)."""

    question: Question
    ok: bool | None
    status: int
    result: str

    def as_json(self) -> Mapping[str, Any]:
        """Plain values."""
        q = self.question
        return {
            "ingress": q.ingress,
            "address": q.address,
            "host": q.host,
            "path": q.path,
            "ok": self.ok,
            "status": self.status,
            "result": self.result,
        }


def questions(t: Translated, addresses: Iterable[str]) -> list[Question]:
    """One for each rule (at most 20) and address. A wildcard is asked for by a name that it matches."""
    pairs: dict[tuple[str, str], None] = {}
    for route in t.routes:
        if route.kind != "default":
            path = route.path if route.kind == "exact" else route.path.rstrip("/") or "/"
            pairs[route.host.replace("*.", "rancherctl-probe.", 1) if route.host != "*" else "", path] = None
    found = list(pairs)[:MAX_ROUTES] or [("", "/")]
    return [Question(t.key, address, host or _literal(address), path) for address in addresses for host, path in found]


def _literal(address: str) -> str:
    """An address as a Host header names it."""
    return f"[{address}]" if ":" in address else address


def ask(question: Question, port: int = HTTP_PORT, timeout: float = TIMEOUT) -> Probe:
    """One GET; the body is not read."""
    connection = http.client.HTTPConnection(question.address, port, timeout=timeout)
    try:
        connection.request(
            "GET",
            question.path,
            headers={"Host": question.host, "User-Agent": "rancherctl-probe", "Connection": "close"},
        )
        response = connection.getresponse()
        origin = response.getheader(ORIGIN, "")
    except (OSError, http.client.HTTPException) as error:
        return Probe(question, False, 0, f"no answer: {error}")
    finally:
        connection.close()
    if origin == "no-route":
        return Probe(question, False, response.status, "the host does not know this name and path")
    if origin:
        return Probe(question, None, response.status, "routed, but its service has no endpoint that answers")
    return Probe(question, True, response.status, f"answered with {response.status}")


def ask_all(asked: list[Question], port: int = HTTP_PORT, timeout: float = TIMEOUT) -> list[Probe]:
    """All of them, some at a time, in order."""
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        return list(pool.map(lambda q: ask(q, port, timeout), asked))
