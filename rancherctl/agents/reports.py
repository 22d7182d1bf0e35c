"""What hosts report, read from the API: their sections, and which ports a host cannot serve on. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rancherctl.agents.config import NAMESPACE
from rancherctl.ingress import status
from rancherctl.ingress.model import HTTP_PORT
from rancherctl.kube.objects import ConfigMap

_PREFIX = f"{NAMESPACE}/report-"


def sections(maps: Mapping[str, ConfigMap]) -> dict[str, Mapping[str, Any]]:
    """Host → its report's sections by role; a report that is not JSON counts as none (its host writes it again)."""
    found: dict[str, Mapping[str, Any]] = {}
    for key, stored in maps.items():
        if key.startswith(_PREFIX):
            try:
                data = json.loads(stored.data.get("report", "{}")).get("sections")
            except (ValueError, AttributeError):
                data = None
            found[key.removeprefix(_PREFIX)] = data if isinstance(data, dict) else {}
    return found


def blocked_ports(reported: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[int, ...]]:
    """Host → ports that its load balancer cannot serve on: taken by another program, or the load balancer itself is broken."""
    found: dict[str, tuple[int, ...]] = {}
    for host, parts in reported.items():
        lb = parts.get("lb")
        if not isinstance(lb, dict):
            continue
        taken = set(status.blocked_ports(status.report(lb)))
        if lb.get("error"):
            taken.add(HTTP_PORT)
        if taken:
            found[host] = tuple(sorted(taken))
    return found


class Patience:
    """Lets a finding through once it has lasted: a load balancer that is restarted is not worth moving for."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[tuple[str, int], float] = {}

    def lasting(self, found: Mapping[str, tuple[int, ...]], now: float) -> dict[str, tuple[int, ...]]:
        """The part of ``found`` that has been there for ``seconds`` without a break."""
        pairs = {(host, port) for host, ports in found.items() for port in ports}
        self._since = {pair: self._since.get(pair, now) for pair in pairs}
        out: dict[str, tuple[int, ...]] = {}
        for host, port in sorted(pairs):
            if now - self._since[(host, port)] >= self._seconds:
                out[host] = (*out.get(host, ()), port)
        return out
