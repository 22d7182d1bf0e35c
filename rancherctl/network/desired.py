"""From nodes and this host's link to the desired network state. Pure: the same input gives the same text, byte for byte."""

from __future__ import annotations

import bisect
import functools
import hashlib
import ipaddress
import json
from collections.abc import Iterable, Mapping

from rancherctl.kube.objects import Node
from rancherctl.network.model import (
    NFT_TABLE,
    VXLAN_DEVICE,
    VXLAN_OVERHEAD,
    HostLinks,
    NetworkConfig,
    NetworkState,
    Peer,
    Route,
    Tunnel,
    Vxlan,
)

SMALLEST_RANGE = 30
"""Prefix length: a smaller one has no room for pods, and the kernel writes a single address without its prefix."""


def own_pod_cidr(nodes: Mapping[str, Node], name: str) -> str:
    """This node's IPv4 pod range; "" while the controller manager has not given it one."""
    node = nodes.get(name)
    return next((c for c in node.pod_cidrs if ":" not in c), "") if node else ""


def peers(nodes: Mapping[str, Node], own: NetworkConfig) -> tuple[Peer, ...]:
    """The other nodes that have an inside address and a pod range, by name; without those of ``unusable``."""
    return _usable_and_unusable(nodes, own)[0]


def unusable(nodes: Mapping[str, Node], own: NetworkConfig) -> tuple[str, ...]:
    """Names of nodes that say of themselves what no route can be made of. Kubelets write it: one of them must not harm the others."""
    return _usable_and_unusable(nodes, own)[1]


def _usable_and_unusable(nodes: Mapping[str, Node], own: NetworkConfig) -> tuple[tuple[Peer, ...], tuple[str, ...]]:
    """Usable and unusable ones. A kubelet may register its Node with any pod range: the pods of a node that was there before stay its own."""
    found = (
        (name, node.address("InternalIP"), own_pod_cidr(nodes, name))
        for name, node in nodes.items()
        if name != own.node
    )
    others = [Peer(name, address, cidr) for name, address, cidr in found if address and cidr]
    mine = _pods(Peer(own.node, "", own_pod_cidr(nodes, own.node)))
    taken = [mine] if mine else []  # sorted, and no two overlap
    usable, odd = list[Peer](), list[str]()
    for peer in sorted(others, key=lambda p: (nodes[p.node].meta.created, p.node)):
        pods = _pods(peer) if _plain(peer, own) else None
        at = bisect.bisect_left(taken, pods) if pods else 0
        if pods is None or (at and taken[at - 1][1] >= pods[0]) or (at < len(taken) and taken[at][0] <= pods[1]):
            odd.append(peer.node)
        else:
            taken.insert(at, pods)
            usable.append(peer)
    return tuple(sorted(usable, key=lambda p: p.node)), tuple(sorted(odd))


@functools.lru_cache(maxsize=1 << 14)
def _pods(peer: Peer) -> tuple[int, int] | None:
    """First and last address of its pod range as numbers; None unless it is written as the kernel writes it and has room for pods."""
    try:
        pods = ipaddress.IPv4Network(peer.pod_cidr)
    except ValueError:
        return None
    fitting = str(pods) == peer.pod_cidr and pods.prefixlen <= SMALLEST_RANGE
    return (int(pods.network_address), int(pods.broadcast_address)) if fitting else None


@functools.lru_cache(maxsize=1 << 14)
def _plain(peer: Peer, own: NetworkConfig) -> bool:
    """Whether the address may be that of another host, and the pod range lies in the environment's."""
    try:
        address, pods = ipaddress.IPv4Address(peer.address), ipaddress.IPv4Network(peer.pod_cidr)
    except ValueError:
        return False
    ours, services = ipaddress.IPv4Network(own.pod_cidr), ipaddress.IPv4Network(own.service_cidr)
    special = (
        address.is_multicast
        or address.is_loopback
        or address.is_unspecified
        or address.is_link_local
        or peer.address == "255.255.255.255"
    )
    # A host that lies in the pods' network would make two overlapping elements of one set, and nft refuses the whole table.
    return (
        not special
        and address not in ours
        and address not in services
        and peer.address != own.address
        and pods.subnet_of(ours)
    )


def remembered(state: NetworkState) -> tuple[Peer, ...]:
    """The nodes that a state has routes to; their names are not in it."""
    hosts = {tunnel.address: tunnel.host for tunnel in state.vxlan.tunnels} if state.vxlan else {}
    return tuple(
        Peer("", hosts.get(route.via, "") if route.device else route.via, route.destination) for route in state.routes
    )


def vanished(before: Iterable[Peer], now: Iterable[Peer]) -> tuple[Peer, ...]:
    """Those of ``before`` whose pod ranges nobody has any more."""
    there = {peer.pod_cidr for peer in now}
    return tuple(peer for peer in before if peer.pod_cidr not in there)


def tunnel_mac(address: str) -> str:
    """The MAC of a host's VXLAN device: derived from its address, so that hosts need not tell each other. Locally administered."""
    h = hashlib.sha256(f"vxlan {address}".encode()).digest()
    return ":".join(f"{b:02x}" for b in (0x02, *h[:5]))


def first_address(cidr: str) -> str:
    """The network address of a pod range: host-local never hands it out, so the VXLAN device may carry it."""
    return str(ipaddress.ip_network(cidr).network_address)


def bare(config: NetworkConfig) -> NetworkState:
    """What a host has in any case: the DNS addresses and their rules."""
    return NetworkState(config.dns_addresses, nft=nft_table(config, "", ()))


def desired(config: NetworkConfig, links: HostLinks, pod_cidr: str, others: Iterable[Peer]) -> NetworkState:
    """The whole state. ``pod_cidr`` "" (not assigned yet) or mode none gives the DNS addresses and their rules only."""
    if config.mode == "none" or not pod_cidr:
        return bare(config)
    subnet = ipaddress.IPv4Network(links.subnet)
    known = tuple(others)
    near, far = list[Peer](), list[Peer]()
    for peer in known:
        (near if ipaddress.IPv4Address(peer.address) in subnet else far).append(peer)
    mtu = links.mtu - VXLAN_OVERHEAD if far else links.mtu
    source = first_address(pod_cidr)
    routes = [Route(p.pod_cidr, p.address) for p in near]
    routes += [Route(p.pod_cidr, first_address(p.pod_cidr), VXLAN_DEVICE, source) for p in far]
    tunnels = tuple(sorted(Tunnel(first_address(p.pod_cidr), tunnel_mac(p.address), p.address) for p in far))
    return NetworkState(
        dns_addresses=config.dns_addresses,
        routes=tuple(sorted(routes)),
        vxlan=Vxlan(source, tunnel_mac(config.address), config.address, mtu, tunnels) if far else None,
        nft=nft_table(config, pod_cidr, (config.address, *(p.address for p in known))),
        cni=cni_config(pod_cidr, mtu),
        forwarding=True,
    )


def cni_config(pod_cidr: str, mtu: int) -> str:
    """The CNI configuration list: ptp (see the decision record: a bridge loses same-host Service calls), host-local, portmap."""
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
    """Our nft table: DNS bypasses connection tracking (and so kube-proxy), pods leave the environment under the host's address."""
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
