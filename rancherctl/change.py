"""Plans as values: sorted changes with old and new, counts, and a digest.

Every domain plans with these types (hosts, Kubernetes objects, DNS records, load balancers). Not here: applying a
change (each domain's apply) and showing it (output).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

T = TypeVar("T")
Verb = Literal["create", "update", "delete"]


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """One change of the thing named ``key``: ``old`` is None for a create, ``new`` is None for a delete.

    ``why`` is one line for the reader (which field differs, what requires it).
    """

    key: str
    old: T | None
    new: T | None
    why: str = ""

    @property
    def verb(self) -> Verb:
        """``create``, ``update`` or ``delete``, depending on which sides are present."""
        if self.old is None:
            return "create"
        return "delete" if self.new is None else "update"


@dataclass(frozen=True, slots=True)
class Unknown:
    """A place that could not be read, so its plan has no deletes; ``where`` names it, ``why`` is one line."""

    where: str
    why: str


@dataclass(frozen=True, slots=True)
class Plan(Generic[T]):
    """Changes sorted by key, and what could not be read. False if there is nothing to do."""

    changes: tuple[Change[T], ...] = ()
    unknown: tuple[Unknown, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changes)

    def __len__(self) -> int:
        return len(self.changes)

    def __iter__(self) -> Iterator[Change[T]]:
        return iter(self.changes)

    def counts(self) -> dict[Verb, int]:
        """Number of changes by verb; always has all three keys."""
        out: dict[Verb, int] = {"create": 0, "update": 0, "delete": 0}
        for change in self.changes:
            out[change.verb] += 1
        return out

    def digest(self) -> str:
        """Twelve hex digits that are equal for equal plans (of values with a stable repr)."""
        text = repr((self.changes, self.unknown))
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def diff(
    have: Mapping[str, T],
    want: Mapping[str, T],
    *,
    unknown: Iterable[Unknown] = (),
    same: Callable[[T, T], bool] | None = None,
    why: Callable[[T, T], str] | None = None,
) -> Plan[T]:
    """The sorted plan from ``have`` to ``want``, without deletes if anything is ``unknown``.

    ``diff(x, x)`` is empty.
    """
    unread = tuple(sorted(unknown, key=lambda u: u.where))
    equal: Callable[[Any, Any], bool] = same or (lambda a, b: a == b)
    changes: list[Change[T]] = []
    for key in sorted(have.keys() | want.keys()):
        old, new = have.get(key), want.get(key)
        if old is None or new is None:
            if new is not None or not unread:
                changes.append(Change(key, old, new))
        elif not equal(old, new):
            changes.append(Change(key, old, new, why(old, new) if why else ""))
    return Plan(tuple(changes), unread)
