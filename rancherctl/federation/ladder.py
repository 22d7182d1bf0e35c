"""The ladder of a Service's names and the record sets on its rungs. Pure.

A rung has the addresses of healthy shards in its zone or region; without one it is a CNAME to the next rung (the plan
writes addresses instead where a CNAME is not possible).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rancherctl.dns.model import RecordSet
from rancherctl.federation import names
from rancherctl.federation.model import FederatedService, Place, ShardAddress
from rancherctl.federation.ownership import Marker, NameState

RungKey = tuple[str | None, str | None]
"""Region and zone of a rung; (None, None) is the last one."""


@dataclass(frozen=True, slots=True)
class Rung:
    """A rung of the ladder: what its names end with, its place, and what the names of the next rung end with."""

    suffix: str
    region: str | None = None
    zone: str | None = None
    following: str = ""


class Ladder:
    """The rungs of a federation with members in ``places``."""

    def __init__(self, federation: str, suffix: str, places: Iterable[Place]) -> None:
        self._federation, self._suffix = federation, suffix
        self._places = frozenset(_known(places))
        self._rungs = self._of(self._places)

    def last(self, service: FederatedService) -> str:
        """The name of a Service on the last rung."""
        return names.public_name(service.name, service.namespace, self._rungs[0].suffix)

    def names(self, service: FederatedService) -> tuple[list[tuple[str, Rung]], list[str]]:
        """The names of a Service with their rungs, and a line for each that is too long."""
        # Places are shared by many addresses: each object is looked at once.
        own = {id(p): p for s in service.shards for p in (s.place, *[a.place for a in s.addresses])}
        more = {*_known(own.values())} - self._places
        out, problems = [], []
        for rung in self._of(self._places | more) if more else self._rungs:
            name = names.public_name(service.name, service.namespace, rung.suffix)
            if problem := names.length_problem(name):
                problems.append(problem)
            else:
                out.append((name, rung))
        return out, problems

    def _of(self, places: Iterable[tuple[str, str]]) -> tuple[Rung, ...]:
        """The ladder from the last rung up, for (region, zone or "") pairs."""
        last = Rung(names.rung_suffix(self._federation, self._suffix))
        regions = {
            region: Rung(names.rung_suffix(self._federation, self._suffix, region), region, None, last.suffix)
            for region in sorted({region for region, _ in places})
        }
        zones = [
            Rung(names.rung_suffix(self._federation, self._suffix, region, zone), region, zone, regions[region].suffix)
            for region, zone in sorted(places)
            if zone
        ]
        return (last, *regions.values(), *zones)


class NameSets:
    """Makes the record sets of one object's names: ``owner`` and ``target`` are what its markers say."""

    def __init__(self, owner: str, target: str, ttl: int) -> None:
        self._owner, self._target, self._ttl = owner, target, ttl
        self._markers: dict[tuple[str, ...], Marker] = {}

    def marker(self, *types: str) -> Marker:
        """The marker of a name that has these types."""
        found = self._markers.get(types)
        if found is None:
            found = self._markers[types] = Marker(self._owner, types, self._target)
        return found

    def addresses(self, name: str, addresses: Iterable[str]) -> NameState:
        """A name with A and AAAA records."""
        found = sorted({*addresses})
        four = tuple([a for a in found if ":" not in a])
        if len(four) == len(found):
            return NameState(
                (RecordSet(name, "A", four, self._ttl),) if four else (), self.marker(*("A",) * bool(four))
            )
        six = tuple([a for a in found if ":" in a])
        sets = tuple(RecordSet(name, t, found, self._ttl) for t, found in (("A", four), ("AAAA", six)) if found)
        return NameState(sets, self.marker(*(s.type for s in sets)))

    def alias(self, name: str, of: str) -> NameState:
        """A name that is a CNAME."""
        return NameState((RecordSet(name, "CNAME", (of,), self._ttl),), self.marker("CNAME"))

    def again(self, state: NameState) -> NameState:
        """A state that was read, as a wish: only the types that are published, with the TTL and marker of now."""
        sets = tuple(RecordSet(s.name, s.type, s.rdatas, self._ttl) for s in state.owned())
        return NameState(sets, self.marker(*(s.type for s in sets)) if sets else state.marker)


def ladder_sets(
    service: FederatedService,
    rungs: Sequence[tuple[str, Rung]],
    healthy: Sequence[ShardAddress],
    extra: Mapping[str, tuple[str, ...]],
    make: NameSets,
) -> dict[str, NameState]:
    """The names of a Service with healthy addresses. ``extra``: more addresses by name."""
    there = _by_rung(healthy)
    out: dict[str, NameState] = {}
    for name, rung in rungs:
        found: Sequence[str] = there.get((rung.region, rung.zone), ())
        if extra:
            found = (*found, *extra.get(name, ()))
        if found:
            out[name] = make.addresses(name, found)
        else:
            out[name] = make.alias(name, names.public_name(service.name, service.namespace, rung.following))
    return out


def _by_rung(healthy: Sequence[ShardAddress]) -> dict[RungKey, list[str]]:
    """The addresses on each rung."""
    # Places are shared by many addresses: those of one object are moved together.
    by_place: dict[int, tuple[Place, list[str]]] = {}
    for address in healthy:
        group = by_place.get(id(address.place))
        if group is None:
            group = by_place[id(address.place)] = (address.place, [])
        group[1].append(address.address)
    out: dict[RungKey, list[str]] = {(None, None): [address.address for address in healthy]}
    for place, texts in by_place.values():
        if place.region:
            out.setdefault((place.region, None), []).extend(texts)
            if place.zone:
                out.setdefault((place.region, place.zone), []).extend(texts)
    return out


def _known(places: Iterable[Place]) -> Iterable[tuple[str, str]]:
    """(region, zone or "") of the places whose region is known; a zone without a region has no rung."""
    return ((place.region, place.zone or "") for place in places if place.region)
