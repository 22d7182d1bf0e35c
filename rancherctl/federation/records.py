"""From the shards of federated Services to the record sets of the public zone. Pure: time is passed in.

A rung of the ladder has the addresses of healthy shards in its zone or region; without one it is a CNAME to the next
rung (the plan writes addresses instead where a CNAME is not possible). Own host names have what the last rung has. If
no shard of a Service is healthy, what was published stays, unless the Service says ``when-none: remove``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from rancherctl.dns.model import RecordSet
from rancherctl.federation import names
from rancherctl.federation.addresses import never_published
from rancherctl.federation.health import verdict_keys
from rancherctl.federation.model import FederatedService, FederationSettings, Place, Shard, ShardAddress, Verdict
from rancherctl.federation.ownership import Marker, NameState, Owner
from rancherctl.names import is_dns_label
from rancherctl.net import address_key

KIND: Final = "service"
_AFTER = re.compile(r"(?:drop|remove)-after (\d{1,6})([smh])")
_UNIT = {"s": 1, "m": 60, "h": 3600}
_NOTHING: Mapping[str, NameState] = {}


class DnsPhase(StrEnum):
    """What the public names of a Service are made of."""

    PUBLISHED = "Published"
    KEPT = "NoHealthyShards"
    """No shard is healthy; what was published stays."""
    REMOVED = "Removed"
    """No shard is healthy, and the Service says that its names then have no records."""
    WAITING = "NoAddresses"
    """No shard has been healthy since the Service exists, so that there is nothing to keep."""


@dataclass(frozen=True, slots=True)
class ServiceDns:
    """One Service in the public DNS. ``name`` is its last rung, ``published`` the addresses of that.

    ``withheld`` maps an address to the reason why it is not healthy (one line); ``problems`` are names that cannot be
    published, each with its reason.
    """

    key: str
    name: str
    phase: DnsPhase
    published: tuple[str, ...] = ()
    withheld: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Context:
    """What ``desired`` needs besides Services and verdicts.

    ``places``: those of all members, also of members without a shard. ``published``: what the zone has at the names
    that are marked for an object. ``forgotten``: addresses of members that left. ``none_since``: since when a Service
    has had no healthy shard, by its key. ``now`` and these times are seconds of the caller's monotonic clock.
    """

    places: tuple[Place, ...] = ()
    published: Callable[[str], Mapping[str, NameState]] = lambda _: _NOTHING
    forgotten: frozenset[str] = frozenset()
    none_since: Mapping[str, float] = field(default_factory=dict)
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class Desired:
    """The wish for a zone: record sets and markers by name, and how each Service is published, by its key.

    ``none``: Services without a healthy shard. ``alive``: objects (as markers name them) whose other names may be
    deleted, because the Service itself says what its names are. ``next``: when time alone changes the wish.
    """

    names: Mapping[str, NameState]
    services: Mapping[str, ServiceDns]
    none: frozenset[str] = frozenset()
    alive: frozenset[str] = frozenset()
    next: float | None = None


@dataclass(frozen=True, slots=True)
class _Rung:
    """A rung of the ladder: what its names end with, its place, and what the names of the next rung end with."""

    suffix: str
    region: str | None = None
    zone: str | None = None
    following: str = ""


def object_of(key: str) -> str:
    """A Service's key (``namespace/name``) as markers name it."""
    return f"{KIND}/{key}"


def desired(
    services: Sequence[FederatedService],
    settings: FederationSettings,
    verdicts: Mapping[str, Verdict],
    context: Context,
    *,
    ttl: int | None = None,
) -> Desired:
    """The record sets of all Services; ``ttl`` in seconds replaces that of the settings (limits of a provider)."""
    build = _Build(settings, verdicts, context, settings.ttl if ttl is None else ttl)
    hostnames = _claimed(services, settings)
    wish: dict[str, NameState] = {}
    states: dict[str, ServiceDns] = {}
    none: set[str] = set()
    alive: set[str] = set()
    for service in services:
        own, problems = hostnames.get(service.uid, ((), ()))
        states[service.key] = state = build.service(service, own, problems, wish)
        if state.phase is not DnsPhase.PUBLISHED:
            none.add(service.key)
        if service.shards:
            alive.add(object_of(service.key))
    return Desired(wish, states, frozenset(none), frozenset(alive), build.next)


