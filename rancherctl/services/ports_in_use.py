"""Which ports of this host other programs and pods use: parsers of the kernel's lists and of ``ss``. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from rancherctl.kube.objects import Pod
from rancherctl.net import parse_ip
from rancherctl.services.model import POD_WORDS, Port

_LISTEN: Final = "0A"
"""TCP_LISTEN of include/net/tcp_states.h, as /proc/net/tcp writes it."""
_UNCONNECTED: Final = "07"
"""A UDP socket that is not connected (TCP_CLOSE)."""
_USERS: Final = re.compile(r'\("([^"]*)",pid=(\d+)')


def sockets(protocol: str, table: str) -> Iterable[tuple[str, int, str]]:
    """(address, port, inode) of each listening socket in the text of /proc/net/PROTOCOL or PROTOCOL6."""
    state = _LISTEN if protocol == "tcp" else _UNCONNECTED
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == state:
            address, _, port = fields[1].partition(":")
            yield _address(address), int(port, 16), fields[9]


def _address(words: str) -> str:
    """The address of /proc/net: words of 32 bits in the byte order of the machine (little endian)."""
    raw = b"".join(bytes.fromhex(words[at : at + 8])[::-1] for at in range(0, len(words), 8))
    if len(raw) == 4:
        return ".".join(map(str, raw))
    from ipaddress import IPv6Address

    ip = IPv6Address(raw)
    return str(ip.ipv4_mapped or ip)


def concerns(address: str, published: Collection[str]) -> bool:
    """Whether a socket with this address would lose traffic to a Service published at one of these addresses."""
    ip = parse_ip(address)
    return address in published or (ip is not None and ip.is_unspecified)


def programs(listing: str) -> dict[Port, str]:
    """Port → name of the program, from ``ss --no-header --listening --numeric --processes --tcp --udp``."""
    out: dict[Port, str] = {}
    for line in listing.splitlines():
        fields = line.split()
        if len(fields) < 5:
            continue
        number = fields[4].rpartition(":")[2]
        if number.isdigit() and (found := _USERS.search(line)):
            out.setdefault((fields[0], int(number)), f"{found[1]} (process {found[2]})")
    return out


def pod_ports(pods: Mapping[str, Pod], node: str) -> dict[Port, str]:
    """Ports of this node that go to pods: hostPorts; those of pods that share the host's network listen themselves."""
    return {
        port: f"{POD_WORDS} {key}"
        for key, pod in sorted(pods.items())
        if pod.node == node and pod.host_ports and not pod.host_network and pod.phase not in {"Succeeded", "Failed"}
        for port in pod.host_ports
    }
