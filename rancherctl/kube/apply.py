"""Apply a set of objects server-side: plan against the live state, apply, prune what the inventory no longer needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from rancherctl.change import Change, Plan
from rancherctl.errors import InvalidInputError, NotFoundError, RancherctlError
from rancherctl.events import Emit, Event, ignore
from rancherctl.kube.client import CONFIGMAPS, Json, Resource
from rancherctl.kube.kinds import Kinds
from rancherctl.kube.manifests import (
    ROLES,
    Inventory,
    ObjectId,
    difference,
    identity,
    inventory_ids,
    inventory_object,
    owned,
    owner,
    settled,
    surplus_rules,
    widened,
)

MANAGER = "rancherctl"
PHASE = "objects"
PARALLEL = 8
"""Questions to the API at once while planning."""


class Objects(Protocol):
    """The part of a KubeClient that this module needs; both transports have it."""

    def get(self, resource: Resource, name: str, *, namespace: str = "", timeout: float = 10.0) -> Json:
        """One object."""

    def apply(
        self,
        resource: Resource,
        body: Json,
        *,
        manager: str,
        force: bool = True,
        dry_run: bool = False,
        subresource: str = "",
        timeout: float = 10.0,
    ) -> Json:
        """Server-side apply."""

    def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str = "",
        options: Mapping[str, Any] | None = None,
        timeout: float = 10.0,
    ) -> None:
        """Delete one object."""

    def raw(self, method: str, path: str, *, body: bytes | None = None, timeout: float = 10.0) -> bytes:
        """A plain request, for discovery."""


def plan(
    client: Objects,
    objects: Iterable[Json],
    inventory: Inventory | None,
    *,
    manager: str = MANAGER,
    grow: bool = False,
    force: bool = True,
) -> Plan[Json]:
    """What ``apply`` would change. Keys are ObjectId.key. A server-side dry run makes defaults no difference.

    The inventory is an object of the plan like the others; without one nothing is ever pruned. With ``grow`` nothing is
    removed:
    no object is deleted and no role loses a rule (``surplus`` plans that). ConflictError if another manager owns a
    field,
    unless ``force``. InvalidInputError names objects that occur twice or have no name.
    """
    kinds = Kinds(client)
    wanted = _by_id(owned(obj, inventory) if inventory else obj for obj in objects)
    with ThreadPoolExecutor(max_workers=PARALLEL, thread_name_prefix="objects") as pool:
        found = pool.map(lambda i: _change(client, kinds, i, wanted[i], manager, grow=grow, force=force), wanted)
        changes = [change for change in found if change]
    if inventory:
        changes += _inventory_changes(client, kinds, wanted, inventory, grow=grow)
    return Plan(tuple(sorted(changes, key=lambda c: c.key)))


def surplus(client: Objects, objects: Iterable[Json], inventory: Inventory) -> Plan[Json]:
    """What ``plan`` with ``grow`` leaves in the API: unwanted objects, roles with unwanted rules, the inventory."""
    kinds = Kinds(client)
    wanted = _by_id(owned(obj, inventory) for obj in objects)

    def narrower(i: ObjectId) -> Change[Json] | None:
        live = _get(client, kinds, wanted[i])
        if live is None or not surplus_rules(live, wanted[i]):
            return None
        return Change(i.key, live, wanted[i], "rules that are no longer needed")

    with ThreadPoolExecutor(max_workers=PARALLEL, thread_name_prefix="objects") as pool:
        changes = [change for change in pool.map(narrower, (i for i in wanted if i.kind in ROLES)) if change]
    stored = _get(client, kinds, inventory_object(inventory, ()))
    if _unwanted(_remembered(stored, inventory), wanted.keys()):
        changes += _inventory_changes(client, kinds, wanted, inventory)
    return Plan(tuple(sorted(changes, key=lambda c: c.key)))


def first_plan(objects: Iterable[Json], inventory: Inventory | None) -> Plan[Json]:
    """The plan for an API that is not there yet: everything is new. Pure."""
    wanted = _by_id(owned(obj, inventory) if inventory else obj for obj in objects)
    listed = [inventory_object(inventory, wanted)] if inventory else []
    return Plan(
        tuple(
            sorted((Change(identity(obj).key, None, obj) for obj in (*wanted.values(), *listed)), key=lambda c: c.key)
        )
    )


def _inventory_changes(
    client: Objects, kinds: Kinds, wanted: Mapping[ObjectId, Json], inventory: Inventory, *, grow: bool = False
) -> list[Change[Json]]:
    """Objects of the inventory that are no longer wanted, and the inventory itself."""
    stored = _get(client, kinds, inventory_object(inventory, ()))
    remembered = _remembered(stored, inventory)
    changes = []
    for i in () if grow else _unwanted(remembered, wanted.keys()):
        live = _get(client, kinds, i.stub())
        if live is not None and owner(live) == inventory.key:
            changes.append(Change(i.key, live, None, "no longer wanted"))
    listed = remembered.union(wanted) if grow else frozenset(wanted)
    new = inventory_object(inventory, listed)
    if stored is None or remembered != listed:
        changes.append(Change(identity(new).key, stored, new, "the set of objects"))
    return changes


def _remembered(stored: Json | None, inventory: Inventory) -> frozenset[ObjectId]:
    """What the inventory lists; RancherctlError if that cannot be read."""
    try:
        return inventory_ids(stored or {})
    except (ValueError, TypeError) as e:
        what = f"the inventory ConfigMap {inventory.key} cannot be read"
        raise RancherctlError(what, why=str(e), hint="nothing is pruned by guesswork: repair or delete it") from e


def apply(
    client: Objects,
    todo: Plan[Json],
    inventory: Inventory | None,
    *,
    manager: str = MANAGER,
    force: bool = True,
    emit: Emit = ignore,
) -> None:
    """Execute a plan: inventory of old and new objects (interruptions lose none), creates, deletes, final inventory."""
    kinds = Kinds(client)
    place = identity(inventory_object(inventory, ())).key if inventory else ""
    final = next((c for c in todo if c.key == place), None)
    first: list[Change[Json]] = []
    if inventory and final is not None and final.new is not None:
        union = inventory_ids(final.old or {}) | inventory_ids(final.new)
        first = _ensure_namespace(client, todo, inventory, manager, emit)
        client.apply(CONFIGMAPS, inventory_object(inventory, union), manager=manager)
    rest = [c for c in todo if c is not final and c not in first]
    for change in rest:
        if change.new is not None:
            client.apply(kinds.find(change.new), change.new, manager=manager, force=force)
            _tell(emit, change)
    for change in reversed(rest):
        if change.new is None and change.old is not None:
            _delete(client, kinds, change.old)
            _tell(emit, change)
    if final is not None and final.new is not None:
        client.apply(CONFIGMAPS, final.new, manager=manager)


def _ensure_namespace(
    client: Objects, todo: Plan[Json], inventory: Inventory, manager: str, emit: Emit
) -> list[Change[Json]]:
    """The inventory's own namespace may be one of the objects: it goes before the inventory."""
    own = [
        c
        for c in todo
        if c.new is not None and c.new.get("kind") == "Namespace" and c.new["metadata"]["name"] == inventory.namespace
    ]
    for change in own:
        assert change.new is not None
        client.apply(Kinds(client).find(change.new), change.new, manager=manager)
        _tell(emit, change)
    return own


