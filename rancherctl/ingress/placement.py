"""Which hosts carry which Ingress: rendezvous hashing over the roster. Pure; agents, the leader and ``ingress plan`` all call it.

Every (Ingress, host) pair has a fixed score; an Ingress takes its N best eligible hosts. So a lost host moves only what it carried,
a new one takes only what it wins, and another N adds or removes only at the end of the list.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from rancherctl.ingress.model import HTTP_PORT, Problem, Roster, RosterHost, Translated


@dataclass(frozen=True, slots=True)
class Placement:
    """``hosts`` sorted by name. ``wanted`` is the number asked for (0 = all eligible), ``eligible`` how many could carry it."""

    hosts: tuple[str, ...]
    wanted: int
    eligible: int
    problems: tuple[Problem, ...] = ()

    @property
    def target(self) -> int:
        """How many instances there should be now."""
        return min(self.wanted or self.eligible, self.eligible)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One host in the order of its score for an Ingress; ``excluded`` is why it cannot carry it ("" = it can)."""

    host: str
    score: int
    excluded: str
    chosen: bool


@lru_cache(maxsize=200_000)
def score(key: str, host: str) -> int:
    """The fixed rank of ``host`` for the Ingress ``key``: 64 bits, the higher the better."""
    return int.from_bytes(hashlib.blake2b(f"{key}\0{host}".encode(), digest_size=8).digest(), "big")


def exclusion(t: Translated, host: RosterHost, port: int = HTTP_PORT) -> str:
    """Why ``host`` cannot carry ``t``; "" if it can."""
    missing = [f"{k}={v}" for k, v in t.affinity if host.labels.get(k) != v]
    reasons = (
        ("not a load-balancer host", not host.lb),
        ("not alive", not host.alive),
        ("has no address to publish", not host.address),
        (
            f"port {port} cannot be served there: its load balancer does not run, or another program has the port",
            port in host.blocked,
        ),
        (f"label {', '.join(missing)} is missing", bool(missing)),
    )
    return next((why for why, holds in reasons if holds), "")


def explain(t: Translated, roster: Roster) -> tuple[Candidate, ...]:
    """All hosts of the roster, best score first."""
    ranked = sorted(roster.hosts, key=lambda h: (-score(t.key, h.name), h.name))
    out: list[Candidate] = []
    free = t.wanted or len(ranked)
    for host in ranked:
        why = exclusion(t, host) if t.placeable else "the ingress cannot be placed"
        chosen = not why and free > 0
        free -= chosen
        out.append(Candidate(host.name, score(t.key, host.name), why, chosen))
    return tuple(out)


def place(t: Translated, roster: Roster) -> Placement:
    """The hosts of one Ingress."""
    if not t.placeable:
        return Placement((), t.wanted, 0)
    able = [h.name for h in roster.hosts if not exclusion(t, h)]
    best = sorted(able, key=lambda name: (-score(t.key, name), name))[: t.wanted or None]
    return Placement(tuple(sorted(best)), t.wanted, len(able), _problems(t, roster, len(able)))


def _problems(t: Translated, roster: Roster, able: int) -> tuple[Problem, ...]:
    if not able:
        return (Problem("NoHosts", f"none of the {len(roster.hosts)} hosts can carry it: {_why_none(t, roster)}"),)
    if t.wanted > able:
        text = (
            f"{t.wanted} instances are wanted, {able} host{'s' if able != 1 else ''} can carry it; it is on all of them"
        )
        return (Problem("TooFewHosts", text, serious=False),)
    return ()


def _why_none(t: Translated, roster: Roster) -> str:
    counts: dict[str, int] = {}
    for host in roster.hosts:
        why = exclusion(t, host)
        counts[why] = counts.get(why, 0) + 1
    return ", ".join(f"{n} {why}" for why, n in sorted(counts.items())) or "the roster is empty"
