"""What commands about load-balanced objects share: find one by name, read the roster, set a scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from rancherctl.contract import SCALE_ANNOTATION
from rancherctl.errors import NotFoundError, RancherctlError, UsageError
from rancherctl.ingress.annotations.table import MAX_SCALE, SCALE
from rancherctl.kube.objects import Meta
from rancherctl.text import did_you_mean


class Object(Protocol):
    """An Ingress or a Service."""

    @property
    def meta(self) -> Meta: ...


Found = TypeVar("Found", bound=Object)


def find(objects: Mapping[str, Found], name: str, namespace: str, *, plural: str, missing: str, listing: str) -> Found:
    """The object ``NAME`` or ``NAMESPACE/NAME`` among ``objects``, which are by ``namespace/name``.

    NotFoundError with the most similar name, else the command ``listing``; its message is ``missing`` with the name in
    place of ``{}``. UsageError if several match, or if the name cannot be one; ``plural`` names the kind.
    """
    check_name(name, namespace)
    key = name if "/" in name else f"{namespace}/{name}" if namespace else ""
    matching = [o for o in objects.values() if (o.meta.key == key if key else o.meta.name == name)]
    if len(matching) > 1:
        where = ", ".join(sorted(o.meta.namespace for o in matching))
        raise UsageError(
            f"several {plural} are named {name}",
            why=f"they are in the namespaces {where}",
            hint="use NAMESPACE/NAME, or -n NAMESPACE",
        )
    if not matching:
        known = objects if key else (o.meta.name for o in objects.values())
        raise NotFoundError(missing.format(key or name), hint=did_you_mean(key or name, known) or listing)
    return matching[0]


def check_name(name: str, namespace: str) -> None:
    """UsageError if ``name`` is neither NAME nor NAMESPACE/NAME, or names another namespace than ``namespace``."""
    parts = name.split("/")
    if len(parts) > 2 or not all(part.strip() for part in parts):
        raise UsageError(
            f"invalid name: {name!r}",
            why="it must be NAME or NAMESPACE/NAME" if name.strip() else "it is empty",
            hint="" if name.strip() else "a variable of a script may be empty",
        )
    if namespace and len(parts) == 2 and parts[0] != namespace:
        raise UsageError(
            f"{name} is not in the namespace {namespace}",
            why=f"the name says namespace {parts[0]}, -n says {namespace}",
            hint="give the namespace once",
        )


def unreadable_roster(hosts: str, error: ValueError) -> RancherctlError:
    """The error for a roster (of these ``hosts``) whose text cannot be parsed."""
    return RancherctlError(
        f"cannot read the roster of {hosts}",
        why=str(error),
        hint="the controller rewrites it within seconds; try again",
    )


def checked_scale(number: int, what: str, hint: str = "") -> int:
    """``number`` itself; UsageError if an object cannot have that many of ``what`` (instances, addresses).

    ``hint``: how an object gets none.
    """
    if not 1 <= number <= MAX_SCALE:
        why = f"it must be from 1 to {MAX_SCALE}"
        raise UsageError(f"invalid number of {what}: {number}", why=why, hint="" if number else hint)
    return number


def scale_patch(target: Object, number: int) -> dict[str, Any]:
    """The patch that sets the scale in the annotation that the object already uses."""
    return {"metadata": {"annotations": {_scale_name(target): str(number)}}}


def written_scale(target: Object) -> str:
    """What that annotation says now; "" if the object has none."""
    return target.meta.annotations.get(_scale_name(target), "")


def _scale_name(target: Object) -> str:
    return SCALE_ANNOTATION if SCALE_ANNOTATION in target.meta.annotations else SCALE
