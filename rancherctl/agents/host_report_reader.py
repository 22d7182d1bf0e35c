"""What hosts report about their load balancers: what they serve, and ports they cannot use. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from math import inf
from typing import Final, Generic, TypeVar

from rancherctl.contract import NAMESPACE, REPORT_PREFIX
from rancherctl.ingress.options import HTTP_PORT
from rancherctl.ingress.status.report import MAX_PORTS, HostReport, load_balancer_section, parse_section
from rancherctl.kube.objects import ConfigMap
from rancherctl.placement.model import EVERY_PORT
from rancherctl.services.report import pod_ports

T = TypeVar("T")
WELL_KNOWN: Final = frozenset({80, 443})
MAX_USERS: Final = 4
MAX_WORDS: Final = 100
"""Ports of one host whose users the roster names, and characters about each: the roster must stay small."""
_PREFIX: Final = f"{NAMESPACE}/{REPORT_PREFIX}"


def load_balancer_report(stored: ConfigMap) -> HostReport:
    """The load-balancer part of one host's report."""
    return parse_section(load_balancer_section(stored.data))


def blocked_ports(stored: ConfigMap) -> tuple[int, ...]:
    """Ports on which a host cannot serve Ingresses.

    Another program uses them, they go to a pod (hostPort), or its load balancer has failed.
    """
    report = load_balancer_report(stored)
    # The well-known ones first: a host may report very many, and the roster must stay small.
    pods = sorted(pod_ports(stored.data), key=lambda port: (port not in WELL_KNOWN, port))
    used = {*report.blocked_ports(), *pods[:MAX_PORTS]}
    return tuple(sorted(used | {EVERY_PORT, HTTP_PORT} if report.error else used))


def port_users(stored: ConfigMap) -> dict[int, str]:
    """TCP ports of a host that go to pods, with the words that a roster has about them."""
    return {port: words[:MAX_WORDS] for port, words in pod_ports(stored.data).items()}


def listed_users(blocked: Collection[int], *known: Mapping[int, str]) -> dict[int, str]:
    """Who has the blocked ports of a host, as the first of ``known`` says that knows; those of few ports only."""
    found = {port: next((users[port] for users in known if port in users), "") for port in blocked}
    first = sorted(found, key=lambda port: (port not in WELL_KNOWN, port))
    return {port: found[port] for port in [port for port in first if found[port]][:MAX_USERS]}


class ReportCache(Generic[T]):
    """Parses each host's report once per version: reports are long, and are needed many times a second."""

    def __init__(self, parse: Callable[[ConfigMap], T]) -> None:
        self._parse = parse
        self._parsed: dict[str, tuple[ConfigMap, T]] = {}

    def by_host(self, maps: Mapping[str, ConfigMap]) -> dict[str, T]:
        """Results by host name; ``maps`` are all ConfigMaps of the namespace, by key."""
        before, self._parsed = self._parsed, {}
        for key, stored in maps.items():
            if key.startswith(_PREFIX):
                known = before.get(key)
                current = known is not None and known[0] is stored
                self._parsed[key] = known if known is not None and current else (stored, self._parse(stored))
        return {key.removeprefix(_PREFIX): result for key, (_, result) in self._parsed.items()}


class Debounce:
    """Passes blocked ports on once they have lasted: a restarting load balancer does not move Ingresses."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[tuple[str, int], float] = {}

    def lasting(
        self, found: Mapping[str, tuple[int, ...]], known: Mapping[str, tuple[int, ...]], now: float
    ) -> dict[str, tuple[int, ...]]:
        """The part of ``found`` (ports by host) that has lasted ``seconds``, or that is ``known``.

        An earlier leader has already waited for the known ones. A break starts the time again.
        """
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
