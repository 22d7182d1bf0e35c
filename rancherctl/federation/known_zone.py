"""KnownZone: a public zone as the publisher knows it: what was read, changed by what was written since. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rancherctl.federation.dns_state import PublishedName, published_name
from rancherctl.federation.ownership import NameState, ZoneView
from rancherctl.federation.providers.base import NameChange, Outcome, Result

_NOTHING: Mapping[str, NameState] = {}


@dataclass(slots=True)
class KnownZone:
    """``owner`` is the federation as markers name it; ``epoch``: the texts of the zone marker. Made by ``of``."""

    owner: str
    names: dict[str, NameState] = field(default_factory=dict)
    serial: int | None = None
    epoch: tuple[str, ...] = ()
    complete: bool = False
    _by_object: dict[str, dict[str, NameState]] = field(default_factory=dict)
    _published: dict[str, PublishedName] = field(default_factory=dict)
    _listed: tuple[PublishedName, ...] | None = ()

    @classmethod
    def of(cls, view: ZoneView, owner: str) -> KnownZone:
        """A zone that was just read."""
        zone = cls(owner, {}, view.serial, view.epoch, view.complete)
        for name, state in view.names.items():
            zone.put(name, state)
        return zone

    def put(self, name: str, state: NameState | None) -> None:
        """Set what is at a name; None or an empty state: nothing."""
        before = self.names.pop(name, None)
        if before is not None and before.marker is not None:
            self._by_object.get(before.marker.object, {}).pop(name, None)
            if self._published.pop(name, None) is not None:
                self._listed = None
        if state is None or not (state.sets or state.marker):
            return
        self.names[name] = state
        if state.marker is not None and state.marker.owner == self.owner:
            owned = NameState(state.owned(), state.marker)
            self._by_object.setdefault(state.marker.object, {})[name] = owned
            self._published[name], self._listed = published_name(name, owned), None

    def take(self, changes: Iterable[NameChange], results: Mapping[str, Result]) -> set[str]:
        """Put in what was done. Returns names whose type changed: a server may leave out a part of such a change."""
        retyped = set()
        for change in changes:
            if results[change.key].outcome is not Outcome.DONE:
                continue
            before = self.names.get(change.key) or NameState()
            replaced = {s.type for s in change.old.sets} if change.old else set()
            others = tuple(s for s in before.sets if s.type not in replaced)
            new = change.new or NameState()
            sets = tuple(sorted((*others, *new.sets), key=lambda s: s.type))
            self.put(change.key, new if sets == new.sets else NameState(sets, new.marker))
            if change.new is not None and "CNAME" in replaced ^ {s.type for s in new.sets}:
                retyped.add(change.key)
        return retyped

    def view(self) -> ZoneView:
        """For a plan."""
        return ZoneView(self.names, self.epoch, self.serial, self.complete)

    def of_object(self, target: str) -> Mapping[str, NameState]:
        """What the federation has published for an object, by name."""
        return self._by_object.get(target, _NOTHING)

    def present(self) -> frozenset[str]:
        """Objects with names in the zone."""
        return frozenset(target for target, found in self._by_object.items() if found)

    def published(self) -> tuple[PublishedName, ...]:
        """The names that the federation owns, sorted."""
        if self._listed is None:
            self._listed = tuple(self._published[name] for name in sorted(self._published))
        return self._listed
