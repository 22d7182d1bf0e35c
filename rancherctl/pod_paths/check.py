"""Check the pod paths of this host: probes through the endpoint, then, for what failed, why."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from rancherctl.errors import RancherctlError
from rancherctl.hosts.command import command
from rancherctl.hosts.remote import path_probes
from rancherctl.hosts.transport import Transport
from rancherctl.network.kube_proxy import proxy_answer
from rancherctl.network.model import Peer
from rancherctl.pod_paths import attach, verdict
from rancherctl.pod_paths import endpoint as endpoint_process
from rancherctl.pod_paths.model import SOCKET, Check, Endpoint, HostPaths, endpoint
from rancherctl.pod_paths.trace import Traced, traced
from rancherctl.pod_paths.verdict import Outcome, Trace

TRACED: Final = 6
"""Failed destinations whose packets are counted: a few tell the cause, and many would cost the host too much."""
KUBELET_PORT: Final = 10250


@dataclass(frozen=True, slots=True)
class PathConfig:
    """What a check needs to know: this host, its DNS server, the API's Service and the host's own way to the API.

    ``own_api`` is (address, port) of the API balancer. ``routed``: whether pods have the network of rancherctl;
    otherwise the host itself sends the probes, and no pods are asked.
    """

    node: str
    dns_address: str
    dns_name: str
    api_address: str
    own_api: tuple[str, int]
    routed: bool
    api_port: int = 443
    socket: Path = Path(SOCKET)
    timeout: float = 3.0
    """Seconds for one probe: TCP repeats a lost packet after one."""


@dataclass(frozen=True, slots=True)
class Target:
    """The check endpoint of another host; ``via``: the gateway or device that its packets must take ("" = any)."""

    node: str
    host: str
    address: str
    via: str = ""


def targets(peers: Iterable[Peer], vias: dict[str, str]) -> tuple[Target, ...]:
    """Targets from peers; ``vias`` maps pod ranges to gateways or devices. Pure."""
    return tuple(
        Target(peer.node, peer.address, endpoint(peer.pod_cidr).address, vias.get(peer.pod_cidr, "")) for peer in peers
    )


Probes = Callable[[Sequence[path_probes.Probe]], list[Outcome]]


def _outcomes(results: Iterable[dict[str, str]]) -> list[Outcome]:
    return [Outcome(each["outcome"], each["detail"]) for each in results]


def from_host(timeout: float) -> Probes:
    """Send probes from the host's own network."""
    return lambda probes: _outcomes(path_probes.run_all(probes, timeout))


