"""ServiceStates: what each federated Service is in its members, computed again only where something has changed.

Pure but for its memory of the last call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rancherctl.federation.model import FederatedService
from rancherctl.federation.objects import Federated
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
        self._known: dict[str, tuple[tuple[object, ...], ServiceState]] = {}
        self._members: dict[str, tuple[tuple[object, ...], int]] = {}
        self._version = 0

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
        versions = self._member_versions(listed)
        out: dict[str, ServiceState] = {}
        known: dict[str, tuple[tuple[object, ...], ServiceState]] = {}
        for key, service in services.items():
            if service.meta.deleting or not (travels(service) or service.options.stay):
                continue
            part = dns.get(key, _NO_DNS)
            basis = (service, part, withdrawn, versions, _parts(service, listed, wanted))
            before = self._known.get(key)
            state = (
                before[1]
                if before is not None and before[0] == basis
                else self._state(service, listed, wanted, withdrawn, part)
            )
            out[key], known[key] = state, (basis, state)
        self._known = known
        return out

    def _member_versions(self, members: list[tuple[str, Member]]) -> tuple[tuple[str, int], ...]:
        """A number for each member, another one when what concerns all its Services has changed."""
        found: dict[str, tuple[tuple[object, ...], int]] = {}
        for name, member in members:
            view = member.view
            basis = (view.known, view.reachable, member.addresses, member.drained, member.leaving, member.topology)
            before = self._members.get(name)
            if before is None or before[0] != basis:
                self._version += 1
                before = (basis, self._version)
            found[name] = before
        self._members = found
        return tuple((name, version) for name, (_, version) in found.items())

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


def _parts(
    service: Federated, members: list[tuple[str, Member]], wanted: Mapping[str, WantedCopies]
) -> list[tuple[object, ...]]:
    """What concerns this Service alone in each member."""
    found, key = service.id, service.id.key
    return [
        (
            found in wanted[name].selected,
            found in wanted[name].uncertain,
            member.view.copies.get(found),
            member.view.states.get(found),
            member.view.ready.get(key),
            bool(member.view.held) and found in member.view.held,
        )
        for name, member in members
    ]


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
