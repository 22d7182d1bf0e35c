"""Which Services a host serves by rules of its own: their address is about to come, has come, or is leaving. Pure.

Clients use an address until their DNS answer expires. Services keep what Ingresses keep: a short time always, and the
time of ``env host-drain --dns`` while the host is being drained. And clients use an address as soon as a status has it,
which may be before kube-proxy has it: the host's own rules serve it from before that until then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from rancherctl.contract import SERVICE_CLASS
from rancherctl.kube.objects import Service
from rancherctl.placement.model import RosterHost
from rancherctl.services.model import Port, ports_of

SHORT: Final = 2.0
"""Seconds after an address has left a status, as for Ingresses; and after rules for one that stays are not needed."""


@dataclass(frozen=True, slots=True)
class Draining:
    """``keys`` of Services that go on to be served. ``published``, and ``since``: for the next call.

    ``prepared`` are those for which the leader asks; ``arriving`` those that kube-proxy does not have yet.
    ``lingering`` were one of these a moment ago. ``since`` is when the rules of a Service were needed last. ``wake``:
    seconds until the next one ends (None: none does).
    """

    keys: frozenset[str] = frozenset()
    prepared: frozenset[str] = frozenset()
    arriving: frozenset[str] = frozenset()
    lingering: frozenset[str] = frozenset()
    published: frozenset[str] = frozenset()
    since: Mapping[str, float] = field(default_factory=dict)
    wake: float | None = None

    @property
    def rules(self) -> frozenset[str]:
        """All that have rules."""
        return self.keys | self.prepared | self.arriving | self.lingering


def draining(
    services: Mapping[str, Service],
    addresses: Collection[str],
    host: RosterHost | None,
    used: Collection[Port],
    before: Draining,
    now: float,
    programmed: Collection[str] | None = None,
    asked: Collection[str] = (),
) -> Draining:
    """Decide. ``addresses`` are the host's; ``used`` are ports of its programs and pods; ``now`` is monotonic.

    ``programmed`` are the Services that kube-proxy had when it was last asked; None: it was not. ``asked`` are those
    for which the leader wants rules.

    A host that is excluded has rules before its addresses leave: not one connection fails between kube-proxy's rules
    and these. A Service that was deleted or is no longer ours is dropped at once; so is one whose port is in use.
    """
    every = {key: s for key, s in services.items() if s.type == "LoadBalancer" and s.lb_class in {"", SERVICE_CLASS}}
    ours = {key: s for key, s in every.items() if not ports_of(s).intersection(used)}
    published = frozenset(key for key, s in every.items() if any(a in addresses for a in s.lb_addresses))
    here = published & ours.keys()
    limit = max(SHORT, float(host.draining if host else 0))
    taken = _ports(every, published)
    left = _left(before, published, now, limit)
    left = {key: since for key, since in left.items() if key in ours and not ports_of(ours[key]) & taken}
    leaving = here if host and host.excluded else frozenset[str]()
    arriving = here.difference(programmed) if programmed is not None else frozenset[str]()
    # Clients of an address that has just left must not reach another Service: the next one waits.
    prepared = frozenset(
        key
        for key in ours.keys() & set(asked)
        if key in here or not ports_of(ours[key]) & (taken | _ports(ours, left.keys() - {key}))
    )
    needed = leaving | arriving | (prepared & here)
    lingering = {key: since for key, since in before.since.items() if key in here - needed and 0 <= now - since < SHORT}
    ends = [since + limit for since in left.values()] + [since + SHORT for since in lingering.values()]
    return Draining(
        leaving | left.keys(),
        prepared,
        arriving,
        frozenset(lingering),
        published,
        left | lingering | dict.fromkeys(needed, now),
        min((end - now for end in ends), default=None),
    )


def _left(before: Draining, published: frozenset[str], now: float, limit: float) -> dict[str, float]:
    """Services whose address has left, and since when, as long as they are to be served."""
    out: dict[str, float] = {}
    for key in (before.published | before.since.keys()) - published:
        since = now if key in before.published else before.since[key]
        if 0 <= now - since < limit:
            out[key] = since
    return out


def _ports(services: Mapping[str, Service], keys: Iterable[str]) -> set[Port]:
    return {port for key in keys for port in ports_of(services[key])}
