"""The actual and desired record sets of one zone, with running sums for its hash. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rancherctl.change import Plan
from rancherctl.dns.model import Marker, RecordSet, fingerprint, zone_hash
from rancherctl.dns.plan import plan


@dataclass(slots=True)
class ZoneState:
    """``have`` None: not known. ``pending`` has every key in which ``have`` and ``want`` may differ."""

    zone: str
    want: dict[str, RecordSet] = field(default_factory=dict)
    have: dict[str, RecordSet] | None = None
    pending: set[str] = field(default_factory=set)
    version: str = ""
    """Resource versions from which ``have`` was made."""
    marked: bool = True
    """Whether the zone's marker matches ``have``; if not, it must be written even if nothing else changes."""
    doubted: bool = False
    """Whether the marker was wrong or an update was refused: read the content itself until an update succeeds."""
    attempt: tuple[Plan[RecordSet], Marker] | None = None
    """An update whose outcome is not known, and the marker of the zone if it was applied."""
    _want_total: int = 0
    _have_total: int = 0

    def set_wanted(self, key: str, new: RecordSet | None) -> None:
        """Set one desired record set; None removes it."""
        old = self.want.pop(key, None)
        if old is not None:
            self._want_total -= fingerprint(old)
        if new is not None:
            self.want[key] = new
            self._want_total += fingerprint(new)
        self.pending.add(key)

    def forget(self) -> None:
        """Forget ``have``: the server may have changed."""
        self.have = self.attempt = None

    def set_actual(self, have: Mapping[str, RecordSet], digest: str = "") -> None:
        """Set what the server has and the hash in its marker; shares equal record sets with ``want`` to save memory."""
        self.have = {
            key: same if (same := self.want.get(key)) == value and same is not None else value
            for key, value in have.items()
        }
        self._have_total = sum(map(fingerprint, self.have.values()))
        self.marked = digest == self.have_hash()
        self.pending = {
            key for key in self.have.keys() | self.want.keys() if self.have.get(key) is not self.want.get(key)
        }

    def set_actual_as_wanted(self) -> None:
        """Note that the server has exactly the desired record sets."""
        self.have, self._have_total, self.marked = dict(self.want), self._want_total, True
        self.pending.clear()

    def confirm(self, digest: str) -> bool:
        """Whether the zone's hash is that of ``have``, or of the pending update (which then counts as applied)."""
        attempt, self.attempt = self.attempt, None
        if self.have is None:
            return False
        if attempt is not None and digest == attempt[1].hash:
            self.accept(attempt[0])
        self.marked = digest == self.have_hash()
        return self.marked

    def plan(self) -> Plan[RecordSet]:
        """The plan from ``have`` to ``want``; compares pending keys only."""
        return plan(self.have or {}, self.want, self.pending)

    def accept(self, done: Plan[RecordSet]) -> None:
        """Note that the server has acknowledged these changes and the marker."""
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
        """The marker of the zone after this plan is applied to ``have``."""
        total = self._have_total
        for change in todo:
            total += (fingerprint(change.new) if change.new else 0) - (fingerprint(change.old) if change.old else 0)
        return Marker(zone_hash(total), version)

    def have_hash(self) -> str:
        """The hash of ``have``; "" if it is not known."""
        return zone_hash(self._have_total) if self.have is not None else ""

    def want_hash(self) -> str:
        """The hash of ``want``."""
        return zone_hash(self._want_total)
