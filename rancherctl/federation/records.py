"""From the shards of federated Services to the record sets of the public zone. Pure: time is passed in.

Each rung of the ladder has the addresses of healthy shards in its place, own host names have what the last rung has. If
no shard of a Service is healthy, what was published stays, unless the Service says ``when-none: remove`` or selects no
member any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from rancherctl.federation import names
from rancherctl.federation.addresses import never_published
from rancherctl.federation.ladder import Ladder, NameSets, ladder_sets
from rancherctl.federation.model import FederatedService, FederationSettings, Place, Verdict
from rancherctl.federation.ownership import NameState, Owner
from rancherctl.federation.probe_targets import verdict_keys
from rancherctl.federation.shard_health import delay, healthy_addresses
from rancherctl.names import is_dns_label
from rancherctl.net import address_key

KIND: Final = "service"
_NOTHING: Mapping[str, NameState] = {}


class DnsPhase(StrEnum):
    """What the public names of a Service are made of."""

    PUBLISHED = "Published"
    KEPT = "NoHealthyShards"
    """No shard is healthy; what was published stays."""
    REMOVED = "Removed"
    """No shard is healthy, and the Service says that its names then have no records, or selects no member."""
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
    has had no healthy shard, by its key. ``now`` and these times are seconds of the caller's monotonic clock. ``gone``:
    objects that keep no names, e.g. of a Service that selects no member any more.
    """

    places: tuple[Place, ...] = ()
    published: Callable[[str], Mapping[str, NameState]] = lambda _: _NOTHING
    forgotten: frozenset[str] = frozenset()
    none_since: Mapping[str, float] = field(default_factory=dict)
    now: float = 0.0
    gone: frozenset[str] = frozenset()


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


def object_of(key: str) -> str:
    """A Service's key (``namespace/name``) as markers name it."""
    return f"{KIND}/{key}"


@dataclass(frozen=True, slots=True)
class _Planned:
    """What became of one Service."""

    service: FederatedService
    own: tuple[str, ...]
    problems: tuple[str, ...]
    names: Mapping[str, NameState]
    state: ServiceDns


@dataclass(slots=True)
class Memo:
    """What the last wish was made of, so that only Services that have changed since are planned again.

    Only Services with a healthy shard are kept: the others depend on the zone and on time, too.
    """

    basis: object = None
    withdrawn: Mapping[str, Verdict] = field(default_factory=dict)
    services: dict[str, _Planned] = field(default_factory=dict)


