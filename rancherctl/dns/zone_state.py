"""What one zone has and should have, with the sums that make its hash cheap. Pure state; the reconciler fills it from outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rancherctl.change import Plan
from rancherctl.dns.model import Marker, RecordSet, fingerprint, zone_hash
from rancherctl.dns.plan import plan


@dataclass(slots=True)
class ZoneState:
    """``have`` None: not known. ``pending`` has every key in which the two may differ (all of them while ``have`` is not known)."""

    zone: str
    want: dict[str, RecordSet] = field(default_factory=dict)
    have: dict[str, RecordSet] | None = None
    pending: set[str] = field(default_factory=set)
    version: str = ""
    """Resource versions that ``have`` was made from."""
    marked: bool = True
    """Whether the zone's marker is that of ``have``, as far as is known: one that is not must be written even if nothing else changes."""
    doubted: bool = False
    """Whether the marker was found to be wrong, or an update was refused: until one succeeds, the content itself is read."""
    attempt: tuple[Plan[RecordSet], Marker] | None = None
    """An update whose outcome is not known, and the marker the zone has if it was done."""
    _want_total: int = 0
    _have_total: int = 0

    def set_wanted(self, key: str, new: RecordSet | None) -> None:
        """One wanted record set changed; None = it is not wanted any more."""
        old = self.want.pop(key, None)
        if old is not None:
            self._want_total -= fingerprint(old)
        if new is not None:
            self.want[key] = new
            self._want_total += fingerprint(new)
        self.pending.add(key)

    def forget(self) -> None:
        """The server may have changed behind our back."""
        self.have = self.attempt = None

    def learn(self, have: Mapping[str, RecordSet], said: str = "") -> None:
        """What the server was seen to have, and the hash in its marker; equal record sets are shared with ``want`` to save memory."""
        self.have = {
            key: same if (same := self.want.get(key)) == value and same is not None else value
            for key, value in have.items()
        }
        self._have_total = sum(map(fingerprint, self.have.values()))
        self.marked = said == self.have_hash()
        self.pending = {
            key for key in self.have.keys() | self.want.keys() if self.have.get(key) is not self.want.get(key)
        }

    def learn_equal(self) -> None:
        """The server was seen to have just what is wanted."""
        self.have, self._have_total, self.marked = dict(self.want), self._want_total, True
        self.pending.clear()

    def confirm(self, said: str) -> bool:
        """Whether the hash a zone was seen to have is that of ``have``, or of the update whose outcome was not known (then it counts as done)."""
        attempt, self.attempt = self.attempt, None
        if self.have is None:
            return False
        if attempt is not None and said == attempt[1].hash:
            self.accept(attempt[0])
        self.marked = said == self.have_hash()
        return self.marked

    def plan(self) -> Plan[RecordSet]:
        """From ``have`` to ``want``, looking at what is pending only."""
        return plan(self.have or {}, self.want, self.pending)

    def accept(self, done: Plan[RecordSet]) -> None:
        """The server has acknowledged these changes, and the marker with them."""
        assert self.have is not None
        self.marked, self.doubted = True, False
        for change in done:
            if change.old is not None:
                self._have_total -= fingerprint(change.old)
                del self.have[change.key]
            if change.new is not None:
                self._have_total += fingerprint(change.new)
                self.have[change.key] = change.new
            self.pending.discard(change.key)

    def marker_after(self, todo: Plan[RecordSet], version: str) -> Marker:
        """The marker that the zone will have when this plan is applied to ``have``."""
        total = self._have_total
        for change in todo:
            total += (fingerprint(change.new) if change.new else 0) - (fingerprint(change.old) if change.old else 0)
        return Marker(zone_hash(total), version)

    def have_hash(self) -> str:
        """The hash of ``have``; "" when not known."""
        return zone_hash(self._have_total) if self.have is not None else ""

    def want_hash(self) -> str:
        """The hash of ``want``."""
        return zone_hash(self._want_total)
