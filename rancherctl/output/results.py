"""Results of commands as values, ready for every ``-o`` format. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: title, and where the cell comes from.

    A key of the item (``a.b`` for nested ones) or a function of it.

    ``wide`` columns are shown with ``-o wide`` only.
    """

    title: str
    value: str | Callable[[Item], object]
    wide: bool = False

    def cell(self, item: Item) -> str:
        """The text of the cell."""
        value = _walk(item, self.value) if isinstance(self.value, str) else self.value(item)
        return cell_text(value)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a part of the result is missing: ``where`` (host, member), ``what`` (one line)."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Items of one kind.

    ``kind`` is that of one item (the envelope appends List); ``name`` gives the text of ``-o name``.
    """

    kind: str
    items: Sequence[Item]
    columns: tuple[Column, ...]
    name: str | Callable[[Item], str] = "name"
    failures: tuple[Failure, ...] = ()
    empty: str = ""
    """Message on standard error if there are no items."""
    trouble: str = "could not be read"
    """Predicate of the error message: ``h1, h2 could not be read``."""
    hint: str = ""
    """What to do about the failures."""


@dataclass(frozen=True, slots=True)
class Record:
    """One item. ``text`` is the form for people, "" for none; None shows ``item`` as ``key: value`` lines."""

    kind: str
    item: Item
    text: str | None = None
    name: str = ""
    failures: tuple[Failure, ...] = ()
    trouble: str = "could not be read"
    hint: str = ""


Result = Listing | Record


def cell_text(value: object) -> str:
    """A cell's text: yes or no for booleans, ``-`` for empty values, ``a,b`` for lists, ``k=v`` for mappings."""
    if value is None or value == "" or (isinstance(value, (list, tuple, dict, frozenset)) and not value):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ",".join(f"{k}={v}" for k, v in sorted(value.items()))
    if isinstance(value, (list, tuple)):
        return ",".join(str(part) for part in value)
    return str(value)


def _walk(item: Item, path: str) -> object:
    value: object = item
    for key in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value
