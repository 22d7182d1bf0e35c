"""Ownership of public names: markers, the zone's epoch, and what a zone has at each name. Pure.

A name's records are the federation's only if a TXT record at ``_rancherctl.<name>`` says so, and only the types that it
lists: records of other types and names without a marker belong to others and are never changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from rancherctl.dns.model import RecordSet
from rancherctl.federation import names

OUR_TYPES: Final = ("A", "AAAA", "CNAME")
"""Types of the records that a federation publishes."""
MARKER_TTL: Final = 300
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_HERITAGE = "heritage=rancherctl"


@dataclass(frozen=True, slots=True)
class Owner:
    """A federation as markers name it."""

    name: str
    uid: str

    @property
    def text(self) -> str:
        """``name/uid``."""
        return f"{self.name}/{self.uid}"


@dataclass(frozen=True, slots=True)
class Marker:
    """Whose the records of a name are: ``owner`` is ``federation/uid``, ``object`` is ``service/namespace/name``.

    A set that is not exactly one readable marker has only ``raw``, its records' texts: its name belongs to others.
    """

    owner: str = ""
    types: tuple[str, ...] = ()
    object: str = ""
    raw: tuple[str, ...] = ()

    def text(self) -> str:
        """The TXT record's data, as dnspython prints it."""
        return f'"{_HERITAGE}" "federation={self.owner}" "for={",".join(self.types)}" "object={self.object}"'

    def rdatas(self) -> tuple[str, ...]:
        """The set as it is in the zone."""
        return self.raw or (self.text(),)

    @classmethod
    def parse(cls, rdatas: tuple[str, ...]) -> Marker:
        """The marker that the TXT set at a marker's name contains."""
        if len(rdatas) != 1:
            return cls(raw=rdatas)
        fields = _fields(rdatas[0])
        types = tuple(fields.get("for", "").split(","))
        if fields.get("heritage") != "rancherctl" or not set(types) <= set(OUR_TYPES):
            return cls(raw=rdatas)
        marker = cls(fields.get("federation", ""), types, fields.get("object", ""))
        # The set is compared as a whole before it is changed: a marker of a later release may have more strings.
        return marker if marker.text() == rdatas[0] else cls(marker.owner, types, marker.object, rdatas)


@dataclass(frozen=True, slots=True)
class Epoch:
    """The content of the zone marker: which federation writes to the zone, and how often its leader has changed."""

    owner: str
    number: int

    def text(self) -> str:
        """The TXT record's data."""
        return f'"{_HERITAGE}" "federation={self.owner}" "epoch={self.number}"'

    @classmethod
    def parse(cls, rdatas: tuple[str, ...]) -> Epoch | None:
        """The epoch in a TXT set; None if the set is not a zone marker."""
        fields = _fields(rdatas[0]) if len(rdatas) == 1 else {}
        number = fields.get("epoch", "")
        if fields.get("heritage") != "rancherctl" or not (number.isascii() and number.isdecimal() and len(number) < 19):
            return None
        return cls(fields.get("federation", ""), int(number))


@dataclass(frozen=True, slots=True)
class NameState:
    """Records at a name, sorted by type, and its marker. As a wish: what the federation wants there."""

    sets: tuple[RecordSet, ...] = ()
    marker: Marker | None = None

    def of_types(self, types: Iterable[str]) -> tuple[RecordSet, ...]:
        """The sets of these types."""
        wanted = frozenset(types)
        return tuple(s for s in self.sets if s.type in wanted)

    def owned(self) -> tuple[RecordSet, ...]:
        """The sets that the marker claims, if they are there."""
        return self.of_types(self.marker.types) if self.marker else ()

    def addresses(self) -> tuple[str, ...]:
        """The addresses of the A and AAAA sets."""
        return tuple(r for s in self.sets if s.type != "CNAME" and s.type in OUR_TYPES for r in s.rdatas)


@dataclass(frozen=True, slots=True)
class ZoneView:
    """What was read of a zone. ``epoch``: the texts of its zone marker, () if it has none.

    ``complete``: every name of the zone is in ``names``. If it is not (the server refuses transfers), the names that
    were asked for are, and names that are not in ``names`` had no records of OUR_TYPES and no marker.
    """

    names: Mapping[str, NameState] = field(default_factory=dict)
    epoch: tuple[str, ...] = ()
    serial: int | None = None
    complete: bool = True


def zone_view(sets: Iterable[RecordSet], fence: str, *, serial: int | None = None, complete: bool = True) -> ZoneView:
    """Sort the record sets of a zone by name; ``fence`` is the name of the zone marker."""
    found: dict[str, list[RecordSet]] = {}
    markers: dict[str, Marker] = {}
    epoch: tuple[str, ...] = ()
    for record_set in sets:
        if record_set.type == "TXT":
            if record_set.name == fence:
                epoch = record_set.rdatas
                continue
            if marked := names.marked_name(record_set.name):
                markers[marked] = Marker.parse(record_set.rdatas)
                continue
        found.setdefault(record_set.name, []).append(record_set)
    views = {
        name: NameState(tuple(sorted(found.get(name, ()), key=lambda s: s.type)), markers.get(name))
        for name in found.keys() | markers.keys()
    }
    return ZoneView(views, epoch, serial, complete)


def _fields(text: str) -> dict[str, str]:
    """``key=value`` of the strings of a TXT record; the first of two equal keys counts."""
    out: dict[str, str] = {}
    for part in _STRING.findall(text):
        key, _, value = part.partition("=")
        out.setdefault(key, value)
    return out
