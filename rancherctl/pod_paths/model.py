"""What a check of pod paths finds, as values with a JSON form for host reports. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

PERIOD_SECONDS: Final = 60
"""Seconds between two checks, before jitter."""
SOCKET: Final = "/run/rancherctl/pod-paths/endpoint.sock"
PEERS: Final = 3
"""How many other hosts each host asks in a period."""

Answer = Literal["yes", "no", "unknown"]
Cause = Literal[
    "",
    "firewall",  # this host drops packets of its pods
    "network",  # packets leave this host, and no answer comes back
    "route",  # the route to the other host's pods is missing, or leads elsewhere
    "mtu",  # small packets arrive, large ones do not
    "kube-proxy",
    "dns-server",
    "api",  # the API does not answer this host either
    "peer",  # the other host does not answer at all, or its endpoint is not up
    "endpoint",  # the check itself could not run
]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Addresses of a host's check endpoint: its own, and the gateway's, which the host's end of the pair has."""

    address: str
    gateway: str


def endpoint(pod_cidr: str) -> Endpoint:
    """The check endpoint's addresses in a host's pod range.

    host-local gives pods neither the first address (which the VXLAN device has) nor the last; the gateway is the one
    that ptp gives to the host's end of each pod's pair.
    """
    pods = ipaddress.IPv4Network(pod_cidr)
    return Endpoint(str(pods.broadcast_address), str(pods.network_address + 1))


@dataclass(frozen=True, slots=True)
class Check:
    """The answer to "do pods of this host reach X?", with the cause and a line for people unless it is yes."""

    answer: Answer
    cause: Cause = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class HostPaths:
    """What one host found: DNS, API, and the check endpoints of other hosts by node name.

    ``starting``: the host has checked nothing yet, or its first check has not passed; then nothing counts.
    """

    dns: Check
    api: Check
    pods: Mapping[str, Check] = field(default_factory=dict)
    starting: bool = False

    def checks(self) -> list[tuple[str, Check]]:
        """(what is to be reached, answer): ``DNS``, ``the API``, then ``pods of NODE`` by name."""
        pods = [(f"pods of {peer}", check) for peer, check in sorted(self.pods.items())]
        return [("DNS", self.dns), ("the API", self.api), *pods]


STARTING: Final = HostPaths(Check("unknown"), Check("unknown"), starting=True)


def to_section(paths: HostPaths) -> dict[str, Any]:
    """The role's section of the host report."""
    return {
        "dns": asdict(paths.dns),
        "api": asdict(paths.api),
        "pods": {peer: asdict(check) for peer, check in sorted(paths.pods.items())},
        "starting": paths.starting,
    }


def from_section(section: object) -> HostPaths | None:
    """Parse a section; None if it is missing or damaged. Hosts write their reports, so it may have any form."""
    if not isinstance(section, Mapping) or not isinstance(section.get("pods"), Mapping):
        return None
    dns, api = _check(section.get("dns")), _check(section.get("api"))
    pods = {str(peer)[:253]: _check(check) for peer, check in section["pods"].items()}
    if dns is None or api is None:
        return None
    known = {peer: check for peer, check in pods.items() if check is not None}
    return HostPaths(dns, api, known, section.get("starting") is True)


MAX_REASON_CHARS: Final = 300


def _check(value: object) -> Check | None:
    if not isinstance(value, Mapping) or value.get("answer") not in ("yes", "no", "unknown"):
        return None
    cause, reason = str(value.get("cause", ""))[:20], str(value.get("reason", ""))[:MAX_REASON_CHARS]
    return Check(value["answer"], cause, " ".join(reason.split()))  # type: ignore[arg-type]
