"""The network of a lab: a namespace with a bridge per subnet and a router, and a link to the machine.

The commands are pure text (``ip -batch``, ``nft -f``); ``build``, ``remove`` and the link functions run them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from rancherctl.lab.command import LabError, run
from rancherctl.lab.model import POD_CIDR, Lab
from rancherctl.lab.paths import LINKS_ROOT, NETNS_ROOT

IFF_UP = 1  # of a link's flags, linux/if.h
HOST_LINK = "host0"  # nspawn's name for the host's end of its veth pair

# The router carries host addresses only: a pod address seen here means that the pod network forgot to encapsulate.
NFT = """\
table inet lab {{
  chain forward {{
    type filter hook forward priority 0; policy accept;
    ip saddr {pods} counter drop
    ip daddr {pods} counter drop
  }}
}}
"""

# Only between ports of one bridge: the router never sees those packets.
FILTER = "table bridge lab_site"
FILTER_NFT = f"""\
{FILTER} {{{{
  chain forward {{{{
    type filter hook forward priority 0; policy accept;
    ip saddr {{pods}} counter drop
  }}}}
}}}}
"""


def bridge(subnet: int) -> str:
    """The bridge of a subnet, in the lab's namespace."""
    return f"br{subnet}"


def inside(lab: Lab) -> tuple[str, ...]:
    """Prefix that runs a command in the lab's namespace. Not ``ip netns exec``: that one hides /sys/fs/cgroup."""
    return ("nsenter", f"--net={NETNS_ROOT / lab.netns}", "--")


def bridge_commands(lab: Lab) -> list[str]:
    """``ip -batch`` lines inside the namespace. The prohibit route refuses outgoing traffic at once."""
    lines = ["link set lo up", "route add prohibit default"]
    for subnet, network in enumerate(lab.networks):
        name = bridge(subnet)
        lines += [
            f"link add {name} type bridge stp_state 0 forward_delay 0",
            f"address add {lab.gateway(subnet)}/{network.prefixlen} dev {name}",
            f"link set {name} up",
        ]
    return lines


def pair_command(lab: Lab) -> tuple[str, ...]:
    """Make the veth pair between the machine and the namespace, where its end is called ``machine``."""
    return ("ip", "link", "add", lab.machine_link, "type", "veth", "peer", "name", "machine", "netns", lab.netns)


def machine_commands(lab: Lab) -> list[str]:
    """``ip -batch`` lines for the machine's end of the pair; that it is up says that all wires are there."""
    return [
        f"address add {lab.machine_address}/{lab.networks[0].prefixlen} dev {lab.machine_link}",
        f"link set {lab.machine_link} up",
    ]


def sysctls() -> dict[str, str]:
    """Kernel settings of the namespace. Forwards even with one subnet, so outgoing traffic is refused, not lost.

    bridge-nf-call is off as on stock hosts (br_netfilter not loaded), else the router's rules see bridged frames.
    """
    return {"net/ipv4/ip_forward": "1"} | {
        f"net/bridge/bridge-nf-call-{family}": "0" for family in ("iptables", "ip6tables", "arptables")
    }


def exists(lab: Lab) -> bool:
    """Whether the wiring is complete: that the machine's link is up comes last in ``build``."""
    return (NETNS_ROOT / lab.netns).exists() and is_up(LINKS_ROOT / lab.machine_link)


def is_up(link: Path) -> bool:
    """Whether a link of the machine is there and switched on."""
    try:
        return bool(int((link / "flags").read_text(encoding="ascii"), 16) & IFF_UP)
    except FileNotFoundError:
        return False


def build(lab: Lab) -> None:
    """Create the network; first removes what a crash left incomplete."""
    remove(lab.netns, lab.machine_link)
    run(("ip", "netns", "add", lab.netns))
    enter = inside(lab)
    run((*enter, "ip", "-batch", "-"), stdin="\n".join(bridge_commands(lab)) + "\n")
    script = "\n".join(
        f"if [ -e /proc/sys/{knob} ]; then echo {value} > /proc/sys/{knob}; fi" for knob, value in sysctls().items()
    )
    run((*enter, "sh", "-ec", script))
    run((*enter, "nft", "-f", "-"), stdin=NFT.format(pods=POD_CIDR))
    run(pair_command(lab))
    run((*enter, "ip", "link", "set", "machine", "master", bridge(0), "up"))
    run(("ip", "-batch", "-"), stdin="\n".join(machine_commands(lab)) + "\n")


def filters_pod_sources(lab: Lab) -> bool:
    """Whether the bridges drop packets with pod source addresses."""
    return FILTER in run((*inside(lab), "nft", "list", "tables")).splitlines()


def filter_pod_sources(lab: Lab, wanted: bool) -> None:
    """Let the bridges drop packets with pod source addresses, or let them pass again."""
    text = FILTER_NFT.format(pods=POD_CIDR) if wanted else f"delete {FILTER}\n"
    run((*inside(lab), "nft", "-f", "-"), stdin=text)


def remove(netns: str, machine_link: str) -> None:
    """Remove what exists of the wires. An unknown ``machine_link`` ("") goes away with its other end in the namespace.

    The kernel removes a deleted namespace asynchronously: a link that was still visible may be gone by then.
    """
    link = LINKS_ROOT / machine_link
    if machine_link and link.exists():
        try:
            run(("ip", "link", "delete", machine_link))
        except LabError:
            if link.exists():
                raise
    if (NETNS_ROOT / netns).exists():
        run(("ip", "netns", "delete", netns))


def parse_networks(routes: str, addresses: str) -> frozenset[IPv4Network]:
    """Networks the machine knows, out of ``ip -j route`` and ``ip -j address``; the default route counts as none."""
    found: set[IPv4Network] = set()
    for route in json.loads(routes or "[]"):
        if route["dst"] != "default":
            found.add(IPv4Network(route["dst"], strict=False))
    for link in json.loads(addresses or "[]"):
        for entry in link.get("addr_info", []):
            if entry["family"] == "inet":
                found.add(IPv4Network(f"{entry['local']}/{entry['prefixlen']}", strict=False))
    return frozenset(found)


def machine_networks() -> frozenset[IPv4Network]:
    """Networks the machine has routes to or addresses in: no lab may take them."""
    return parse_networks(run(("ip", "-4", "-j", "route", "show", "table", "all")), run(("ip", "-4", "-j", "address")))


def peer(links: Sequence[dict[str, Any]], index: int) -> str:
    """The name of the link with that interface index."""
    for link in links:
        if link["ifindex"] == index:
            return str(link["ifname"])
    raise LabError(
        "the bridge end of a host's link is not there",
        why=f"no interface has index {index}",
        hint="is the host running?",
    )


def set_host_link(lab: Lab, leader: int, up: bool) -> None:
    """Take the bridge end of a host's link up or down; ``leader`` is the pid of the host's init."""
    near = json.loads(
        run(("nsenter", f"--net=/proc/{leader}/ns/net", "--", "ip", "-j", "link", "show", "dev", HOST_LINK))
    )
    far = peer(json.loads(run((*inside(lab), "ip", "-j", "link"))), int(near[0]["link_index"]))
    run((*inside(lab), "ip", "link", "set", far, "up" if up else "down"))


def host_link_up(leader: int) -> bool:
    """Whether the host's end has a carrier, that is, whether the link is connected."""
    link = json.loads(
        run(("nsenter", f"--net=/proc/{leader}/ns/net", "--", "ip", "-j", "link", "show", "dev", HOST_LINK))
    )
    return "LOWER_UP" in link[0]["flags"]
