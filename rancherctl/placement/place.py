"""Which hosts carry an object: rendezvous hashing over the roster. Pure.

Every pair of object and host has a fixed score; an object takes its N eligible hosts with the highest scores. So losing
a host moves only what it carried, a new host takes only what it wins, and changing N adds or removes hosts only at the
end of the order.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache

from rancherctl.contract import EXCLUDE_LABEL
from rancherctl.placement.model import EVERY_PORT, ObjectProblem, Placeable, Roster, RosterHost
from rancherctl.text import plural


@dataclass(frozen=True, slots=True)
class Placement:
    """The hosts of one object, sorted by name.

    ``wanted`` as requested (0 = all eligible), ``eligible``: hosts able to carry it.
    """

    hosts: tuple[str, ...]
    wanted: int
    eligible: int
    problems: tuple[ObjectProblem, ...] = ()

    @property
    def target(self) -> int:
        """How many instances can run now."""
        return min(self.wanted or self.eligible, self.eligible)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One host in the order of preference of an object.

    ``excluded`` says why it cannot carry the object ("" = it can).
    """

    host: str
    score: int
    excluded: str
    chosen: bool


@lru_cache(maxsize=200_000)
def score(key: str, host: str) -> int:
    """The fixed rank of ``host`` for the object ``key``: 64 bits, higher is better."""
    return int.from_bytes(hashlib.blake2b(f"{key}\0{host}".encode(), digest_size=8).digest(), "big")


def _unfit(host: RosterHost) -> str:
    """Why ``host`` cannot carry any object; "" if it can."""
    if host.lb and host.alive and host.address and not host.excluded:
        return ""
    reasons = (
        (not host.lb, "not a load-balancer host"),
        (not host.alive, "not alive"),
        (host.draining > 0, f"being drained (`rancherctl env host-undrain {host.name}` ends it)"),
        (host.excluded, f"excluded by the Node label {EXCLUDE_LABEL}"),
        (not host.address, "has no address to publish"),
    )
    return next((why for holds, why in reasons if holds), "")


def exclusion(p: Placeable, host: RosterHost) -> str:
    """Why ``host`` cannot carry ``p``; "" if it can."""
    if why := _unfit(host):
        return why
    blocked = p.ports if EVERY_PORT in host.blocked else [port for port in p.ports if port in host.blocked]
    if blocked:
        if EVERY_PORT not in host.blocked and (user := host.users.get(blocked[0])):
            return f"port {blocked[0]} is used by {user}"
        users = "or another program, a pod or a Service uses the port"
        return f"port {blocked[0]} is not available: its load balancer is not running, {users}"
    missing = [f"{k}={v}" for k, v in p.options.affinity if host.labels.get(k) != v]
    return f"label {', '.join(missing)} is missing" if missing else ""


def rank(key: str, host: RosterHost) -> tuple[bool, int, str]:
    """Sort key of hosts for the object ``key``: the best first, cordoned ones last."""
    return host.cordoned, -score(key, host.name), host.name


def explain(p: Placeable, roster: Roster) -> tuple[Candidate, ...]:
    """All hosts of the roster, highest score first."""
    ranked = sorted(roster.hosts, key=lambda h: rank(p.key, h))
    out: list[Candidate] = []
    free = p.options.wanted or len(ranked)
    for host in ranked:
        why = p.obstacle or exclusion(p, host)
        chosen = not why and free > 0
        free -= chosen
        out.append(Candidate(host.name, score(p.key, host.name), why, chosen))
    return tuple(out)


def place(p: Placeable, roster: Roster) -> Placement:
    """The hosts that carry ``p``."""
    wanted = p.options.wanted
    if p.obstacle:
        return Placement((), wanted, 0)
    eligible = [h for h in roster.hosts if not exclusion(p, h)]
    # Cordoned hosts are a last choice: where every eligible host carries the object, too, they are left out.
    open_hosts = [h for h in eligible if not h.cordoned] or eligible
    best = [h.name for h in sorted(eligible if wanted else open_hosts, key=lambda h: rank(p.key, h))[: wanted or None]]
    problems = (*_problems(p, roster, len(eligible)), *_lost(p, roster, best))
    return Placement(tuple(sorted(best)), wanted, len(eligible), problems)


def _problems(p: Placeable, roster: Roster, eligible: int) -> tuple[ObjectProblem, ...]:
    if not eligible:
        total = plural(len(roster.hosts), "host")
        return (ObjectProblem("NoHosts", f"no eligible host among {total}: {_exclusions(p, roster)}"),)
    if p.options.wanted > eligible:
        counts = f"{plural(p.options.wanted, 'instance')} requested, {plural(eligible, 'eligible host')}"
        return (ObjectProblem("TooFewHosts", f"{counts}; placed on all of them", serious=False),)
    return ()


def _lost(p: Placeable, roster: Roster, chosen: list[str]) -> tuple[ObjectProblem, ...]:
    """A note about each host that would carry the object if a pod or Service did not have its port there."""
    taken = [host for host in roster.hosts if host.users and host.name not in chosen]
    if not taken or not chosen:
        return ()
    free = {h.name: replace(h, blocked=tuple(port for port in h.blocked if port not in h.users)) for h in taken}
    able = [h for h in roster.hosts if h.name in chosen or (h.name in free and not exclusion(p, free[h.name]))]
    first = sorted(able, key=lambda h: rank(p.key, h))[: p.options.wanted or None]
    lost = {h.name: why for h in first if h.name in free and (why := exclusion(p, h))}
    return tuple(ObjectProblem("PortTaken", f"not placed on {h}: {lost[h]}", serious=False) for h in sorted(lost))


def _exclusions(p: Placeable, roster: Roster) -> str:
    counts: dict[str, int] = {}
    for host in roster.hosts:
        why = exclusion(p, host)
        counts[why] = counts.get(why, 0) + 1
    return ", ".join(f"{n} {why}" for why, n in sorted(counts.items())) or "the roster is empty"
