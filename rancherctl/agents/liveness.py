"""Liveness: a host is alive if its Lease changed within the limit while the own watch was healthy.

A host's time is never compared with the own clock, because clocks are skewed. An API outage, a frozen watch or an
election restarts the measure, so none of them empties a roster. Pure: ``now`` is passed in (seconds of
CLOCK_BOOTTIME).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rancherctl.hold import is_mass_loss


@dataclass(frozen=True, slots=True)
class _Seen:
    """``at``: when the Lease last changed (seconds). ``proven``: it changed since the measure began."""

    renew: str
    at: float
    proven: bool


class Liveness:
    """Pass every snapshot of the Leases to ``observe``, then read ``silent`` and ``proven``.

    ``limit``: seconds without a change after which a host is silent. ``canary``: seconds for which the own Lease's
    renewal may be missing from the own watch; after that the watch is not trusted, and every measure restarts.
    """

    def __init__(self, limit: float = 6.0, canary: float = 4.0) -> None:
        self._limit = limit
        self._canary_limit = canary
        self._seen: dict[str, _Seen] = {}
        self._canary = ("", 0.0)
        self._trusted = False
        self._began = 0.0

    def restart(self, now: float) -> None:
        """Restart the measure after an election, a reconnect or a frozen watch: no host stays proven."""
        self._began = now
        self._seen = {name: _Seen(seen.renew, now, proven=False) for name, seen in self._seen.items()}

    def observe(self, leases: Mapping[str, str], own: str, now: float, *, healthy: bool) -> None:
        """Take a snapshot of the Leases.

        ``leases``: host → renewTime. ``own``: the own Lease's renewTime as the same watch delivered it ("" = not seen).
        """
        if own != self._canary[0]:
            self._canary = (own, now)
        trusted = healthy and bool(own) and now - self._canary[1] <= self._canary_limit
        if not trusted or not self._trusted:
            self.restart(now)
        watched = trusted and self._trusted  # otherwise it may have changed at any time during an outage
        self._trusted = trusted
        known = self._seen
        # A deleted Lease says nothing about its host: the measure continues, and the host renews the recreated Lease.
        self._seen = {name: seen for name, seen in known.items() if now - seen.at <= self._limit}
        for name, renew in leases.items():
            before = known.get(name)
            if before is None:
                self._seen[name] = _Seen(renew, now, proven=False)
            elif before.renew != renew:
                self._seen[name] = _Seen(renew, now, proven=watched)
            else:
                self._seen[name] = before

    @property
    def trusted(self) -> bool:
        """Whether the watch is live, judged by the own Lease."""
        return self._trusted

    def proven(self, now: float) -> frozenset[str]:
        """Hosts that renewed within the limit while watched: only these may enter a roster."""
        return frozenset(name for name, seen in self._seen.items() if seen.proven and now - seen.at <= self._limit)

    def silent(self, names: Iterable[str], now: float) -> frozenset[str]:
        """Which of ``names`` are silent for longer than the limit; none while the watch is not trusted."""
        return self._older(names, now, self._limit)

    def late(self, names: Iterable[str], now: float) -> frozenset[str]:
        """Which of ``names`` are silent for half the limit; a healthy host never is.

        Hosts renew at different moments: a common cause makes them silent one after the other, but late all at once.
        """
        return self._older(names, now, self._limit / 2)

    def _older(self, names: Iterable[str], now: float, limit: float) -> frozenset[str]:
        if not self._trusted:
            return frozenset()
        return frozenset(n for n in names if now - (self._seen[n].at if n in self._seen else self._began) > limit)


def suspicious(lost: int, alive: int) -> bool:
    """Whether losing ``lost`` of ``alive`` hosts needs a second opinion: more than one and over 30 %."""
    return is_mass_loss(lost, alive, floor=1)