def from_endpoint(socket: Path, timeout: float) -> Probes:
    """Send probes through the check endpoint, as a pod would."""

    def send(probes: Sequence[path_probes.Probe]) -> list[Outcome]:
        request: dict[str, Any] = {"probes": list(probes), "timeout": timeout}
        limit = 2 * timeout * (1 + len(probes) // path_probes.PARALLEL) + 5.0
        return _outcomes(endpoint_process.ask(socket, request, limit))

    return send


class PathCheck:
    """Checks this host's pod paths; the arguments besides the first two replace what a test cannot have."""

    def __init__(
        self,
        config: PathConfig,
        transport: Transport,
        *,
        inside: Probes | None = None,
        outside: Probes | None = None,
        proxy: Callable[[], str] = proxy_answer,
    ) -> None:
        self._config, self._transport = config, transport
        self._outside, self._proxy = outside or from_host(config.timeout), proxy
        self._inside = inside or (from_endpoint(config.socket, config.timeout) if config.routed else self._outside)

    def attach(self, wanted: Endpoint, mtu: int) -> None:
        """Connect the endpoint to the pod network."""
        attach.attach(self._transport, self._config.socket, wanted, mtu)

    def run(self, own: str, asked: Sequence[Target]) -> HostPaths:
        """Check DNS, API and the targets. ``own`` is the endpoint's address. What failed is tried a second time."""
        probes = [self._dns(), self._api(), *map(_pod_probe, asked)]
        try:
            found = self._inside(probes)
            failing = [index for index, each in enumerate(found) if not each.ok]
            traces = self._again(own, asked, probes, found, failing) if failing else {}
        except RancherctlError as error:
            return could_not_run(str(error), asked)
        return self._judge(asked, found, traces)

    def _dns(self) -> path_probes.Probe:
        return {"kind": "dns", "address": self._config.dns_address, "port": 53, "name": self._config.dns_name}

    def _api(self) -> path_probes.Probe:
        return {"kind": "tcp", "address": self._config.api_address, "port": self._config.api_port}

    def _again(
        self,
        own: str,
        asked: Sequence[Target],
        probes: Sequence[path_probes.Probe],
        found: list[Outcome],
        failing: list[int],
    ) -> dict[int, Trace | None]:
        """Repeat the failed probes into ``found``, counting the packets of some of them."""

        def repeat() -> None:
            for index, outcome in zip(failing, self._inside([probes[i] for i in failing]), strict=True):
                found[index] = outcome

        if not self._config.routed:
            repeat()
            return {}
        some = failing[:TRACED]
        counted = [self._traced(index, asked) for index in some]
        return dict(zip(some, traced(self._transport, own, counted, repeat), strict=True))

    def _traced(self, index: int, asked: Sequence[Target]) -> Traced:
        if index == 0:
            return Traced(self._config.dns_address, "udp", 53)
        if index == 1:
            return Traced(self._config.api_address, "tcp", self._config.api_port, translated=True)
        return Traced(asked[index - 2].address, "tcp", path_probes.PORT)

    def _judge(self, asked: Sequence[Target], found: Sequence[Outcome], traces: dict[int, Trace | None]) -> HostPaths:
        own_api = {"kind": "tls", "address": self._config.own_api[0], "port": self._config.own_api[1]}
        hosts = [{"kind": "tcp", "address": each.host, "port": KUBELET_PORT} for each in asked]
        # Only what failed needs the host's own view.
        wanted = [] if found[0].ok else [(0, self._dns())]
        wanted += [] if found[1].ok else [(1, own_api)]
        wanted += [(2 + i, probe) for i, probe in enumerate(hosts) if not found[2 + i].ok]
        seen = dict(zip((i for i, _ in wanted), self._outside([probe for _, probe in wanted]), strict=True))
        good = Outcome("ok")
        pods = {}
        for i, each in enumerate(asked, start=2):
            # A closed port of kubelet is an answer, too.
            host = seen.get(i, good)
            answers = good if host.outcome == "refused" else host
            route = "" if found[i].ok else self._route(each)
            pods[each.node] = verdict.pod(each.node, found[i], answers, route, traces.get(i))
        proxy = self._proxy() if self._config.routed else ""
        return HostPaths(
            verdict.dns(found[0], seen.get(0, good), self._config.dns_address, traces.get(0)),
            verdict.api(found[1], seen.get(1, good), proxy, self._config.api_address, traces.get(1)),
            pods,
        )

    def _route(self, target: Target) -> str:
        """Where the kernel sends packets for a target, if not through ``via``; "" if that is right or unknown."""
        if not target.via:
            return ""
        shown = self._transport.run(command("ip", "-j", "-4", "route", "get", target.address), check=False)
        return wrong_route(shown.stdout if shown.ok else b"", target.via)


def wrong_route(shown: bytes, via: str) -> str:
    """What `ip -j route get` says instead of ``via`` (a gateway or a device); "" if it agrees. Pure."""
    try:
        entry: dict[str, Any] = next(iter(json.loads(shown or b"[]")), {})
    except ValueError:
        return ""
    if via in (entry.get("gateway"), entry.get("dev")):
        return ""
    found = f"via {entry['gateway']}" if "gateway" in entry else f"through {entry['dev']}" if "dev" in entry else ""
    return f"packets go {found}" if found else "the host has no route for them"


def could_not_run(why: str, asked: Sequence[Target] = ()) -> HostPaths:
    """The result of a check that could not run."""
    unknown = Check("unknown", "endpoint", why)
    return HostPaths(unknown, unknown, {each.node: replace(unknown) for each in asked})


def _pod_probe(target: Target) -> path_probes.Probe:
    return {"kind": "pod", "address": target.address, "port": path_probes.PORT, "name": target.node}
