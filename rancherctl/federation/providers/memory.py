"""A provider that keeps its zones in this process: for tests, and for trying a federation without a DNS server."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from threading import Lock

from rancherctl.dns.model import RecordSet
from rancherctl.federation.names import marker_name
from rancherctl.federation.ownership import MARKER_TTL, OUR_TYPES, NameState, ZoneView, zone_view
from rancherctl.federation.providers.base import (
    DONE,
    Capabilities,
    Fence,
    NameChange,
    Outcome,
    Result,
    ZoneInfo,
    ZoneMissingError,
)

_CHANGED = "the records are not as they were when the zone was read"


class MemoryZones:
    """The zones of one provider: name → record sets by (name, type). Several providers may share them."""

    def __init__(self, *zones: str) -> None:
        self.sets: dict[str, dict[tuple[str, str], RecordSet]] = {f"{zone}.": {} for zone in zones}
        self.serial = 1
        self.lock = Lock()

    def create(self, zone: str) -> tuple[str, ...]:
        """Create a zone if it is not there; returns the name servers that its parent must delegate to."""
        with self.lock:
            self.sets.setdefault(f"{zone}.", {})
        return nameservers(zone)


def nameservers(zone: str) -> tuple[str, ...]:
    """The name servers of a zone in memory."""
    return (f"ns1.{zone}.", f"ns2.{zone}.")


class MemoryProvider:
    """Satisfies ``base.DnsProvider``. ``zone`` is given without its final dot."""

    name = "memory"

    def __init__(self, zones: MemoryZones, zone: str, *, capabilities: Capabilities | None = None) -> None:
        self.zone = f"{zone}."
        self.capabilities = capabilities or Capabilities()
        self._zones = zones
        self.calls = 0

    def info(self) -> ZoneInfo:
        """Ask whether the zone is there."""
        self.calls += 1
        self._content()
        return ZoneInfo(self._zones.serial, nameservers(self.zone.removesuffix(".")))

    def read(self, fence: str, names: Collection[str]) -> ZoneView:
        """Read the zone, or ``names`` if the capabilities say that it cannot be listed."""
        self.calls += 1
        with self._zones.lock:
            content, serial = self._content(), self._zones.serial
            if self.capabilities.lists:
                return zone_view(content.values(), fence, serial=serial)
            asked = {*names, fence, *map(marker_name, names)}
            return zone_view(
                [s for (name, _), s in content.items() if name in asked], fence, serial=serial, complete=False
            )

    def look(self, names: Collection[str]) -> Mapping[str, NameState]:
        """Read these names and their markers."""
        self.calls += 1
        asked = {*names, *map(marker_name, names)}
        with self._zones.lock:
            return zone_view([s for (name, _), s in self._content().items() if name in asked], "").names

    def claim(self, name: str, seen: tuple[str, ...], text: str) -> Result:
        """Write or remove the zone marker if the zone has the one that was seen."""
        self.calls += 1
        with self._zones.lock:
            content = self._content()
            if self._texts(content, name) != seen:
                return Result(Outcome.REFUSED, "another process has written the zone marker", stale=True)
            content.pop((name, "TXT"), None)
            if text:
                content[name, "TXT"] = RecordSet(name, "TXT", (text,), MARKER_TTL)
            self._zones.serial += 1
            return DONE

    def apply(self, changes: Sequence[NameChange], fence: Fence) -> Mapping[str, Result]:
        """Carry out all changes, or none if anything is not as it was seen."""
        self.calls += 1
        with self._zones.lock:
            content = self._content()
            if self._texts(content, fence.name) != (fence.text,):
                refused = Result(Outcome.REFUSED, "another process has become the writer of the zone", stale=True)
                return dict.fromkeys((c.key for c in changes), refused)
            if changed := [c.key for c in changes if not self._as_seen(content, c)]:
                return {
                    c.key: Result(Outcome.REFUSED, _CHANGED if c.key in changed else "not sent", stale=True)
                    for c in changes
                }
            kinds = _kinds(content, changes)
            for change in changes:
                self._change(content, kinds, change)
            self._zones.serial += 1
            return dict.fromkeys((c.key for c in changes), DONE)

    def _content(self) -> dict[tuple[str, str], RecordSet]:
        content = self._zones.sets.get(self.zone)
        if content is None:
            raise ZoneMissingError(
                f"no zone {self.zone.removesuffix('.')} at the DNS provider",
                hint="create it, or check spec.federation.zone",
            )
        return content

    def _texts(self, content: Mapping[tuple[str, str], RecordSet], name: str) -> tuple[str, ...]:
        found = content.get((name, "TXT"))
        return found.rdatas if found else ()

    def _as_seen(self, content: Mapping[tuple[str, str], RecordSet], change: NameChange) -> bool:
        old = change.old or NameState()
        seen = {s.type: s.rdatas for s in old.sets}
        there = {t: content[change.key, t].rdatas for t in OUR_TYPES if (change.key, t) in content}
        # A deleted name may have sets of others beside those that are deleted.
        if change.new is None:
            there = {t: rdatas for t, rdatas in there.items() if t in seen}
        texts = old.marker.rdatas() if old.marker else ()
        marker = marker_name(change.key)
        alias = change.new is not None and (marker, "CNAME") in content
        return there == seen and self._texts(content, marker) == texts and not alias

    def _change(
        self, content: dict[tuple[str, str], RecordSet], kinds: Mapping[str, set[str]], change: NameChange
    ) -> None:
        for old in change.old.sets if change.old else ():
            content.pop((old.name, old.type), None)
            kinds[old.name].discard(old.type)
        marker = marker_name(change.key)
        content.pop((marker, "TXT"), None)
        if change.new is None:
            return
        for new in change.new.sets:
            # As DNS servers do (RFC 2136 3.4.2.2): what cannot stand beside the other records is left out silently.
            others = kinds[new.name]
            if not (others if new.type == "CNAME" else others & {"CNAME"}):
                content[new.name, new.type] = new
                others.add(new.type)
        if change.new.marker is not None:
            content[marker, "TXT"] = RecordSet(marker, "TXT", change.new.marker.rdatas(), MARKER_TTL)


def _kinds(content: Iterable[tuple[str, str]], changes: Iterable[NameChange]) -> dict[str, set[str]]:
    """The types of records that each name of these changes has."""
    states = (state for change in changes for state in (change.old, change.new) if state is not None)
    found = {record_set.name: set[str]() for state in states for record_set in state.sets}
    for name, kind in content:
        if name in found:
            found[name].add(kind)
    return found
