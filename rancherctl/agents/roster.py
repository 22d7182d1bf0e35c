"""The roster: who may carry load balancers now, from Nodes, liveness and the roster before. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace

from rancherctl.agents.liveness import suspicious
from rancherctl.ingress.model import Roster, RosterHost
from rancherctl.kube.objects import Node

PUBLIC_ADDRESS = "rancherctl.io/public-address"
LOAD_BALANCER = "rancherctl.io/load-balancer"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The next roster (equal to the one before if nothing changed), and what to alarm about."""

    roster: Roster
    alarms: tuple[str, ...] = ()


def published(node: Node) -> str:
    """The address that statuses publish: the public one of the environment file, else ExternalIP, else InternalIP; "" = none."""
    return node.meta.annotations.get(PUBLIC_ADDRESS) or node.address("ExternalIP") or node.address("InternalIP")


def host_of(node: Node, *, alive: bool, blocked: tuple[int, ...] = ()) -> RosterHost:
    """One host of a roster; ``blocked`` are ports it cannot serve on."""
    return RosterHost(
        name=node.meta.name,
        address=published(node),
        internal=node.address("InternalIP"),
        labels=dict(sorted(node.meta.labels.items())),
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
        alarms.append(f"{len(spared)} hosts are silent but answer on the network: keeping {', '.join(sorted(spared))}")
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
