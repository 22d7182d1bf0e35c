"""What hosts report about their load balancers, read from the API: what they serve, and which ports they cannot serve on. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import Generic, TypeVar

from rancherctl.agents.config import NAMESPACE
from rancherctl.ingress.model import HTTP_PORT
from rancherctl.ingress.status import plan
from rancherctl.ingress.status.plan import HostReport
from rancherctl.kube.objects import ConfigMap

T = TypeVar("T")
_PREFIX = f"{NAMESPACE}/report-"


def lb_report(stored: ConfigMap) -> HostReport:
    """What one host's load balancer says that it serves."""
    return plan.report(plan.section(stored.data))


def blocked_ports(stored: ConfigMap) -> tuple[int, ...]:
    """Ports that one host's load balancer cannot serve on: taken by another program, or the load balancer itself is broken."""
    section = plan.section(stored.data)
    taken = set(plan.blocked_ports(plan.report(section)))
    return tuple(sorted(taken | {HTTP_PORT} if section.get("error") else taken))


class PerHost(Generic[T]):
    """What ``read`` makes of each host's report, read once for each version: reports are long, and looked at many times a second."""

    def __init__(self, read: Callable[[ConfigMap], T]) -> None:
        self._read = read
        self._known: dict[str, tuple[ConfigMap, T]] = {}

    def of(self, maps: Mapping[str, ConfigMap]) -> dict[str, T]:
        """By host; ``maps`` are all ConfigMaps of the namespace, by key."""
        known = self._known
        self._known = {}
        for key, stored in maps.items():
            if key.startswith(_PREFIX):
                before = known.get(key)
                self._known[key] = (
                    before if before is not None and before[0] is stored else (stored, self._read(stored))
                )
        return {key.removeprefix(_PREFIX): result for key, (_, result) in self._known.items()}


class Patience:
    """Lets a finding through once it has lasted: a load balancer that is restarted is not worth moving for."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[tuple[str, int], float] = {}

    def lasting(
        self, found: Mapping[str, tuple[int, ...]], known: Mapping[str, tuple[int, ...]], now: float
    ) -> dict[str, tuple[int, ...]]:
        """The part of ``found`` that has been there for ``seconds`` without a break, or is ``known``: an earlier leader was patient already."""
        pairs = {(host, port) for host, ports in found.items() for port in ports}
        self._since = {
            (host, port): self._since.get((host, port), -inf if port in known.get(host, ()) else now)
            for host, port in pairs
        }
        out: dict[str, tuple[int, ...]] = {}
        for host, port in sorted(pairs):
            if now - self._since[(host, port)] >= self._seconds:
                out[host] = (*out.get(host, ()), port)
        return out
