"""Which Services hosts serve by rules of their own, because an address is about to come or to leave. Pure.

The leader stores them beside the roster. A host that finds itself there loads the rules and reports that; only then
the address comes into the status, or leaves it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

MAX_PAIRS: Final = 5000
"""Pairs of Service and host that are stored: every host reads the ConfigMap, which holds a megabyte at most."""


def to_json(pairs: Iterable[tuple[str, str]]) -> str:
    """Text that ``of_host`` reads; "" if there are none. Equal pairs give equal text."""
    hosts: dict[str, list[str]] = {}
    for service, host in sorted(pairs)[:MAX_PAIRS]:
        hosts.setdefault(host, []).append(service)
    return json.dumps(hosts, sort_keys=True, separators=(",", ":")) if hosts else ""


def of_host(text: str, host: str) -> frozenset[str]:
    """The Services of one host in what ``to_json`` wrote. ValueError if it is something else."""
    data: Any = json.loads(text or "{}")
    listed = data.get(host, []) if isinstance(data, Mapping) else None
    if not isinstance(listed, list):
        raise ValueError("not a list of Services for each host")  # noqa: TRY004 - one error for all bad text
    return frozenset(map(str, listed))
