"""Rights (RBAC) as values, and the rules of a role that grant them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rancherctl.kube.client import Json
from rancherctl.kube.tables import TableSpec

READ = ("get", "list", "watch")
_BY_NAME = "metadata.name="


@dataclass(frozen=True, slots=True)
class Right:
    """What may be done with one resource. ``names`` () = all objects; ``namespace`` "" = everywhere."""

    group: str
    resource: str
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()
    namespace: str = ""


def reading(table: TableSpec) -> Right:
    """The right to watch a table: only its namespace, and only the object that its field selector names."""
    selector = table.field_selector
    names = (selector.removeprefix(_BY_NAME),) if selector.startswith(_BY_NAME) else ()
    return Right(table.resource.group, table.resource.plural, READ, names, table.namespace)


def rules(rights: Iterable[Right], namespace: str = "") -> list[Json]:
    """The rules that grant the rights of ``namespace`` ("" = cluster-wide), joined where they are alike.

    Resources and verbs keep the order in which they are first named, so that a new right is added at the end.
    """
    verbs: dict[tuple[str, str, tuple[str, ...]], dict[str, None]] = {}
    for right in rights:
        if right.namespace == namespace:
            verbs.setdefault((right.group, right.resource, right.names), {}).update(dict.fromkeys(right.verbs))
    alike: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for (group, resource, names), allowed in verbs.items():
        alike.setdefault((group, tuple(allowed), names), []).append(resource)
    return [rule(group, tuple(resources), allowed, names) for (group, allowed, names), resources in alike.items()]


def rule(group: str, resources: tuple[str, ...], verbs: tuple[str, ...], names: tuple[str, ...] = ()) -> Json:
    """One rule of a role."""
    out: Json = {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}
    if names:
        out["resourceNames"] = list(names)
    return out
