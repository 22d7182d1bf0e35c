"""Which federated objects each member is to have, and which deleted ones it must lose. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from rancherctl.federation.objects import Federated, ObjectId
from rancherctl.federation.pending import PendingEntry
from rancherctl.federation.plan import Tombstone, WantedCopies
from rancherctl.federation.shards import Member
from rancherctl.federation.status import last_known

_RESERVED: Final = ("kube-", "rancherctl-")
_KUBERNETES: Final = ObjectId("Service", "default/kubernetes")


def travels(source: Federated) -> bool:
    """Whether an object may go to members at all."""
    namespace = source.meta.namespace or source.meta.name
    return not namespace.startswith(_RESERVED) and source.id != _KUBERNETES and not source.options.stay


def selects(source: Federated, member: Member) -> bool | None:
    """Whether an object goes to a member; None if its selector cannot be read."""
    if not travels(source):
        return False
    selector = source.options.selector
    return None if selector is None else selector.matches(member.labels)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A Service with its Namespace (None: it is not there), and whether it goes to every member whatever its labels."""

    service: Federated
    namespace: Federated | None
    everywhere: bool

    def goes_to(self, member: Member) -> bool | None:
        """Whether the member is to have it; None if a selector cannot be read."""
        if self.everywhere:
            return True
        answer = selects(self.service, member)
        return selects(self.namespace, member) if answer and self.namespace is not None else answer


def wanted_copies(
    federation: str,
    federation_uid: str,
    services: Iterable[Federated],
    namespaces: Mapping[str, Federated],
    members: Iterable[Member],
    pending: Mapping[str, Mapping[ObjectId, PendingEntry]],
) -> dict[str, WantedCopies]:
    """By member. A Namespace goes only where an object of it goes, and where its own selector allows it.

    A member that is drained or leaves gets nothing new; what it has is kept up to date. Objects get there once they
    have the finalizer that lets their copies be removed.
    """
    candidates, tombstones = list[_Candidate](), dict[ObjectId, Tombstone]()
    for service in services:
        namespace = namespaces.get(service.meta.namespace)
        if service.meta.deleting:
            orphan = service.orphan or (namespace is not None and namespace.orphan)
            tombstones[service.id] = Tombstone(service.meta.uid, orphan)
        else:
            everywhere = namespace is not None and _everywhere(service) and _everywhere(namespace)
            candidates.append(_Candidate(service, namespace, everywhere))
    for namespace in namespaces.values():
        if namespace.meta.deleting:
            tombstones[namespace.id] = Tombstone(namespace.meta.uid, namespace.orphan)
    found: dict[str, WantedCopies] = {}
    for member in members:
        if member.leave:
            found[member.name] = WantedCopies(federation, federation_uid, leave=member.leave)
            continue
        waiting = {i: Tombstone(entry.uid, entry.orphan) for i, entry in pending.get(member.name, {}).items()}
        basis = WantedCopies(federation, federation_uid, tombstones=waiting | tombstones, force=member.force)
        found[member.name] = _for_member(basis, candidates, namespaces.values(), member)
    return found


def _everywhere(source: Federated) -> bool:
    return travels(source) and source.options.selector is not None and not source.options.selector.requirements


def _for_member(
    wanted: WantedCopies, candidates: Iterable[_Candidate], namespaces: Iterable[Federated], member: Member
) -> WantedCopies:
    """``wanted`` with what goes to the member, and what does not."""
    selected: dict[ObjectId, Federated] = {}
    deselected: dict[ObjectId, str] = {}
    uncertain: dict[ObjectId, Federated] = {}
    nothing_new = member.drained or member.leaving
    for candidate in candidates:
        service, home, answer = candidate.service, candidate.namespace, candidate.goes_to(member)
        if answer is None or (answer and nothing_new):
            uncertain[service.id] = service
        elif not answer or home is None:
            deselected[service.id] = service.meta.uid
        elif home.meta.deleting:
            continue  # its Services are about to be deleted: they go with their own tombstones
        elif service.guarded and home.guarded:
            selected[home.id] = home
            selected[service.id] = service
    for namespace in namespaces:
        if not namespace.meta.deleting and namespace.id not in selected:
            uncertain[namespace.id] = namespace  # it stays where it is; nothing of it goes there now
    return replace(wanted, selected=selected, deselected=deselected, uncertain=uncertain)


def unguarded(
    services: Iterable[Federated], namespaces: Mapping[str, Federated], members: Iterable[Member]
) -> list[Federated]:
    """Objects that go to a member and lack the finalizer for it."""
    every, out = list(members), dict[ObjectId, Federated]()
    for service in services:
        if service.meta.deleting or not any(selects(service, member) for member in every):
            continue
        namespace = namespaces.get(service.meta.namespace)
        for source in (service, namespace):
            if source is not None and not source.guarded and not source.meta.deleting:
                out[source.id] = source
    return list(out.values())


def unpublished(services: Mapping[str, Federated], members: Mapping[str, Member]) -> frozenset[str]:
    """Keys of Services whose public names are to go, because their objects say so.

    A Service is there and is being deleted, stays in the federation, or selects no member; the last counts only if the
    members that it was in are still members: a list of members that lost some deletes no name.
    """
    return frozenset(
        key
        for key, service in services.items()
        if service.meta.deleting
        or not travels(service)
        or (
            bool(members)
            and not any(selects(service, m) is not False or service.id in m.view.copies for m in members.values())
            and last_known(service.status).keys() <= members.keys()
        )
    )
