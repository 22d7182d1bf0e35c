"""Who lives: a host whose Lease changed within the limit on our own clock, while our own watch was healthy.

Never compares a host's time with ours (clocks are skewed); an outage of the API, a frozen watch or an election starts the measure
anew, so none of them empties a roster. Pure: the clock's value is passed in (seconds of CLOCK_BOOTTIME).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rancherctl.change import too_many


@dataclass(frozen=True, slots=True)
class _Seen:
    """``proven``: seen to change since the measure began, so the host lived at ``at`` (seconds)."""

    renew: str
    at: float
    proven: bool


class Liveness:
    """Feed ``observe`` with every snapshot of the Leases; ask ``silent`` and ``proven``.

    ``limit``: seconds without a change after which a host counts as silent. ``canary``: the longest time our own Lease's renewal may be
    missing from our own watch; beyond it the watch is not to be trusted and every measure starts anew.
    """

    def __init__(self, limit: float = 6.0, canary: float = 4.0) -> None:
        self._limit = limit
        self._canary_limit = canary
        self._seen: dict[str, _Seen] = {}
        self._canary = ("", 0.0)
        self._trusted = False
        self._began = 0.0

    def restart(self, now: float) -> None:
        """Give every host the whole limit again (after an election, a reconnect, a frozen watch); who was proven must prove itself anew."""
        self._began = now
        self._seen = {name: _Seen(seen.renew, now, proven=False) for name, seen in self._seen.items()}

    def observe(self, leases: Mapping[str, str], own: str, now: float, *, healthy: bool) -> None:
        """``leases``: host → text of renewTime; ``own``: our own Lease's renewTime as the same watch delivered it ("" = not seen)."""
        if own != self._canary[0]:
            self._canary = (own, now)
        trusted = healthy and bool(own) and now - self._canary[1] <= self._canary_limit
        if not trusted or not self._trusted:
            self.restart(now)
        watched = trusted and self._trusted  # else it may have changed at any moment of an outage
        self._trusted = trusted
        known = self._seen
        # A Lease that somebody deletes says nothing about its host: the measure goes on, and the host renews the one that is made anew.
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
        """Whether the watch is live, as far as our own Lease shows."""
        return self._trusted

    def proven(self, now: float) -> frozenset[str]:
        """Hosts that were seen to renew within the limit: only these may enter a roster."""
        return frozenset(name for name, seen in self._seen.items() if seen.proven and now - seen.at <= self._limit)

    def silent(self, names: Iterable[str], now: float) -> frozenset[str]:
        """Which of ``names`` have been silent past the limit; nobody while the watch is not trusted."""
        return self._older(names, now, self._limit)

    def late(self, names: Iterable[str], now: float) -> frozenset[str]:
        """Which of ``names`` have been silent for half the limit, which no host is that is well.

        Hosts renew at different moments: what stops all of them at once makes them silent one after the other, and all of them late.
        """
        return self._older(names, now, self._limit / 2)

    def _older(self, names: Iterable[str], now: float, limit: float) -> frozenset[str]:
        if not self._trusted:
            return frozenset()
        return frozenset(n for n in names if now - (self._seen[n].at if n in self._seen else self._began) > limit)


def suspicious(lost: int, alive: int) -> bool:
    """Whether losing ``lost`` of ``alive`` hosts at once needs a second opinion: more than one and more than 30 %."""
    return too_many(lost, alive, floor=1)
