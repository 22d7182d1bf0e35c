"""The desired network state from Nodes and this host's link. Pure: equal input gives equal text, byte for byte."""

from __future__ import annotations

import bisect
import functools
import hashlib
import ipaddress
import json
from collections.abc import Iterable, Mapping

from rancherctl.contract import VXLAN_DEVICE
from rancherctl.kube.objects import Node
from rancherctl.network.model import (
    NFT_TABLE,
    VXLAN_OVERHEAD,
    HostLinks,
    KernelRoute,
    NetworkConfig,
    NetworkState,
    Peer,
    Tunnel,
    Vxlan,
)

MAX_PREFIX = 30
"""Longest prefix of a pod range: a smaller range has no room for pods, and the kernel omits the prefix of a /32."""


def own_pod_cidr(nodes: Mapping[str, Node], name: str) -> str:
    """This node's IPv4 pod range; "" until the controller manager assigns one."""
    node = nodes.get(name)
    return next((c for c in node.pod_cidrs if ":" not in c), "") if node else ""


def peers(nodes: Mapping[str, Node], own: NetworkConfig) -> tuple[Peer, ...]:
    """The other nodes that have an internal address and a pod range, sorted by name, without unusable ones."""
    return _usable_and_unusable(nodes, own)[0]


def unusable(nodes: Mapping[str, Node], own: NetworkConfig) -> tuple[str, ...]:
    """Names of nodes with an address or pod range that cannot be routed.

    Kubelets write these values: one bad node must not harm the others.
    """
    return _usable_and_unusable(nodes, own)[1]


def _usable_and_unusable(nodes: Mapping[str, Node], own: NetworkConfig) -> tuple[tuple[Peer, ...], tuple[str, ...]]:
    """Split the peers. A kubelet can register any pod range: on overlap the older Node keeps it."""
    found = (
        (name, node.address("InternalIP"), own_pod_cidr(nodes, name))
        for name, node in nodes.items()
        if name != own.node
    )
    others = [Peer(name, address, cidr) for name, address, cidr in found if address and cidr]
    own_range = _pods(Peer(own.node, "", own_pod_cidr(nodes, own.node)))
    taken = [own_range] if own_range else []  # sorted, without overlaps
    usable, unusable_names = list[Peer](), list[str]()
    for peer in sorted(others, key=lambda p: (nodes[p.node].meta.created, p.node)):
        pods = _pods(peer) if _is_routable(peer, own) else None
        at = bisect.bisect_left(taken, pods) if pods else 0
        if pods is None or (at and taken[at - 1][1] >= pods[0]) or (at < len(taken) and taken[at][0] <= pods[1]):
            unusable_names.append(peer.node)
        else:
            taken.insert(at, pods)
            usable.append(peer)
    return tuple(sorted(usable, key=lambda p: p.node)), tuple(sorted(unusable_names))


@functools.lru_cache(maxsize=1 << 14)
def _pods(peer: Peer) -> tuple[int, int] | None:
    """First and last address of the pod range as numbers; None if it is not canonical or has no room for pods."""
    try:
        pods = ipaddress.IPv4Network(peer.pod_cidr)
    except ValueError:
        return None
    valid = str(pods) == peer.pod_cidr and pods.prefixlen <= MAX_PREFIX
    return (int(pods.network_address), int(pods.broadcast_address)) if valid else None


@functools.lru_cache(maxsize=1 << 14)
def _is_routable(peer: Peer, own: NetworkConfig) -> bool:
    """Whether the address can be another host's and the pod range is inside the environment's."""
    try:
        address, pods = ipaddress.IPv4Address(peer.address), ipaddress.IPv4Network(peer.pod_cidr)
    except ValueError:
        return False
    all_pods, services = ipaddress.IPv4Network(own.pod_cidr), ipaddress.IPv4Network(own.service_cidr)
    special = (
        address.is_multicast
        or address.is_loopback
        or address.is_unspecified
        or address.is_link_local
        or peer.address == "255.255.255.255"
    )
    # A host inside the pod network would make two overlapping elements of one set, and nft refuses the whole table.
    return (
        not special
        and address not in all_pods
        and address not in services
        and peer.address != own.address
        and pods.subnet_of(all_pods)
    )


def remembered(state: NetworkState) -> tuple[Peer, ...]:
    """The nodes to which a state has routes, without their names."""
    hosts = {tunnel.address: tunnel.host for tunnel in state.vxlan.tunnels} if state.vxlan else {}
    return tuple(
        Peer("", hosts.get(route.via, "") if route.device else route.via, route.destination) for route in state.routes
    )


def vanished(before: Iterable[Peer], now: Iterable[Peer]) -> tuple[Peer, ...]:
    """The peers of ``before`` whose pod ranges are in use no longer."""
    present = {peer.pod_cidr for peer in now}
    return tuple(peer for peer in before if peer.pod_cidr not in present)


