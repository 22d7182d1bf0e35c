"""A Snapshot is the watch cache's content at one moment, immutable: pure code downstream reads nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Table(Generic[T]):
    """All objects of one kind, keyed ``namespace/name`` (``name`` for cluster-wide kinds).

    ``synced`` is False until the first full list. ``healthy``: whether the watch is live; if not, items may be old.
    ``resource_version`` is the last one seen; ``epoch`` counts full lists.
    """

    items: Mapping[str, T] = field(default_factory=dict)
    synced: bool = False
    healthy: bool = False
    resource_version: str = ""
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Tables by registered name (``services``, ``ingresses`` …) and a number that grows with every change."""

    tables: Mapping[str, Table[Any]] = field(default_factory=dict)
    number: int = 0

    def table(self, name: str) -> Table[Any]:
        """The table called ``name``; an unsynced empty one if it is not there."""
        return self.tables.get(name) or Table()

    @property
    def synced(self) -> bool:
        """Whether every table has been listed at least once."""
        return all(t.synced for t in self.tables.values())

    @property
    def healthy(self) -> bool:
        """Whether every table's watch is live."""
        return all(t.healthy for t in self.tables.values())
