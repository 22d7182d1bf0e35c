"""Which Services a host serves by rules of its own: their address has just come, or is leaving. Pure.

Clients use an address until their DNS answer expires. Services keep what Ingresses keep: a short time always, and the
time of ``env host-drain --dns`` while the host is being drained. And clients use an address as soon as a status has it,
which may be before kube-proxy has it: until then, the host's own rules serve it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from rancherctl.contract import SERVICE_CLASS
from rancherctl.kube.objects import Service
from rancherctl.placement.model import RosterHost
from rancherctl.services.model import Port, ports_of

SHORT: Final = 2.0
"""Seconds after an address has left a status, as for Ingresses."""


@dataclass(frozen=True, slots=True)
class Draining:
    """``keys`` of Services that go on to be served. ``published``, and ``left``: since when; for the next call.

    ``arriving`` are those that kube-proxy does not have yet. ``wake``: seconds until the next one ends (None: none
    does).
    """

    keys: frozenset[str] = frozenset()
    arriving: frozenset[str] = frozenset()
    published: frozenset[str] = frozenset()
    left: Mapping[str, float] = field(default_factory=dict)
    wake: float | None = None


def draining(
    services: Mapping[str, Service],
    addresses: Collection[str],
    host: RosterHost | None,
    used: Collection[Port],
    before: Draining,
    now: float,
    programmed: Collection[str] | None = None,
) -> Draining:
    """Decide. ``addresses`` are the host's; ``used`` are ports of its programs and pods; ``now`` is monotonic.

    ``programmed`` are the Services that kube-proxy had when it was last asked; None: it was not.

    A host that is excluded has rules before its addresses leave: not one connection fails between kube-proxy's rules
    and these. A Service that was deleted or is no longer ours is dropped at once; so is one whose port is in use.
    """
    ours = {key: s for key, s in services.items() if s.type == "LoadBalancer" and s.lb_class in {"", SERVICE_CLASS}}
    published = frozenset(key for key, s in ours.items() if any(a in addresses for a in s.lb_addresses))
    taken = {port for key in published for port in ports_of(ours[key])} | set(used)
    limit = max(SHORT, float(host.draining if host else 0))
    left: dict[str, float] = {}
    for key in (before.published | before.left.keys()) - published:
        since = before.left.get(key, now)
        if key in ours and now - since < limit and not ports_of(ours[key]) & taken:
            left[key] = since
    leaving = published if host and host.excluded else frozenset[str]()
    wake = min((since + limit - now for since in left.values()), default=None)
    missing = published.difference(programmed) if programmed is not None else frozenset[str]()
    arriving = frozenset(key for key in missing if not ports_of(ours[key]).intersection(used))
    return Draining(leaving | left.keys(), arriving, published, left, wake)
