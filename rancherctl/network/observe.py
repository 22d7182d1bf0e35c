"""Read the kernel's state: commands and parsers. Only rancherctl's own device and table may be missing."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path

from rancherctl.contract import CNI_CONFIG, DNS_DEVICE, VXLAN_DEVICE
from rancherctl.errors import RancherctlError
from rancherctl.hosts import nft_table
from rancherctl.hosts.command import command
from rancherctl.hosts.transport import Transport
from rancherctl.network.model import (
    NFT_TABLE,
    ROUTE_PROTOCOL,
    HostLinks,
    KernelRoute,
    Observed,
    Tunnel,
    Vxlan,
)

CNI_PATH = Path(CNI_CONFIG)
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")


def links(transport: Transport, address: str) -> HostLinks:
    """The device with ``address``. Raises RancherctlError if there is none."""
    for device in json.loads(transport.run(command("ip", "-j", "-4", "addr", "show")).stdout or b"[]"):
        for entry in device.get("addr_info", ()):
            if entry.get("local") == address and device["ifname"] != "lo":
                net = ipaddress.ip_network(f"{address}/{entry['prefixlen']}", strict=False)
                return HostLinks(device["ifname"], str(net), int(device["mtu"]))
    raise RancherctlError(
        f"no network device has the address {address}",
        why="the host's address changed, or the link is not configured yet",
        hint="give the host this address again, or change its address in the environment file and apply",
    )


def parse_routes(text: bytes) -> frozenset[KernelRoute]:
    """Parse `ip -j route show proto N`; only VXLAN routes have their device."""
    found = set()
    for entry in json.loads(text or b"[]"):
        tunnel = entry.get("dev") == VXLAN_DEVICE
        destination = entry["dst"] if "/" in entry["dst"] else f"{entry['dst']}/32"
        found.add(
            KernelRoute(
                destination,
                entry.get("gateway", ""),
                VXLAN_DEVICE if tunnel else "",
                entry.get("prefsrc", "") if tunnel else "",
            )
        )
    return frozenset(found)


def _vxlan(transport: Transport) -> Vxlan | None:
    shown = transport.run(command("ip", "-j", "-d", "addr", "show", "dev", VXLAN_DEVICE), check=False)
    if not shown.ok:
        return None
    device = json.loads(shown.stdout)[0]
    info = device.get("linkinfo", {}).get("info_data", {})
    fdb = json.loads(transport.run(command("bridge", "-j", "fdb", "show", "dev", VXLAN_DEVICE)).stdout or b"[]")
    neighbours = json.loads(
        transport.run(command("ip", "-j", "neigh", "show", "dev", VXLAN_DEVICE, "nud", "permanent")).stdout or b"[]"
    )
    hosts = {e["mac"]: e["dst"] for e in fdb if "dst" in e and e.get("mac") != "00:00:00:00:00:00"}
    tunnels = tuple(
        sorted(Tunnel(n["dst"], n["lladdr"], hosts.get(n["lladdr"], "")) for n in neighbours if "lladdr" in n)
    )
    address = next((a["local"] for a in device.get("addr_info", ()) if a.get("family") == "inet"), "")
    up = "UP" in device.get("flags", ())
    return Vxlan(address if up else "", device.get("address", ""), info.get("local", ""), int(device["mtu"]), tunnels)


def observe(transport: Transport) -> Observed:
    """Read the whole state (five short commands, no network access)."""
    addresses = json.loads(transport.run(command("ip", "-j", "-4", "addr", "show", "dev", DNS_DEVICE)).stdout or b"[]")
    routes = transport.run(command("ip", "-j", "-4", "route", "show", "proto", str(ROUTE_PROTOCOL))).stdout
    return Observed(
        dns_addresses=frozenset(a["local"] for d in addresses for a in d.get("addr_info", ())),
        routes=parse_routes(routes),
        vxlan=_vxlan(transport),
        nft=nft_table.listing(transport, NFT_TABLE),
        # A damaged file decodes to another text and is rewritten.
        cni=CNI_PATH.read_bytes().decode("utf-8", "replace") if CNI_PATH.exists() else "",
        forwarding=FORWARDING.read_text().strip() == "1",
    )
