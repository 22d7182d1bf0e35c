"""What the server counts about itself, from its statistics channel on 127.0.0.1 (JSON over HTTP)."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rancherctl.errors import RancherctlError, UnreachableError


@dataclass(frozen=True, slots=True)
class Stats:
    """``queries`` since the start, ``hits`` and ``misses`` of the cache; ``version`` of the engine; ``started`` as the server says it."""

    version: str
    started: str
    queries: int
    hits: int
    misses: int

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def parse(data: Mapping[str, Any]) -> Stats:
    """From the JSON of ``/json/v1/server`` (BIND 9.18, 9.20); what is missing counts as 0."""
    cache = ((data.get("views") or {}).get("_default") or {}).get("resolver", {}).get("cachestats", {})
    return Stats(
        version=str(data.get("version", "")),
        started=str(data.get("boot-time", "")),
        queries=int((data.get("opcodes") or {}).get("QUERY", 0)),
        hits=int(cache.get("QueryHits", 0)),
        misses=int(cache.get("QueryMisses", 0)),
    )


def read(port: int, *, timeout: float = 2.0) -> Stats:
    """Ask the server on this host. UnreachableError when it does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", "/json/v1/server")
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise UnreachableError("the DNS server's statistics cannot be read", why=str(error)) from error
    finally:
        connection.close()
    try:
        return parse(json.loads(body))
    except (ValueError, AttributeError) as error:
        raise RancherctlError("the DNS server's statistics are not what was expected", why=str(error)) from error
