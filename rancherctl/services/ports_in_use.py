"""Which ports of this host other programs and pods use: parsers of the kernel's lists and of ``ss``. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from rancherctl.kube.objects import Pod
from rancherctl.net import parse_ip
from rancherctl.services.model import POD_WORDS, Port

_LISTEN: Final = "0A"
"""TCP_LISTEN of include/net/tcp_states.h, as /proc/net/tcp writes it."""
_UNCONNECTED: Final = "07"
"""A UDP socket that is not connected (TCP_CLOSE)."""
_USERS: Final = re.compile(r'\("([^"]*)",pid=(\d+)')
_CGROUP: Final = re.compile(r" cgroup:(unreachable:([0-9a-f]+)|/\S*)")
_POD: Final = re.compile("pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12})")
SS: Final = ("--no-header", "--listening", "--numeric", "--processes", "--cgroup", "--tcp", "--udp")
"""Options of ``ss``. An agent sees programs of other users with CAP_SYS_PTRACE only, which it does not have.

The cgroup of a socket, which is that of its systemd unit or its pod, needs no right.
"""


def sockets(protocol: str, table: str) -> Iterable[tuple[str, int, str, int]]:
    """(address, port, inode, number of the user) of each listening socket in the text of /proc/net/PROTOCOL."""
    state = _LISTEN if protocol == "tcp" else _UNCONNECTED
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == state:
            address, _, port = fields[1].partition(":")
            yield _address(address), int(port, 16), fields[9], int(fields[7])


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


@dataclass(frozen=True, slots=True)
class Owner:
    """What ``ss`` says about a listening socket.

    ``program`` with its process, if it may be seen. ``cgroup`` is a path below the root of the cgroups; its number if
    the path is not known to ``ss``; "" without cgroups of version 2.
    """

    program: str = ""
    cgroup: str | int = ""


def owners(listing: str) -> dict[Port, Owner]:
    """Port → owner, from the output of ``ss`` with the options ``SS``."""
    out: dict[Port, Owner] = {}
    for line in listing.splitlines():
        fields = line.split()
        number = fields[4].rpartition(":")[2] if len(fields) > 4 else ""
        if not number.isdigit():
            continue
        user, group = _USERS.search(line), _CGROUP.search(line)
        program = f"{user[1]} (process {user[2]})" if user else ""
        cgroup: str | int = int(group[2], 16) if group and group[2] else group[1] if group else ""
        if program or cgroup:
            out.setdefault((fields[0], int(number)), Owner(program, cgroup))
    return out


def words(user: str, owner: Owner, path: str, pods: Mapping[str, str]) -> str:
    """Names who has a socket: the pod, the program, or the unit and the ``user``.

    ``path`` is that of its cgroup; ``pods`` maps UIDs to keys.
    """
    if (found := _POD.search(path)) and (key := pods.get(found[1].replace("_", "-"))):
        return f"pod {key}"
    unit = next((part for part in reversed(path.split("/")) if part.endswith((".service", ".scope", ".socket"))), "")
    if owner.program:
        return owner.program
    return f"{unit} (user {user})" if unit else f"a program of user {user}"


def pod_ports(pods: Mapping[str, Pod], node: str) -> dict[Port, str]:
    """Ports of this node that go to pods: hostPorts; those of pods that share the host's network listen themselves."""
    return {
        port: f"{POD_WORDS} {key}"
        for key, pod in sorted(pods.items())
        if pod.node == node and pod.host_ports and not pod.host_network and pod.phase not in {"Succeeded", "Failed"}
        for port in pod.host_ports
    }