def desired(
    services: Sequence[FederatedService],
    settings: FederationSettings,
    verdicts: Mapping[str, Verdict],
    context: Context,
    *,
    ttl: int | None = None,
    memo: Memo | None = None,
) -> Desired:
    """The record sets of all Services; ``ttl`` in seconds replaces that of the settings (limits of a provider).

    ``memo`` is that of the last call, and is changed to that of this one.
    """
    build = _Build(settings, verdicts, context, settings.ttl if ttl is None else ttl, Memo() if memo is None else memo)
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
    build.remember()
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
        self, settings: FederationSettings, verdicts: Mapping[str, Verdict], context: Context, ttl: int, memo: Memo
    ) -> None:
        self._owner = Owner(settings.name, settings.uid).text
        self._context, self._ttl, self._memo = context, ttl, memo
        self._withdrawn = {key: verdict for key, verdict in verdicts.items() if verdict.withdrawn}
        self._ladder = Ladder(settings.name, settings.zone, context.places)
        basis = (settings, ttl, frozenset(context.places))
        self._last = memo.services if memo.basis == basis else {}
        self._changed = _changed_keys(memo.withdrawn, self._withdrawn)
        self._planned: dict[str, _Planned] = {}
        self._timed = False
        self.next: float | None = None
        memo.basis = basis

    def remember(self) -> None:
        """Keep what was planned for the next wish."""
        self._memo.services, self._memo.withdrawn = self._planned, self._withdrawn

    def service(
        self,
        service: FederatedService,
        own: tuple[str, ...],
        problems: tuple[str, ...],
        wish: dict[str, NameState],
    ) -> ServiceDns:
        """Put the names of one Service into ``wish``; returns how it is published."""
        known = self._last.get(service.uid)
        if known is not None and self._as_it_was(known, service, own, problems):
            found = known
        else:
            self._timed = False
            found = self._plan(service, own, problems, wish)
        wish.update(found.names)
        if service.shards and found.state.phase is DnsPhase.PUBLISHED and not (self._timed or _unread(service)):
            self._planned[service.uid] = found
        return found.state

    def _as_it_was(
        self, known: _Planned, service: FederatedService, own: tuple[str, ...], problems: tuple[str, ...]
    ) -> bool:
        if (own, problems) != (known.own, known.problems) or service != known.service:
            return False
        return not self._changed or not any(
            key in self._changed for s in service.shards for a in s.addresses for key in verdict_keys(service, a)
        )

    def _plan(
        self,
        service: FederatedService,
        own: tuple[str, ...],
        problems: tuple[str, ...],
        wish: Mapping[str, NameState],
    ) -> _Planned:
        last = self._ladder.last(service)
        if not (is_dns_label(service.name) and is_dns_label(service.namespace)):
            why = f"{service.key} is not a valid DNS name"
            return _Planned(
                service, own, problems, {}, ServiceDns(service.key, last, DnsPhase.WAITING, problems=(why,))
            )
        healthy, withheld = healthy_addresses(service, self._withdrawn, self._passed)
        rungs, too_long = self._ladder.names(service)
        target, unread = object_of(service.key), _unread(service)
        make = NameSets(self._owner, target, self._ttl)
        published = self._context.published(target) if unread or not healthy else _NOTHING
        extra = self._unclaimed(service, published, withheld) if unread and service.shards else {}
        if healthy or extra.get(last):
            addresses = tuple(dict.fromkeys((*(a.address for a in healthy), *extra.get(last, ()))))
            out = ladder_sets(service, rungs, healthy, extra, make)
            out |= {name: make.addresses(name, addresses) for name in own}
            # Places of members that were not read are not known either.
            for name in [name for name in extra if name not in out and name not in wish]:
                out[name] = make.addresses(name, extra[name]) if extra[name] else make.again(published[name])
            phase, shown = DnsPhase.PUBLISHED, addresses
        else:
            names_ = {name for name, _ in rungs} | {*own} if not unread else {*published}
            kept = self._kept(service, published, names_, make)
            phase = DnsPhase.KEPT if kept else DnsPhase.WAITING
            if self._removes(service):
                kept, phase = {}, DnsPhase.REMOVED
            out = {name: make.again(state) for name, state in kept.items()}
            shown = kept[last].addresses() if last in kept else ()
        ordered = tuple(sorted(shown, key=address_key))
        state = ServiceDns(service.key, last, phase, ordered, withheld, (*problems, *too_long))
        return _Planned(service, own, problems, out, state)

    def _removes(self, service: FederatedService) -> bool:
        """Whether the names of a Service without a healthy shard are deleted.

        A Service without members keeps them, unless it selects none.
        """
        if object_of(service.key) in self._context.gone:
            return True
        if not service.shards:
            return False
        wait = delay(service.when_none)
        if wait is None:
            return service.when_none == "remove"
        return self._passed(self._context.none_since.get(service.key, self._context.now) + wait)

    def _passed(self, moment: float) -> bool:
        if moment <= self._context.now:
            return True
        self._timed = True
        self.next = moment if self.next is None else min(self.next, moment)
        return False

    def _unclaimed(
        self, service: FederatedService, published: Mapping[str, NameState], withheld: Mapping[str, str]
    ) -> dict[str, tuple[str, ...]]:
        """Published addresses, by name, that no shard with known addresses has: those of members that were not read."""
        known = {a.address for shard in service.shards for a in shard.addresses} | withheld.keys()
        known |= self._context.forgotten
        known |= self._withdrawn.keys()
        found = {name: tuple(a for a in state.addresses() if a not in known) for name, state in published.items()}
        return {name: left for name, left in found.items() if left or not published[name].addresses()}

    def _kept(
        self, service: FederatedService, published: Mapping[str, NameState], wanted: set[str], make: NameSets
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
                out[name] = make.addresses(name, left)
        # Without an address, aliases would lead to a name that does not exist.
        return out if any(state.addresses() for state in out.values()) else {}


def _unread(service: FederatedService) -> bool:
    """Whether a member that may serve it has not been read, so that what is published counts."""
    return not service.shards or any(not s.api_reachable and not s.addresses for s in service.shards)


def _changed_keys(before: Mapping[str, Verdict], now: Mapping[str, Verdict]) -> frozenset[str]:
    """The addresses and checks whose verdict differs."""
    return frozenset(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
