"""Check published addresses of Services: a TCP connection to each port, and what the hosts report about kube-proxy."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from rancherctl.net import join_host_port
from rancherctl.services.model import LoadBalancer, Port, port_text, programmed_digest
from rancherctl.services.operator.api_view import ServicesView
from rancherctl.services.operator.overview import HELD, decisions
from rancherctl.services.placement import NOTHING
from rancherctl.text import plural

TIMEOUT: Final = 5.0
PARALLEL: Final = 16


@dataclass(frozen=True, slots=True)
class ServiceCheck:
    """One result. ``ok`` is None if nothing can be said: UDP has no connections.

    ``address`` and ``port`` are "" for the Service as a whole.
    """

    service: str
    address: str
    port: str
    ok: bool | None
    result: str

    def as_json(self) -> Mapping[str, Any]:
        """Plain values."""
        return {
            "service": self.service,
            "address": self.address,
            "port": self.port,
            "ok": self.ok,
            "result": self.result,
        }


def check(view: ServicesView, services: Iterable[LoadBalancer], timeout: float = TIMEOUT) -> list[ServiceCheck]:
    """Results for all published addresses, and for Services with too few."""
    chosen = list(services)
    decided = decisions(view)
    whole: list[ServiceCheck] = []
    for s in chosen:
        decision = decided[s.name]
        missing = len(s.published) < max(1, decision.target)
        if missing or len(s.published) < s.options.wanted:
            late = len(s.published) < len(decision.hosts)
            whys = ["the controller has not published it on all chosen hosts yet"] if late else []
            why = "; ".join([*whys, *(p.message for p in decision.problems)])
            text = f"{_count(len(s.published), s.options.wanted or decision.target)} published: {why}"
            # No host can take the addresses that are still requested: that is not for a check to fail.
            whole.append(ServiceCheck(s.name, "", "", False if missing else None, text))
    todo = [(s, address, port) for s in chosen for address in s.published for port in sorted(s.ports)]
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        probed = list(pool.map(lambda each: _probe(view, each[0], each[1], each[2], timeout), todo))
    return [*whole, *probed]


def _count(published: int, wanted: int) -> str:
    return f"{published} of {plural(wanted, 'address', 'addresses')}" if wanted else "no address"


def _probe(view: ServicesView, s: LoadBalancer, address: str, port: Port, timeout: float) -> ServiceCheck:
    def result(ok: bool | None, text: str) -> ServiceCheck:
        return ServiceCheck(s.name, address, port_text(port), ok, text)

    host = next((h for h in view.roster.hosts if h.address == address), None)
    if host is None:
        return result(False, "not the address of a load-balancer host")
    report = view.reports.get(host.name, NOTHING)
    held = f"; {host.name} {HELD}" if host.name in view.left_out.held else ""
    dead = "" if host.alive else f"; {host.name} is not alive: its agent sends no heartbeat"
    if report.programmed.get(s.name) != programmed_digest(address, s.ports):
        return result(False, f"kube-proxy of {host.name} has not programmed it{held or dead}")
    if port[0] != "tcp":
        return result(None, f"programmed by kube-proxy of {host.name}; {port[0].upper()} cannot be probed")
    try:
        with socket.create_connection((address, port[1]), timeout):
            return result(True, "accepts connections")
    except OSError as error:
        refused, why = isinstance(error, ConnectionRefusedError), error.strerror or str(error)
        hint = "; has the Service ready endpoints?" if refused else ""
        if view.services[s.name].source_ranges and not refused:
            return result(None, f"no connection, and loadBalancerSourceRanges may not allow this machine: {why}")
        return result(False, f"no connection to {join_host_port(address, port[1])}: {why}{dead or hint}")
