"""What to write in one member so that its copies are as the federation wants them. Pure.

Absence never deletes (R-a): a copy goes only because its federated object is there and no longer selects the member, or
because a tombstone says that the object was deleted. Copies without either are orphans: reported, never deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from rancherctl.federation.objects import CopyView, Federated, ObjectId
from rancherctl.hold import LOSS_SHARE

DELETE_FLOOR: Final = 20
"""So many copies may go at once without tombstones; more are held if they are over LOSS_SHARE of a member's copies."""


class Verb(StrEnum):
    """What a step does with a copy."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    RELEASE = "release"
    """Remove the federation's marks; the object stays."""


class State(StrEnum):
    """What a federated object is in a member."""

    IN_SYNC = "InSync"
    PENDING = "Pending"
    CONFLICT = "Conflict"
    FAILED = "Failed"
    HELD = "Held"
    UNKNOWN = "Unknown"
    """The member cannot be seen: its copy is as it was last."""


@dataclass(frozen=True, slots=True)
class CopyState:
    """``reason`` is a CamelCase token for programs, ``why`` one line for people."""

    state: State
    reason: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """The federated object ``uid`` was deleted; ``orphan``: its copies stay, without the federation's marks."""

    uid: str
    orphan: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One write. ``source`` is None for a delete or release, ``copy`` is None for a create."""

    verb: Verb
    id: ObjectId
    source: Federated | None = None
    copy: CopyView | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class WantedCopies:
    """What one member is to have.

    ``selected``: objects that go there. ``deselected``: uid of objects that exist in the federation and do not go
    there. ``uncertain``: objects that are kept up to date where they are and not created (their selector cannot be
    read, or the member is drained). ``force``: deletes that are held go this time. ``leave``: "keep" or "delete": the
    member leaves, and all its copies are released or deleted.
    """

    federation: str
    federation_uid: str
    selected: Mapping[ObjectId, Federated] = field(default_factory=dict)
    deselected: Mapping[ObjectId, str] = field(default_factory=dict)
    uncertain: Mapping[ObjectId, Federated] = field(default_factory=dict)
    tombstones: Mapping[ObjectId, Tombstone] = field(default_factory=dict)
    force: bool = False
    leave: str = ""


@dataclass(frozen=True, slots=True)
class MemberPlan:
    """Steps in order, what each wanted object is now, tombstones that are done, orphans, and deletes that are held."""

    steps: tuple[Step, ...] = ()
    states: Mapping[ObjectId, CopyState] = field(default_factory=dict)
    done: frozenset[ObjectId] = frozenset()
    orphans: tuple[ObjectId, ...] = ()
    held: tuple[ObjectId, ...] = ()


IN_SYNC: Final = CopyState(State.IN_SYNC)
REFUSED: Final = frozenset({State.CONFLICT, State.FAILED})


def up_to_date(source: Federated, copy: CopyView, federation_uid: str) -> bool:
    """Whether a copy needs no write."""
    body = source.body["metadata"]
    return (
        copy.federation_uid == federation_uid
        and copy.source_uid == source.meta.uid
        and copy.digest == source.digest
        and copy.spec_digest == source.spec_digest
        and set(source.node_ports) <= set(copy.node_ports)
        and source.family_policy in ("", copy.family_policy)
        and body["labels"].items() <= copy.labels.items()
        and body["annotations"].items() <= copy.annotations.items()
    )


Memo = dict[ObjectId, tuple[Federated, CopyView | None, CopyState, "Step | None"]]
"""What the last plan of a member decided on each object, for an object and a copy that are still the same."""


def plan(
    wanted: WantedCopies, copies: Mapping[ObjectId, CopyView], *, first_look: bool, memo: Memo | None = None
) -> MemberPlan:
    """Steps for one member whose ``copies`` are known completely. A first look deletes nothing.

    ``memo`` is that of the last plan for this member, and is changed to that of this one.
    """
    if wanted.leave:
        return MemberPlan(() if first_look else tuple(_leaving(wanted, copies)))
    steps: list[Step] = []
    states: dict[ObjectId, CopyState] = {}
    selected = {**wanted.selected, **{i: f for i, f in wanted.uncertain.items() if i in copies}}
    decided: Memo = {}
    for object_id, source in selected.items():
        copy, known = copies.get(object_id), memo.get(object_id) if memo else None
        if known is None or known[0] is not source or known[1] is not copy:
            known = (source, copy, *_wanted_copy(wanted, object_id, source, copy))
        decided[object_id] = known
        _, _, states[object_id], step = known
        if step and (not object_id.namespace or object_id.in_namespace in copies):
            steps.append(step)
    steps.sort(key=lambda step: _order((step.id, step)))
    if memo is not None:
        memo.clear()
        memo.update(decided)
    removals, done, orphans = _removals(wanted, copies, selected)
    unexplained = [step.id for step in removals if step.id not in wanted.tombstones]
    held: tuple[ObjectId, ...] = ()
    if not wanted.force and len(unexplained) > DELETE_FLOOR and len(unexplained) > LOSS_SHARE * len(copies):
        held = tuple(unexplained)
        removals = [step for step in removals if step.id not in frozenset(held)]
    if not first_look:
        steps += removals
    return MemberPlan(tuple(steps), states, done, orphans, held)


def _wanted_copy(
    wanted: WantedCopies, object_id: ObjectId, source: Federated, copy: CopyView | None
) -> tuple[CopyState, Step | None]:
    if copy is None:
        return CopyState(State.PENDING, "Creating"), Step(Verb.CREATE, object_id, source, why="not there yet")
    if object_id.kind == "Namespace" and not copy.federation_uid:
        return IN_SYNC, None  # an administrator of the member opened it with the label; its labels are theirs
    if copy.federation_uid not in ("", wanted.federation_uid):
        why = f"{object_id} there belongs to another federation with the name {wanted.federation}"
        return CopyState(State.CONFLICT, "ForeignFederation", why), None
    if copy.deleting:
        return CopyState(State.PENDING, "Deleting", "the copy is being deleted there"), None
    if up_to_date(source, copy, wanted.federation_uid):
        return IN_SYNC, None
    why = "changed in the federation" if copy.digest != source.digest else "changed in the member"
    return CopyState(State.PENDING, "Updating", why), Step(Verb.UPDATE, object_id, source, copy, why)


def _removals(
    wanted: WantedCopies, copies: Mapping[ObjectId, CopyView], selected: Mapping[ObjectId, Federated]
) -> tuple[list[Step], frozenset[ObjectId], tuple[ObjectId, ...]]:
    steps: list[Step] = []
    orphans: list[ObjectId] = []
    done = {object_id for object_id in wanted.tombstones if object_id not in copies or object_id in selected}
    others = [(i, copy) for i, copy in copies.items() if i not in selected]
    for object_id, copy in sorted(others, key=_order, reverse=True):
        if copy.federation_uid != wanted.federation_uid:
            continue
        grave = wanted.tombstones.get(object_id)
        if grave is not None and grave.uid == copy.source_uid:
            steps.append(_removal(copy, grave.orphan, "deleted in the federation"))
        elif wanted.deselected.get(object_id) == copy.source_uid:
            steps.append(_removal(copy, False, "no longer selected"))
        elif object_id not in wanted.uncertain:
            orphans.append(object_id)
            done.discard(object_id)
            if grave is not None:
                done.add(object_id)  # of an older object with this name: this copy is not its
    return [step for step in steps if step.copy and not step.copy.deleting], frozenset(done), tuple(sorted(orphans))


def _leaving(wanted: WantedCopies, copies: Mapping[ObjectId, CopyView]) -> Iterable[Step]:
    """Every copy goes, namespaces last: deleted, or released."""
    for _, copy in sorted(copies.items(), key=_order, reverse=True):
        if copy.federation_uid == wanted.federation_uid and not copy.deleting:
            yield _removal(copy, wanted.leave == "keep", "the member leaves the federation")


def _removal(copy: CopyView, orphan: bool, why: str) -> Step:
    if orphan or copy.adopted or copy.id.kind == "Namespace":
        # A Namespace may hold objects that the federation cannot see: it never deletes one.
        return Step(Verb.RELEASE, copy.id, copy=copy, why=f"{why}; it was there before" if copy.adopted else why)
    return Step(Verb.DELETE, copy.id, copy=copy, why=why)


def _order(item: tuple[ObjectId, object]) -> tuple[bool, str]:
    """Namespaces before what is in them."""
    return item[0].kind != "Namespace", item[0].key


def unfinished(states: Mapping[ObjectId, CopyState]) -> dict[ObjectId, CopyState]:
    """What is not in sync: usually little of much."""
    return {i: s for i, s in states.items() if s is not IN_SYNC and s.state is not State.IN_SYNC}


def counts(states: Mapping[ObjectId, CopyState]) -> dict[str, int]:
    """``wanted``, ``inSync``, ``conflicts`` and ``pending`` of a member, as its Cluster's status has them.

    Namespaces are not counted: they only hold the others.
    """
    wanted = sum(kind != "Namespace" for kind, _ in states)
    rest = [state.state for object_id, state in unfinished(states).items() if object_id.kind != "Namespace"]
    return {
        "wanted": wanted,
        "inSync": wanted - len(rest),
        "conflicts": sum(s in REFUSED for s in rest),
        "pending": sum(s in (State.PENDING, State.HELD) for s in rest),
    }
