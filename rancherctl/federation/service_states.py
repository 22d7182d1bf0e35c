"""ServiceStates: what each federated Service is in its members, computed again only where something has changed.

Pure but for its memory of the last call. A change of one copy costs little, however many Services and members there
are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rancherctl.federation.model import FederatedService
from rancherctl.federation.objects import Federated, ObjectId
from rancherctl.federation.plan import CopyState, State, WantedCopies
from rancherctl.federation.shards import Member, federated_service, shard
from rancherctl.federation.status import (
    DnsPart,
    MemberLine,
    ServiceStatus,
    differs,
    last_known,
    problems,
    service_status,
    unknown_line,
)
from rancherctl.federation.wanted import travels
from rancherctl.placement.model import ObjectProblem

_NO_DNS = DnsPart()


@dataclass(frozen=True, slots=True)
class ServiceState:
    """``published``: the Service for the public DNS, None if it stays in the federation. ``write``: its status differs
    from the stored one."""

    status: ServiceStatus
    problems: tuple[ObjectProblem, ...]
    published: FederatedService | None
    write: bool


class ServiceStates:
    """``when_none`` is the federation's default for Services."""

    def __init__(self, when_none: str) -> None:
        self._when_none = when_none
        self._known: dict[str, tuple[Federated, DnsPart, ServiceState]] = {}
        self._seen = _Seen((), {})

    def update(
        self,
        services: Mapping[str, Federated],
        members: Mapping[str, Member],
        wanted: Mapping[str, WantedCopies],
        withdrawn: frozenset[str],
        dns: Mapping[str, DnsPart],
    ) -> dict[str, ServiceState]:
        """By ``namespace/name``, without Services that are being deleted or are reserved.

        ``withdrawn``: addresses that are judged dead; ``dns``: what the public DNS says of Services.
        """
        listed = sorted(members.items())
        seen = _Seen.of(listed, wanted, withdrawn)
        changed = seen.changed_since(self._seen)
        out: dict[str, ServiceState] = {}
        known: dict[str, tuple[Federated, DnsPart, ServiceState]] = {}
        for key, service in services.items():
            if service.meta.deleting or not (travels(service) or service.options.stay):
                continue
            part, before = dns.get(key, _NO_DNS), self._known.get(key)
            if before is None or changed is None or key in changed or before[0] is not service or before[1] != part:
                before = (service, part, self._state(service, listed, wanted, withdrawn, part))
            known[key], out[key] = before, before[2]
        self._known, self._seen = known, seen
        return out

    def _state(
        self,
        service: Federated,
        members: list[tuple[str, Member]],
        wanted: Mapping[str, WantedCopies],
        withdrawn: frozenset[str],
        dns: DnsPart,
    ) -> ServiceState:
        lines = _lines(service, members, wanted)
        shards = [line.shard for line in lines if line.shard is not None]
        status = service_status(service, lines, withdrawn, dns)
        return ServiceState(
            status,
            problems(service, lines, withdrawn),
            federated_service(service, shards, self._when_none) if travels(service) else None,
            bool(lines or service.status or service.options.stay) and differs(service, status),
        )


@dataclass(frozen=True, slots=True)
class _MemberCopies:
    """What concerns single Services in a member, by the object or (``ready``) its key."""

    selected: Mapping[ObjectId, object]
    uncertain: Mapping[ObjectId, object]
    copies: Mapping[ObjectId, object]
    states: Mapping[ObjectId, object]
    ready: Mapping[str, object]
    held: Mapping[ObjectId, object]

    @staticmethod
    def of(member: Member, wanted: WantedCopies) -> _MemberCopies:
        view = member.view
        held = dict.fromkeys(view.held)
        return _MemberCopies(wanted.selected, wanted.uncertain, view.copies, view.states, view.ready, held)

    def differing(self, before: _MemberCopies) -> set[str]:
        """Keys of objects for which something is not as before."""
        ids: set[ObjectId] = set()
        for new, old in (
            (self.selected, before.selected),
            (self.uncertain, before.uncertain),
            (self.held, before.held),
        ):
            if new is not old:
                ids |= new.keys() ^ old.keys()
        ids |= _differing(self.copies, before.copies) | _differing(self.states, before.states)
        return {object_id.key for object_id in ids} | _differing(self.ready, before.ready)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a call saw: ``common`` concerns every Service, ``copies`` single ones, by member."""

    common: tuple[object, ...]
    copies: Mapping[str, _MemberCopies]

    @staticmethod
    def of(members: list[tuple[str, Member]], wanted: Mapping[str, WantedCopies], withdrawn: frozenset[str]) -> _Seen:
        common: list[object] = [withdrawn]
        for name, member in members:
            view = member.view
            state = view.known, view.reachable, member.addresses, member.drained, member.leaving, member.topology
            common.append((name, state, member.hosts))
        return _Seen(tuple(common), {name: _MemberCopies.of(member, wanted[name]) for name, member in members})

    def changed_since(self, before: _Seen) -> frozenset[str] | None:
        """Keys of the Services that a change concerns; None if one concerns all of them."""
        if self.common != before.common:
            return None
        return frozenset().union(*(found.differing(before.copies[name]) for name, found in self.copies.items()))


def _differing(new: Mapping[Any, object], old: Mapping[Any, object]) -> set[Any]:
    """Keys whose value is not as before, or that were added or removed."""
    if new is old:
        return set()
    changed = {key for key, value in new.items() if (known := old.get(key)) is not value and known != value}
    return changed | (old.keys() - new.keys())


def _lines(
    service: Federated, members: list[tuple[str, Member]], wanted: Mapping[str, WantedCopies]
) -> list[MemberLine]:
    """The members that are to have the Service, or still have it."""
    lines: list[MemberLine] = []
    before = last_known(service.status)
    for name, member in members:
        copies = wanted[name]
        expected = service.id in copies.selected or service.id in copies.uncertain
        found = shard(service, member, before.get(name))
        if not expected and found is None:
            continue
        if not member.view.reachable:
            if found is not None or service.id in copies.selected:
                lines.append(unknown_line(name, found))
            continue
        if service.id in copies.uncertain and found is None:
            continue
        state = member.view.states.get(service.id)
        if state is None:
            waiting = "the copy is being removed" if not expected else "the member has not been looked at yet"
            state = CopyState(State.HELD if service.id in member.view.held else State.PENDING, "", waiting)
        lines.append(MemberLine(name, state, found))
    return lines
