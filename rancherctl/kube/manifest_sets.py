"""Named sets of manifests: plan, apply and remove them.

A ConfigMap per set remembers its objects, so that those that leave it are deleted.

Any kind that the API serves may be in a set. What is deleted is checked against the set's annotation first, as in
kube.apply.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from rancherctl.change import Plan
from rancherctl.errors import InvalidInputError, NotFoundError, RefusedError
from rancherctl.events import Emit, ignore
from rancherctl.hold import is_mass_loss
from rancherctl.kube import apply as objects
from rancherctl.kube.apply import Objects
from rancherctl.kube.client import CONFIGMAPS, Json, Resource
from rancherctl.kube.manifests import Inventory, identity, inventory_ids
from rancherctl.names import is_dns_label

MANAGER: Final = "rancherctl-manifests"
"""Field manager of server-side apply: not the one of the environment's own objects."""
PREFIX: Final = "rancherctl-manifests-"
MAX_NAME: Final = 40
FEW: Final = 3
"""A plan that deletes more objects than this, and more than 30 % of its set, needs permission."""


def inventory_of(name: str, namespace: str) -> Inventory:
    """The inventory of the set ``name``; InvalidInputError for names that Kubernetes does not allow."""
    problems = []
    if not is_dns_label(name) or len(name) > MAX_NAME:
        problems.append(f"set {name!r}: use up to {MAX_NAME} characters a-z, 0-9 and -, not - at either end")
    if not is_dns_label(namespace):
        problems.append(f"namespace {namespace!r}: use up to 63 characters a-z, 0-9 and -, not - at either end")
    if problems:
        raise InvalidInputError("invalid name", problems)
    return Inventory(namespace, PREFIX + name)


def with_namespace(manifests: Iterable[Json], namespace: str, find: Callable[[str, str], Resource]) -> tuple[Json, ...]:
    """The manifests, with ``namespace`` in namespaced objects that have none.

    ``find`` discovers a kind by apiVersion and kind. A kind that the API does not serve yet (its
    CustomResourceDefinition may be in the same set) must say its namespace itself.
    """

    def complete(obj: Json) -> Json:
        i = identity(obj)
        if i.namespace or not i.kind or not i.api_version:
            return obj
        try:
            namespaced = find(i.api_version, i.kind).namespaced
        except NotFoundError:
            return obj
        return {**obj, "metadata": {**(obj.get("metadata") or {}), "namespace": namespace}} if namespaced else obj

    return tuple(complete(obj) for obj in manifests)


def plan_set(
    client: Objects,
    manifests: Sequence[Json],
    inventory: Inventory,
    *,
    force: bool = False,
    allow_deletes: bool = False,
) -> Plan[Json]:
    """What ``apply_set`` would change.

    ConflictError if another field manager owns a field, unless ``force``. RefusedError if many objects of the set
    would be deleted, unless ``allow_deletes``.
    """
    planned = objects.plan(client, manifests, inventory, manager=MANAGER, force=force)
    lost = planned.counts()["delete"]
    if lost and not allow_deletes:
        existing = len(inventory_ids(_stored(client, inventory) or {}))
        if is_mass_loss(lost, existing, floor=FEW):
            raise RefusedError(
                f"{_name(inventory)}: refusing to delete {lost} of {existing} objects",
                why="they are in the set, but not in the given files",
                hint="check the files and the name of the set, then allow it with --allow-deletes",
            )
    return planned


def apply_set(
    client: Objects, planned: Plan[Json], inventory: Inventory, *, force: bool = False, emit: Emit = ignore
) -> None:
    """Carry out a plan of ``plan_set``."""
    objects.apply(client, planned, inventory, manager=MANAGER, force=force, emit=emit)


def plan_removal(client: Objects, inventory: Inventory) -> Plan[Json]:
    """The deletion of all objects of a set; NotFoundError if the set does not exist."""
    if _stored(client, inventory) is None:
        raise NotFoundError(
            f"{_name(inventory)} not found in namespace {inventory.namespace}",
            hint="check the name and --namespace of the set",
        )
    return objects.plan(client, (), inventory, manager=MANAGER)


def remove_set(client: Objects, planned: Plan[Json], inventory: Inventory, *, emit: Emit = ignore) -> None:
    """Carry out a plan of ``plan_removal``, and remove the set's ConfigMap."""
    objects.apply(client, planned, inventory, manager=MANAGER, emit=emit)
    client.delete(CONFIGMAPS, inventory.name, namespace=inventory.namespace)


def _stored(client: Objects, inventory: Inventory) -> Json | None:
    try:
        return client.get(CONFIGMAPS, inventory.name, namespace=inventory.namespace)
    except NotFoundError:
        return None


def _name(inventory: Inventory) -> str:
    return f"set {inventory.name.removeprefix(PREFIX)}"
