"""The roster: who may carry load balancers now, from Nodes, liveness and the roster before. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from rancherctl.agents.liveness import suspicious
from rancherctl.kube.objects import Node
from rancherctl.placement.model import Roster, RosterHost

PUBLIC_ADDRESS = "rancherctl.io/public-address"
LOAD_BALANCER = "rancherctl.io/load-balancer"
LABELS_SIZE = 32_768
"""Characters of one Node's labels; a host with very many (of hardware) has a third of it."""
LONGEST_LABEL = 253 + 1 + 63 + 63
_HOSTNAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The next roster (equal to the one before if nothing changed), and what to alarm about."""

    roster: Roster
    alarms: tuple[str, ...] = ()


def published(node: Node) -> str:
    """The address that statuses publish: the public one of the environment file, else ExternalIP, else InternalIP; "" = none.

    A kubelet writes all of them itself. What the API takes in no status is passed over: it would keep the addresses of the other hosts out.
    """
    said = (node.meta.annotations.get(PUBLIC_ADDRESS, ""), node.address("ExternalIP"), node.address("InternalIP"))
    return next((address for address in said if _publishable(address)), "")


@lru_cache(maxsize=1 << 14)
def _publishable(address: str) -> bool:
    """Asked many times a second for every host."""
    try:
        ip = ip_address(address)
    except ValueError:
        return len(address) <= 253 and _HOSTNAME.fullmatch(address) is not None
    return "%" not in address and not (isinstance(ip, IPv6Address) and ip.ipv4_mapped)


def _labels(node: Node) -> dict[str, str]:
    """Sorted, as many as LABELS_SIZE takes: one Node's labels must not make the roster too big for the API."""
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


def host_of(node: Node, *, alive: bool, blocked: tuple[int, ...] = ()) -> RosterHost:
    """One host of a roster; ``blocked`` are ports it cannot serve on."""
    return RosterHost(
        name=node.meta.name,
        address=published(node),
        internal=node.address("InternalIP"),
        labels=_labels(node),
        lb=node.meta.labels.get(LOAD_BALANCER) == "true",
        alive=alive,
        blocked=blocked,
    )


def newly_silent(before: Roster, silent: Set[str]) -> frozenset[str]:
    """Hosts that were alive and are silent now."""
    return frozenset(h.name for h in before.hosts if h.alive and h.name in silent)


def following(
    before: Roster,
    nodes: Mapping[str, Node],
    *,
    silent: Set[str],
    proven: Set[str],
    spared: Set[str],
    epoch: int,
    blocked: Mapping[str, tuple[int, ...]] | None = None,
) -> Outcome:
    """The roster after ``before``.

    ``silent``/``proven`` come from Liveness; ``spared`` are silent hosts that a second opinion found answering. A host becomes alive once
    it was seen to renew, and stays so until it is silent. ``blocked``: host → ports that it reported as not servable. Nodes that vanish
    all at once are kept: a restored or broken API is likelier.
    """
    alarms: list[str] = []
    vanished = [h for h in before.hosts if h.name not in nodes]
    kept: list[RosterHost] = []
    if suspicious(len(vanished), len(before.hosts)):
        alarms.append(f"{len(vanished)} of {len(before.hosts)} nodes vanished at once: keeping them in the roster")
        kept = vanished
    if spared:
        many = "1 host is silent but answers" if len(spared) == 1 else f"{len(spared)} hosts are silent but answer"
        alarms.append(f"{many} on the network: keeping {', '.join(sorted(spared))}")
    for name, node in sorted(nodes.items()):
        said = node.meta.annotations.get(PUBLIC_ADDRESS, "")
        if said and not _publishable(said):
            alarms.append(f"{name} says that its public address is {said[:60]!r}, which cannot be published")
    gone = silent - spared
    old = {h.name: h.alive for h in before.hosts}
    ports = blocked or {}
    hosts = [
        host_of(n, alive=name not in gone and (old.get(name, False) or name in proven), blocked=ports.get(name, ()))
        for name, n in nodes.items()
        if published(n)
    ]
    hosts += [replace(h, alive=h.alive and h.name not in gone) for h in kept]
    ordered = tuple(sorted(hosts, key=lambda h: h.name))
    # A Lease that was made anew counts from 1 again: the roster's own epoch goes on, and is no reason to write.
    if ordered == before.hosts and epoch <= before.epoch:
        return Outcome(before, tuple(alarms))
    return Outcome(Roster(max(epoch, before.epoch), before.sequence + 1, ordered), tuple(alarms))
