"""Decide which Ingresses a host serves: those placed on it, and those that leave it. Pure.

Those that leave may still get requests.

Removal comes last: the address leaves the status first, then a short drain follows, then the route goes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

FOREIGN_LIMIT: Final = 5.0
"""Seconds after which an Ingress of a foreign class, or one being deleted, is removed even if it is still published."""


@dataclass(frozen=True, slots=True)
class Serving:
    """``keys`` of Ingresses to serve on purpose; ``leaving``: since when some of them leave.

    ``wake``: seconds until the next one may be removed (None = none leaves).
    """

    keys: frozenset[str] = frozenset()
    leaving: Mapping[str, float] = field(default_factory=dict)
    wake: float | None = None


def serving(
    placed: Collection[str],
    served: Collection[str],
    statuses: Mapping[str, tuple[bool, Collection[str]]],
    *,
    own_address: str,
    leaving: Mapping[str, float],
    now: float,
    drain: float,
) -> Serving:
    """Decide which Ingresses to serve.

    ``placed`` belong on this host, ``served`` are served until now. ``statuses`` maps every existing Ingress to (is
    of the rancherctl class, addresses in its status). ``now`` is monotonic; ``now`` and ``drain`` are in seconds.

    A deleted Ingress is removed at once. Any other one stays until ``own_address`` has left its status and ``drain`` is
    over; a foreign one is removed after FOREIGN_LIMIT in any case.
    """
    stay = set(placed)
    since: dict[str, float] = {}
    waits: list[float] = []
    for key in sorted(set(served) - stay):
        if key not in statuses:
            continue
        is_rancher, addresses = statuses[key]
        published = own_address in addresses
        if published and is_rancher:
            stay.add(key)
            continue
        start = leaving.get(key, now)
        remaining = start + (FOREIGN_LIMIT if published else drain) - now
        if remaining > 0:
            stay.add(key)
            since[key] = start
            waits.append(remaining)
    return Serving(frozenset(stay), since, min(waits, default=None))
