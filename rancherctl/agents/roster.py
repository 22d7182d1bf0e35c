"""The roster: which hosts may carry load balancers, from Nodes, liveness and the roster before. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import IPv6Address

from rancherctl.agents.liveness import suspicious
from rancherctl.contract import DRAIN_ANNOTATION, EXCLUDE_LABEL, LOAD_BALANCER_LABEL, PUBLIC_ADDRESS_ANNOTATION
from rancherctl.kube.objects import Node
from rancherctl.names import is_dns_name
from rancherctl.net import parse_ip
from rancherctl.placement.model import Roster, RosterHost
from rancherctl.text import shorten

LABELS_SIZE = 32_768
"""Characters of labels kept for each Node; a host with very many hardware labels has a third of that."""
LONGEST_LABEL = 253 + 1 + 63 + 63
MAX_DRAIN_SECONDS = 86_400
MAX_ADDRESS_CHARS = 60
"""Characters of an unusable public address that an alarm quotes."""


@dataclass(frozen=True, slots=True)
class NextRoster:
    """The next roster (the same object if nothing changed), and alarms, one line each."""

    roster: Roster
    alarms: tuple[str, ...] = ()


def published(node: Node) -> str:
    """The address that statuses publish: the environment file's public one, else ExternalIP or InternalIP.

    "" if there is none. A kubelet writes all of them itself. An address that the API refuses in a status is skipped:
    one status holds the addresses of several hosts and is refused as a whole.
    """
    candidates = (
        node.meta.annotations.get(PUBLIC_ADDRESS_ANNOTATION, ""),
        node.address("ExternalIP"),
        node.address("InternalIP"),
    )
    return next((address for address in candidates if _publishable(address)), "")


@lru_cache(maxsize=1 << 14)
def _publishable(address: str) -> bool:
    """Whether a status may hold this address. Cached: called for every host several times a second."""
    ip = parse_ip(address)
    if ip is None:
        return is_dns_name(address)
    return not (isinstance(ip, IPv6Address) and ip.ipv4_mapped)


def _labels(node: Node) -> dict[str, str]:
    """The first labels by name that fit LABELS_SIZE, so that one Node cannot inflate the roster."""
    every = sorted(node.meta.labels.items())
    if len(every) * LONGEST_LABEL <= LABELS_SIZE:
        return dict(every)
    out: dict[str, str] = {}
    room = LABELS_SIZE
    for name, value in every:
        room -= len(name) + len(value)
        if room < 0:
            break
        out[name] = value
    return out


def host_of(
    node: Node, *, alive: bool, blocked: tuple[int, ...] = (), users: Mapping[int, str] | None = None
) -> RosterHost:
    """One host of a roster; ``blocked`` are ports that it cannot serve on, ``users`` who has them."""
    drain = _drain_seconds(node.meta.annotations.get(DRAIN_ANNOTATION))
    return RosterHost(
        name=node.meta.name,
        address=published(node),
        internal=node.address("InternalIP"),
        labels=_labels(node),
        lb=node.meta.labels.get(LOAD_BALANCER_LABEL) == "true",
        alive=alive,
        blocked=blocked,
        excluded=EXCLUDE_LABEL in node.meta.labels or drain > 0,
        draining=drain,
        cordoned=node.unschedulable,
        users=users or {},
    )


def _drain_seconds(text: str | None) -> int:
    """The value of DRAIN_ANNOTATION; 0 without it. Any other text counts as one second: the host is to be drained."""
    if text is None:
        return 0
    return max(1, min(int(text), MAX_DRAIN_SECONDS)) if text.isascii() and text.isdecimal() else 1


def newly_silent(before: Roster, silent: Set[str]) -> frozenset[str]:
    """Hosts that were alive and are silent now."""
    return frozenset(h.name for h in before.hosts if h.alive and h.name in silent)


def next_roster(
    before: Roster,
    nodes: Mapping[str, Node],
    *,
    silent: Set[str],
    proven: Set[str],
    spared: Set[str],
    epoch: int,
    blocked: Mapping[str, tuple[int, ...]] | None = None,
    users: Mapping[str, Mapping[int, str]] | None = None,
) -> NextRoster:
    """The roster that follows ``before``.

    ``silent`` and ``proven`` come from Liveness; ``spared`` are silent hosts that still answer on the network. A host
    becomes alive when it was seen to renew its Lease, and stays alive until it is silent. ``blocked``: host → ports
    that it reported as not servable; ``users``: host → who has them, as far as that is known. Nodes that vanish all
    at once are kept: a restored or broken API is more likely.
    """
    vanished = [h for h in before.hosts if h.name not in nodes]
    kept = vanished if suspicious(len(vanished), len(before.hosts)) else []
    gone = silent - spared
    alive = {h.name: h.alive for h in before.hosts}
    ports = blocked or {}
    hosts = [
        host_of(
            n,
            alive=name not in gone and (alive.get(name, False) or name in proven),
            blocked=ports.get(name, ()),
            users=(users or {}).get(name),
        )
        for name, n in nodes.items()
        if published(n)
    ]
    hosts += [replace(h, alive=h.alive and h.name not in gone) for h in kept]
    ordered = tuple(sorted(hosts, key=lambda h: h.name))
    alarms = tuple(_alarms(before, nodes, kept, spared))
    # A recreated Lease counts from 1 again: the roster's epoch never decreases, and alone does not cause a write.
    if ordered == before.hosts and epoch <= before.epoch:
        return NextRoster(before, alarms)
    return NextRoster(Roster(max(epoch, before.epoch), before.sequence + 1, ordered), alarms)


def _alarms(before: Roster, nodes: Mapping[str, Node], kept: list[RosterHost], spared: Set[str]) -> list[str]:
    out: list[str] = []
    if kept:
        out.append(f"{len(kept)} of {len(before.hosts)} nodes vanished at once: keeping them in the roster")
    if spared:
        hosts = "1 host is silent but answers" if len(spared) == 1 else f"{len(spared)} hosts are silent but answer"
        out.append(f"{hosts} on the network: keeping {', '.join(sorted(spared))}")
    for name, node in sorted(nodes.items()):
        address = node.meta.annotations.get(PUBLIC_ADDRESS_ANNOTATION, "")
        if address and not _publishable(address):
            quoted = repr(shorten(address, MAX_ADDRESS_CHARS))
            out.append(f"node {name}: public address {quoted} cannot be published in a status")
    return out
