"""Results of commands as values, ready for every ``-o`` format. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

API_VERSION: Final = "rancherctl.io/v1alpha1"

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: title, and the cell's text from an item: a key (dots walk down) or a function. ``wide`` columns show with ``-o wide`` only."""

    title: str
    value: str | Callable[[Item], object]
    wide: bool = False

    def cell(self, item: Item) -> str:
        """The text of the cell; None and empty lists show as ``-``, lists are joined by commas."""
        value = _walk(item, self.value) if isinstance(self.value, str) else self.value(item)
        return show(value)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a part of the result is missing: ``where`` (host, member), ``what`` one line."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Many things of one kind. ``kind`` is that of one item (the envelope adds List); ``name`` gives the text of ``-o name``."""

    kind: str
    items: Sequence[Item]
    columns: tuple[Column, ...]
    name: str | Callable[[Item], str] = "name"
    failures: tuple[Failure, ...] = ()
    empty: str = ""
    """What to say on standard error when there is nothing to list."""
    trouble: str = "could not be read"
    """What is wrong with the places in ``failures``."""
    hint: str = ""
    """What to do about them."""


@dataclass(frozen=True, slots=True)
class Record:
    """One thing. ``text`` is the human form (lines, "" for none); where it is None ``item`` is shown as ``key: value`` lines."""

    kind: str
    item: Item
    text: str | None = None
    name: str = ""
    failures: tuple[Failure, ...] = ()
    trouble: str = "could not be read"
    hint: str = ""


Result = Listing | Record


def show(value: object) -> str:
    """A cell's text: yes/no for booleans, ``-`` for nothing, commas between the parts of a list, k=v for mappings."""
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