def _claimed(
    services: Iterable[FederatedService], settings: FederationSettings
) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """uid → (absolute own host names, problems); of two Services with one name, the older has it."""
    owner: dict[str, FederatedService] = {}
    out: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    claiming = (service for service in services if service.hostnames)
    for service in sorted(claiming, key=lambda s: (s.created, s.uid)):
        own, problems = [], []
        for text in dict.fromkeys(service.hostnames):
            name, problem = names.own_hostname(text, settings.name, settings.zone)
            if problem:
                problems.append(problem)
            elif (older := owner.setdefault(name, service)) is not service:
                problems.append(f"{name.removesuffix('.')} belongs to the Service {older.key}, which is older")
            elif name not in own:
                own.append(name)
        out[service.uid] = (tuple(own), tuple(problems))
    return out


class _Build:
    """The part of ``desired`` that all Services share."""

    def __init__(
        self, settings: FederationSettings, verdicts: Mapping[str, Verdict], context: Context, ttl: int
    ) -> None:
        self._federation, self._suffix = settings.name, settings.zone
        self._owner = Owner(settings.name, settings.uid).text
        self._verdicts, self._context, self._ttl = verdicts, context, ttl
        self._places = frozenset(_known(context.places))
        self._rungs = self._ladder_of(self._places)
        self.next: float | None = None

    def service(
        self,
        service: FederatedService,
        own: Sequence[str],
        problems: Sequence[str],
        wish: dict[str, NameState],
    ) -> ServiceDns:
        """Put the names of one Service into ``wish``; returns how it is published."""
        last = names.public_name(service.name, service.namespace, self._rungs[0].suffix)
        if not (is_dns_label(service.name) and is_dns_label(service.namespace)):
            return ServiceDns(service.key, last, DnsPhase.WAITING, (), {}, (f"{service.key} is not a valid DNS name",))
        healthy, withheld = self._healthy(service)
        rungs, too_long = self._rungs_of(service)
        target = object_of(service.key)
        unread = not service.shards or any(not s.api_reachable and not s.addresses for s in service.shards)
        published = self._context.published(target) if unread or not healthy else _NOTHING
        extra = self._unclaimed(service, published, withheld) if unread and service.shards else {}
        if healthy or extra.get(last):
            addresses = tuple(dict.fromkeys((*(a.address for a in healthy), *extra.get(last, ()))))
            self._publish(service, rungs, healthy, addresses, extra, wish)
            for name in own:
                wish[name] = self._addresses(name, addresses, target)
            for name in extra.keys() - wish.keys():  # places of members that were not read are not known either
                wish[name] = (
                    self._addresses(name, extra[name], target)
                    if extra[name]
                    else self._remarked(published[name], target)
                )
            phase, shown = DnsPhase.PUBLISHED, addresses
        else:
            kept = self._kept(service, published, {name for name, _ in rungs} | {*own} if not unread else {*published})
            phase = DnsPhase.KEPT if kept else DnsPhase.WAITING
            if self._removes(service):
                kept, phase = {}, DnsPhase.REMOVED
            wish.update((name, self._remarked(state, target)) for name, state in kept.items())
            shown = kept[last].addresses() if last in kept else ()
        ordered = tuple(sorted(shown, key=address_key))
        return ServiceDns(service.key, last, phase, ordered, withheld, (*problems, *too_long))

    def _healthy(self, service: FederatedService) -> tuple[list[ShardAddress], dict[str, str]]:
        """The addresses to publish, and of all others why not; of two members with one address, any healthy one is
        enough."""
        found: list[tuple[float, ShardAddress]] = []
        withheld: dict[str, str] = {}
        for shard in service.shards:
            withheld.update(shard.refused)
            rank = float("inf") if service.priority is None else service.priority.get(shard.member, float("inf"))
            for address in shard.addresses:
                why = shard.refused.get(address.address, "") or never_published(address.address)
                why = why or _unhealthy(shard) or self._withdrawn(service, address)
                if why:
                    withheld.setdefault(address.address, why)
                else:
                    found.append((rank, address))
        if service.priority is not None and found:
            best = min(rank for rank, _ in found)
            for rank, address in found:
                if rank > best:
                    withheld[address.address] = f"standby: priority {_rank(rank)}, members of {_rank(best)} are healthy"
            found = [(rank, address) for rank, address in found if rank == best]
        for _, address in found:
            withheld.pop(address.address, None)
        return [address for _, address in found], withheld

    def _withdrawn(self, service: FederatedService, address: ShardAddress) -> str:
        """Why the vantage points keep an address out, as the Service's ``offline`` says; "" if they do not."""
        for key in verdict_keys(service, address):
            verdict = self._verdicts.get(key)
            if verdict is None or not verdict.withdrawn or service.offline == "keep":
                continue
            if (wait := _after(service.offline)) is not None and not self._passed(verdict.since + wait):
                continue
            return verdict.reason or "it does not answer"
        return ""

    def _removes(self, service: FederatedService) -> bool:
        """Whether the names of a Service without a healthy shard are deleted. A Service without members keeps them."""
        if not service.shards:
            return False
        wait = _after(service.when_none)
        if wait is None:
            return service.when_none == "remove"
        return self._passed(self._context.none_since.get(service.key, self._context.now) + wait)

    def _passed(self, moment: float) -> bool:
        if moment <= self._context.now:
            return True
        self.next = moment if self.next is None else min(self.next, moment)
        return False

    def _ladder_of(self, places: Iterable[tuple[str, str]]) -> tuple[_Rung, ...]:
        """The ladder from the last rung up, for (region, zone or "") pairs."""
        last = _Rung(names.rung_suffix(self._federation, self._suffix))
        regions = {
            region: _Rung(names.rung_suffix(self._federation, self._suffix, region), region, None, last.suffix)
            for region in sorted({region for region, _ in places})
        }
        zones = [
            _Rung(names.rung_suffix(self._federation, self._suffix, region, zone), region, zone, regions[region].suffix)
            for region, zone in sorted(places)
            if zone
        ]
        return (last, *regions.values(), *zones)

    def _rungs_of(self, service: FederatedService) -> tuple[list[tuple[str, _Rung]], list[str]]:
        """The names of a Service with their rungs, and those that are too long."""
        more = {p for s in service.shards for p in _known((s.place, *(a.place for a in s.addresses)))} - self._places
        ladder = self._ladder_of(self._places | more) if more else self._rungs
        out, problems = [], []
        for rung in ladder:
            name = names.public_name(service.name, service.namespace, rung.suffix)
            if problem := names.length_problem(name):
                problems.append(problem)
            else:
                out.append((name, rung))
        return out, problems

    def _publish(
        self,
        service: FederatedService,
        rungs: Sequence[tuple[str, _Rung]],
        healthy: Sequence[ShardAddress],
        addresses: tuple[str, ...],
        extra: Mapping[str, tuple[str, ...]],
        wish: dict[str, NameState],
    ) -> None:
        """Put the ladder of a Service with healthy shards into ``wish``; ``addresses`` are those of the last rung."""
        there: dict[tuple[str, str | None], list[str]] = {}
        for address in healthy:
            region, zone = address.place.region, address.place.zone
            if region:
                there.setdefault((region, None), []).append(address.address)
                if zone:
                    there.setdefault((region, zone), []).append(address.address)
        target = object_of(service.key)
        alias = Marker(self._owner, ("CNAME",), target)
        for name, rung in rungs:
            found: Sequence[str] = addresses
            if rung.region:
                found = (*there.get((rung.region, rung.zone), ()), *extra.get(name, ()))
            if found:
                wish[name] = self._addresses(name, found, target)
            else:
                following = names.public_name(service.name, service.namespace, rung.following)
                wish[name] = NameState((RecordSet(name, "CNAME", (following,), self._ttl),), alias)

    def _addresses(self, name: str, addresses: Iterable[str], target: str) -> NameState:
        four = tuple(sorted({a for a in addresses if ":" not in a}))
        six = tuple(sorted({a for a in addresses if ":" in a}))
        sets = tuple(RecordSet(name, t, found, self._ttl) for t, found in (("A", four), ("AAAA", six)) if found)
        return NameState(sets, Marker(self._owner, tuple(s.type for s in sets), target))

    def _unclaimed(
        self, service: FederatedService, published: Mapping[str, NameState], withheld: Mapping[str, str]
    ) -> dict[str, tuple[str, ...]]:
        """Published addresses, by name, that no shard with known addresses has: those of members that were not read."""
        known = {a.address for shard in service.shards for a in shard.addresses} | withheld.keys()
        known |= self._context.forgotten
        known |= {a for a, verdict in self._verdicts.items() if verdict.withdrawn}
        found = {name: tuple(a for a in state.addresses() if a not in known) for name, state in published.items()}
        return {name: left for name, left in found.items() if left or not published[name].addresses()}

    def _kept(
        self, service: FederatedService, published: Mapping[str, NameState], wanted: set[str]
    ) -> dict[str, NameState]:
        """What stays at ``wanted`` names if no shard is healthy: what is published, without members that left."""
        drained = {a.address for shard in service.shards if shard.drained for a in shard.addresses}
        refused = self._context.forgotten.union(*(shard.refused for shard in service.shards))
        present = [a.address for s in service.shards if not s.drained for a in s.addresses if a.address not in refused]
        fallback = [a for a in present if not never_published(a)]
        out: dict[str, NameState] = {}
        for name in wanted & published.keys():
            state = published[name]
            shown = state.addresses()
            if not shown and (state.sets or not fallback):
                out[name] = state
                continue
            left = [a for a in shown if a not in refused]
            left = [a for a in left if a not in drained] or fallback or left
            if left:
                out[name] = self._addresses(name, left, object_of(service.key))
        # Without an address, aliases would lead to a name that does not exist.
        return out if any(state.addresses() for state in out.values()) else {}

    def _remarked(self, state: NameState, target: str) -> NameState:
        """A state that was read, as a wish: only the types that are published, with the TTL and marker of now."""
        sets = tuple(RecordSet(s.name, s.type, s.rdatas, self._ttl) for s in state.owned())
        if not sets:
            return NameState((), state.marker)
        return NameState(sets, Marker(self._owner, tuple(s.type for s in sets), target))


def _known(places: Iterable[Place]) -> Iterable[tuple[str, str]]:
    """(region, zone or "") of the places whose region is known; a zone without a region has no rung."""
    return ((place.region, place.zone or "") for place in places if place.region)


def _unhealthy(shard: Shard) -> str:
    if shard.drained:
        return f"member {shard.member} is drained"
    if not shard.in_sync:
        return f"the copy in {shard.member} is not in sync"
    if shard.ready is False:
        return f"no ready endpoint in {shard.member}"
    return ""


def _rank(rank: float) -> str:
    return "unlisted" if rank == float("inf") else f"{rank:g}"


def _after(text: str) -> float | None:
    """Seconds of ``drop-after 10m`` and ``remove-after 10m``; None for other words."""
    found = _AFTER.fullmatch(text)
    return None if found is None else float(int(found[1]) * _UNIT[found[2]])
