"""Desired and observed network of one host, as values with a JSON form for the boot unit. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rancherctl.contract import LINK_LOCAL_DNS
from rancherctl.text import short_digest

ROUTE_PROTOCOL = 173
"""Marks rancherctl's kernel routes (a free rtnetlink protocol number); routes without it are never changed."""
VXLAN_ID = 4243
VXLAN_PORT = 4789
VXLAN_OVERHEAD = 50
NFT_TABLE = "rancherctl_network"

Mode = Literal["routed", "vxlan", "none"]


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Network settings of this host: node name, internal address, CIDRs of the environment, DNS addresses."""

    node: str
    address: str
    pod_cidr: str
    service_cidr: str
    mode: Mode = "routed"
    dns_addresses: tuple[str, ...] = (LINK_LOCAL_DNS, "10.43.0.10")
    open_firewall: bool = False


@dataclass(frozen=True, slots=True)
class Peer:
    """Another node: its internal address and its pod range."""

    node: str
    address: str
    pod_cidr: str


@dataclass(frozen=True, slots=True)
class HostLinks:
    """The host's device that faces the environment: name, subnet (``10.77.0.0/24``), MTU in bytes."""

    device: str
    subnet: str
    mtu: int


@dataclass(frozen=True, slots=True, order=True)
class KernelRoute:
    """A route to a peer's pods. ``device`` and ``source`` are "" except for VXLAN routes."""

    destination: str
    via: str
    device: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Tunnel:
    """How the VXLAN device reaches a peer: the peer's tunnel address, its MAC, and the address of its host."""

    address: str
    mac: str
    host: str


@dataclass(frozen=True, slots=True)
class Vxlan:
    """The VXLAN device: ``address`` is the first address of the host's pod range, ``local`` the host's address."""

    address: str
    mac: str
    local: str
    mtu: int
    tunnels: tuple[Tunnel, ...]


@dataclass(frozen=True, slots=True)
class NetworkState:
    """The whole network of a host. ``cni`` is the configuration list ("": another network add-on owns it)."""

    dns_addresses: tuple[str, ...]
    routes: tuple[KernelRoute, ...] = ()
    vxlan: Vxlan | None = None
    nft: str = ""
    cni: str = ""
    forwarding: bool = False

    def digest(self) -> str:
        """Twelve hex digits of the content."""
        return short_digest(repr(self))


@dataclass(frozen=True, slots=True)
class Observed:
    """State of the kernel and the files. ``nft`` is the table as nft lists it ("": missing)."""

    dns_addresses: frozenset[str]
    routes: frozenset[KernelRoute]
    vxlan: Vxlan | None
    nft: str
    cni: str
    forwarding: bool


def to_json(state: NetworkState) -> dict[str, Any]:
    """The JSON form of a state."""
    return asdict(state)


def from_json(data: Mapping[str, Any]) -> NetworkState:
    """Parse the JSON form of a state. Raises KeyError, TypeError or ValueError if it is not valid."""
    vxlan = data.get("vxlan")
    return NetworkState(
        dns_addresses=tuple(data["dns_addresses"]),
        routes=tuple(KernelRoute(**r) for r in data["routes"]),
        vxlan=Vxlan(**{**vxlan, "tunnels": tuple(Tunnel(**t) for t in vxlan["tunnels"])}) if vxlan else None,
        nft=data["nft"],
        cni=data["cni"],
        forwarding=data["forwarding"],
    )
