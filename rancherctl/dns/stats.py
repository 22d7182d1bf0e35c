"""The server's counters, read from its statistics channel on 127.0.0.1 (JSON over HTTP)."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rancherctl.errors import RancherctlError, UnreachableError


@dataclass(frozen=True, slots=True)
class Stats:
    """Counters since the start: queries, hits and misses of the cache; ``started`` as the server reports it.

    ``sent`` queries to upstreams and servers of stub domains, ``answered`` answers from them.
    """

    version: str
    started: str
    queries: int
    hits: int
    misses: int
    sent: int = 0
    answered: int = 0

    def as_json(self) -> dict[str, Any]:
        """The counters as JSON values."""
        return asdict(self)


def parse(data: Mapping[str, Any]) -> Stats:
    """Parse the JSON of ``/json/v1/server`` (BIND 9.18, 9.20); missing counters are 0."""
    resolver = ((data.get("views") or {}).get("_default") or {}).get("resolver", {})
    cache, sent = resolver.get("cachestats", {}), resolver.get("stats", {})
    return Stats(
        version=str(data.get("version", "")),
        started=str(data.get("boot-time", "")),
        queries=int((data.get("opcodes") or {}).get("QUERY", 0)),
        hits=int(cache.get("QueryHits", 0)),
        misses=int(cache.get("QueryMisses", 0)),
        sent=int(sent.get("Queryv4", 0)) + int(sent.get("Queryv6", 0)),
        answered=int(sent.get("Responsev4", 0)) + int(sent.get("Responsev6", 0)),
    )


def read(port: int, *, timeout: float = 2.0) -> Stats:
    """Read the counters of this host's server. Raises UnreachableError if it does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", "/json/v1/server")
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise UnreachableError("cannot read the DNS server's statistics", why=str(error)) from error
    finally:
        connection.close()
    try:
        return parse(json.loads(body))
    except (ValueError, AttributeError) as error:
        raise RancherctlError("the DNS server's statistics have an unexpected format", why=str(error)) from error
