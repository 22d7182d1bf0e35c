"""Sets of objects as values: identity, creation order, differences, the inventory's content. Pure: no I/O."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rancherctl.contract import INVENTORY_ANNOTATION
from rancherctl.kube.client import Json

OWNER = INVENTORY_ANNOTATION
"""Annotation of objects of an inventory: ``namespace/name`` of the inventory. Objects without it are never pruned."""
ORDER = (
    "Namespace",
    "CustomResourceDefinition",
    "PriorityClass",
    "StorageClass",
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ConfigMap",
    "Secret",
    "Service",
    "IngressClass",
)
"""Kinds that others need come first; every other kind after these; deletes go the other way round."""
ROLES = ("Role", "ClusterRole")
VOLATILE = ("managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink")


@dataclass(frozen=True, slots=True)
class Inventory:
    """The ConfigMap that remembers which objects were applied together."""

    namespace: str
    name: str

    @property
    def key(self) -> str:
        """``namespace/name``."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class ObjectId:
    """What stays when everything else of an object changes; the version may move."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @property
    def group(self) -> str:
        """The API group, "" = core."""
        return self.api_version.rpartition("/")[0]

    @property
    def key(self) -> str:
        """Sort key and name in plans: order of creation, then ``Kind.group/namespace/name``."""
        rank = ORDER.index(self.kind) if self.kind in ORDER else len(ORDER)
        group = f".{self.group}" if self.group else ""
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{rank:02} {self.kind}{group}/{place}"

    def stub(self) -> Json:
        """An object with this identity and nothing else."""
        meta = {"name": self.name} | ({"namespace": self.namespace} if self.namespace else {})
        return {"apiVersion": self.api_version, "kind": self.kind, "metadata": meta}


def identity(obj: Mapping[str, Any]) -> ObjectId:
    """The id of an object."""
    meta = obj.get("metadata") or {}
    return ObjectId(
        str(obj.get("apiVersion", "")),
        str(obj.get("kind", "")),
        str(meta.get("namespace") or ""),
        str(meta.get("name") or ""),
    )


def owned(obj: Json, inventory: Inventory) -> Json:
    """The object with the inventory's annotation."""
    meta = obj.get("metadata") or {}
    return {**obj, "metadata": {**meta, "annotations": {**(meta.get("annotations") or {}), OWNER: inventory.key}}}


def owner(obj: Mapping[str, Any]) -> str:
    """The inventory that an object belongs to, "" = none."""
    return str(((obj.get("metadata") or {}).get("annotations") or {}).get(OWNER, ""))


def surplus_rules(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Any]:
    """Rules of a live Role or ClusterRole that the wanted one does not have; none for other kinds."""
    if wanted.get("kind") not in ROLES:
        return []
    return [rule for rule in live.get("rules") or () if rule not in (wanted.get("rules") or ())]


def widened(wanted: Json, live: Mapping[str, Any]) -> Json:
    """The wanted object, a role with the live one's other rules beside its own: applying it takes no right away."""
    surplus = surplus_rules(live, wanted)
    return {**wanted, "rules": [*(wanted.get("rules") or ()), *surplus]} if surplus else wanted


def settled(obj: Json) -> Json:
    """The object without what the server changes by itself and without status: what two versions are compared by."""
    meta = {k: v for k, v in (obj.get("metadata") or {}).items() if k not in VOLATILE}
    return {k: v for k, v in obj.items() if k != "status"} | {"metadata": meta}


def inventory_object(inventory: Inventory, ids: Iterable[ObjectId]) -> Json:
    """The ConfigMap, sorted, so that equal sets are equal objects."""
    rows = sorted([i.api_version, i.kind, i.namespace, i.name] for i in set(ids))
    meta = {
        "name": inventory.name,
        "namespace": inventory.namespace,
        "labels": {"app.kubernetes.io/managed-by": "rancherctl"},
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"objects": json.dumps(rows)}}


def inventory_ids(obj: Mapping[str, Any]) -> frozenset[ObjectId]:
    """What the ConfigMap lists. ValueError when it cannot be read: then nothing may be pruned."""
    rows = json.loads((obj.get("data") or {}).get("objects", "[]"))
    return frozenset(ObjectId(*(str(part) for part in row)) for row in rows)


def difference(old: Any, new: Any, path: str = "") -> str:
    """The first field that differs, as ``a.b[0].c``, "" = none."""
    if isinstance(old, dict) and isinstance(new, dict):
        for k in sorted(old.keys() | new.keys(), key=str):
            if k not in old or k not in new:
                return f"{path}.{k}".lstrip(".")
            if found := difference(old[k], new[k], f"{path}.{k}"):
                return found
        return ""
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return next(
            (
                found
                for i, (a, b) in enumerate(zip(old, new, strict=True))
                if (found := difference(a, b, f"{path}[{i}]"))
            ),
            "",
        )
    return "" if old == new else path.lstrip(".") or "."