def tunnel_mac(address: str) -> str:
    """The locally administered MAC of a host's VXLAN device: hosts derive it from the address, without exchange."""
    h = hashlib.sha256(f"vxlan {address}".encode()).digest()
    return ":".join(f"{b:02x}" for b in (0x02, *h[:5]))


def first_address(cidr: str) -> str:
    """The network address of a pod range: host-local never assigns it, so the VXLAN device may have it."""
    return str(ipaddress.ip_network(cidr).network_address)


def dns_only(config: NetworkConfig) -> NetworkState:
    """The state that every host has: the DNS addresses and their rules."""
    return NetworkState(config.dns_addresses, nft=nft_table(config, "", ()))


def desired(config: NetworkConfig, links: HostLinks, pod_cidr: str, others: Iterable[Peer]) -> NetworkState:
    """The whole state; only DNS addresses and their rules without ``pod_cidr`` (not assigned yet) or in mode none."""
    if config.mode == "none" or not pod_cidr:
        return dns_only(config)
    subnet = ipaddress.IPv4Network(links.subnet)
    known = tuple(others)
    direct_peers, tunnel_peers = list[Peer](), list[Peer]()
    for peer in known:
        direct = config.mode == "routed" and ipaddress.IPv4Address(peer.address) in subnet
        (direct_peers if direct else tunnel_peers).append(peer)
    mtu = links.mtu - VXLAN_OVERHEAD if tunnel_peers or config.mode == "vxlan" else links.mtu
    source = first_address(pod_cidr)
    routes = [KernelRoute(p.pod_cidr, p.address) for p in direct_peers]
    routes += [KernelRoute(p.pod_cidr, first_address(p.pod_cidr), VXLAN_DEVICE, source) for p in tunnel_peers]
    tunnels = tuple(sorted(Tunnel(first_address(p.pod_cidr), tunnel_mac(p.address), p.address) for p in tunnel_peers))
    return NetworkState(
        dns_addresses=config.dns_addresses,
        routes=tuple(sorted(routes)),
        vxlan=Vxlan(source, tunnel_mac(config.address), config.address, mtu, tunnels) if tunnel_peers else None,
        nft=nft_table(config, pod_cidr, (config.address, *(p.address for p in known))),
        cni=cni_config(pod_cidr, mtu),
        forwarding=True,
    )


def cni_config(pod_cidr: str, mtu: int) -> str:
    """The CNI configuration list: ptp (a bridge loses Service calls on one host, decision 5), host-local, portmap."""
    conf = {
        "cniVersion": "1.0.0",
        "name": "rancherctl",
        "plugins": [
            {
                "type": "ptp",
                "ipMasq": False,
                "mtu": mtu,
                "ipam": {"type": "host-local", "ranges": [[{"subnet": pod_cidr}]], "routes": [{"dst": "0.0.0.0/0"}]},
            },
            {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True},
        ],
    }
    return json.dumps(conf, indent=2) + "\n"


def nft_table(config: NetworkConfig, pod_cidr: str, hosts: Iterable[str]) -> str:
    """The nft table: DNS bypasses connection tracking and kube-proxy; pods leave with the host's address."""
    dns = ", ".join(config.dns_addresses)
    lines = [
        f"table inet {NFT_TABLE} {{",
        "\tchain dns_in {",
        "\t\ttype filter hook prerouting priority raw; policy accept;",
        f"\t\tip daddr {{ {dns} }} udp dport 53 notrack",
        f"\t\tip daddr {{ {dns} }} tcp dport 53 notrack",
        "\t}",
        "\tchain dns_out {",
        "\t\ttype filter hook output priority raw; policy accept;",
        f"\t\tip daddr {{ {dns} }} udp dport 53 notrack",
        f"\t\tip daddr {{ {dns} }} tcp dport 53 notrack",
        f"\t\tip saddr {{ {dns} }} udp sport 53 notrack",
        f"\t\tip saddr {{ {dns} }} tcp sport 53 notrack",
        "\t}",
    ]
    if pod_cidr:
        inside = ", ".join([config.pod_cidr, *sorted(set(hosts), key=ipaddress.IPv4Address)])
        lines += [
            "\tset inside {",
            "\t\ttype ipv4_addr",
            "\t\tflags interval",
            f"\t\telements = {{ {inside} }}",
            "\t}",
            "\tchain leave {",
            "\t\ttype nat hook postrouting priority srcnat; policy accept;",
            f"\t\tip saddr {pod_cidr} ip daddr != @inside ip daddr != 224.0.0.0/4 masquerade",
            "\t}",
        ]
    return "\n".join([*lines, "}"]) + "\n"