def _by_id(objects: Iterable[Json]) -> dict[ObjectId, Json]:
    out: dict[ObjectId, Json] = {}
    problems = []
    for obj in objects:
        i = identity(obj)
        if not i.name or not i.kind or not i.api_version:
            problems.append(f"{i.kind or 'object'} {i.name!r}: apiVersion, kind and metadata.name are needed")
        elif i in out:
            problems.append(f"{i.kind} {i.namespace}/{i.name}: given twice")
        out[i] = obj
    if problems:
        raise InvalidInputError("objects that cannot be applied", problems)
    return out


def _unwanted(remembered: frozenset[ObjectId], wanted: Iterable[ObjectId]) -> list[ObjectId]:
    """Compared without versions: an object that moved from v1beta1 to v1 is the same object."""
    kept = {i.key for i in wanted}
    return sorted((i for i in remembered if i.key not in kept), key=lambda i: i.key)


def _change(
    client: Objects, kinds: Kinds, i: ObjectId, obj: Json, manager: str, *, grow: bool, force: bool
) -> Change[Json] | None:
    live = _get(client, kinds, obj)
    if live is None:
        return Change(i.key, None, obj)
    if grow:
        obj = widened(obj, live)
    after = client.apply(kinds.find(obj), obj, manager=manager, force=force, dry_run=True)
    where = difference(settled(live), settled(after))
    return Change(i.key, live, obj, where) if where else None


def _get(client: Objects, kinds: Kinds, obj: Json) -> Json | None:
    """The live object; None if it, its namespace or its kind is not there."""
    i = identity(obj)
    try:
        return client.get(kinds.find(obj), i.name, namespace=i.namespace)
    except NotFoundError:
        return None


def _delete(client: Objects, kinds: Kinds, old: Json) -> None:
    meta = old["metadata"]
    options = {"preconditions": {"uid": meta["uid"]}, "propagationPolicy": "Background"}
    try:
        client.delete(kinds.find(old), meta["name"], namespace=meta.get("namespace", ""), options=options)
    except NotFoundError:
        return  # somebody else was faster


def _tell(emit: Emit, change: Change[Json]) -> None:
    done = {"create": "created", "update": "updated", "delete": "deleted"}[change.verb]
    emit(
        Event(
            PHASE,
            f"{done} {change.key.partition(' ')[2]}" + (f" ({change.why})" if change.why else ""),
            state="progress",
        )
    )
