"""Which federated objects each member is to have, and which deleted ones it must lose. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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


class StableSources:
    """Federated objects of one kind as copies see them: the same object as before while only its status has changed.

    A status changes with each member; so it makes no member's worker look at its copies again.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[Federated, Federated]] = {}
        self._asked: Mapping[str, Federated] | None = None
        self._answer: Mapping[str, Federated] = {}

    def of(self, sources: Mapping[str, Federated]) -> Mapping[str, Federated]:
        """``sources``, each as it was at the last call if copies see no difference; the same mapping if all are."""
        if sources is self._asked:
            return self._answer
        known: dict[str, tuple[Federated, Federated]] = {}
        for key, source in sources.items():
            before = self._known.get(key)
            if before is None or (before[0] is not source and _copied(before[1]) != _copied(source)):
                before = (source, source)
            known[key] = (source, before[1])
        answer = {key: stable for key, (_, stable) in known.items()}
        if len(answer) != len(self._answer) or any(self._answer.get(key) is not s for key, s in answer.items()):
            self._answer = answer
        self._known, self._asked = known, sources
        return self._answer


def _copied(source: Federated) -> tuple[object, ...]:
    """What copies depend on."""
    meta = source.meta
    return (
        *(meta.uid, meta.deleting, source.guarded, source.orphan, source.digest, source.options),
        *(source.spec_digest, source.node_ports, source.family_policy, source.type),
    )


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
    living = [namespace for namespace in namespaces.values() if not namespace.meta.deleting]
    choices = _Choices(candidates, living)
    found: dict[str, WantedCopies] = {}
    for member in members:
        if member.leave:
            found[member.name] = WantedCopies(federation, federation_uid, leave=member.leave)
            continue
        waiting = {i: Tombstone(entry.uid, entry.orphan) for i, entry in pending.get(member.name, {}).items()}
        basis = WantedCopies(federation, federation_uid, tombstones=waiting | tombstones, force=member.force)
        choice = choices.of(member)
        found[member.name] = replace(
            basis, selected=choice.selected, deselected=choice.deselected, uncertain=choice.uncertain
        )
    return found


def _everywhere(source: Federated) -> bool:
    return travels(source) and source.options.selector is not None and not source.options.selector.requirements


@dataclass(frozen=True, slots=True)
class _Choice:
    """What goes to a member, and what does not; see WantedCopies."""

    selected: dict[ObjectId, Federated] = field(default_factory=dict)
    deselected: dict[ObjectId, str] = field(default_factory=dict)
    uncertain: dict[ObjectId, Federated] = field(default_factory=dict)

    def add(self, candidate: _Candidate, answer: bool | None, *, nothing_new: bool) -> None:
        """Add an object; ``answer`` of its selector, None if that cannot be read."""
        service, home = candidate.service, candidate.namespace
        if answer is None or (answer and nothing_new):
            self.uncertain[service.id] = service
        elif not answer or home is None:
            self.deselected[service.id] = service.meta.uid
        elif home.meta.deleting:
            return  # its Services are about to be deleted: they go with their own tombstones
        elif service.guarded and home.guarded:
            self.selected[home.id] = home
            self.selected[service.id] = service

    def add_namespaces(self, namespaces: Iterable[Federated]) -> None:
        """A Namespace that nothing goes to stays where it is."""
        for namespace in namespaces:
            if namespace.id not in self.selected:
                self.uncertain[namespace.id] = namespace


class _Choices:
    """The choice for each member. What goes everywhere is chosen once: members are many, selectors are rare."""

    def __init__(self, candidates: Iterable[_Candidate], namespaces: Sequence[Federated]) -> None:
        every = list(candidates)
        self._common = [candidate for candidate in every if candidate.everywhere]
        self._chosen = [candidate for candidate in every if not candidate.everywhere]
        self._namespaces = namespaces
        self._shared: dict[bool, _Choice] = {}
        """By whether the member gets nothing new; without Namespaces that nothing goes to, if selectors follow."""

    def of(self, member: Member) -> _Choice:
        nothing_new = member.drained or member.leaving
        shared = self._shared.get(nothing_new)
        if shared is None:
            shared = self._shared[nothing_new] = self._of_all(nothing_new)
        if not self._chosen:
            return shared
        own = _Choice(dict(shared.selected), dict(shared.deselected), dict(shared.uncertain))
        for candidate in self._chosen:
            own.add(candidate, candidate.goes_to(member), nothing_new=nothing_new)
        own.add_namespaces(self._namespaces)
        return own

    def _of_all(self, nothing_new: bool) -> _Choice:
        choice = _Choice()
        for candidate in self._common:
            choice.add(candidate, True, nothing_new=nothing_new)
        if not self._chosen:
            choice.add_namespaces(self._namespaces)
        return choice


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
