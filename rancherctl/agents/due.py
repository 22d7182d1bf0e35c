"""Due: whether a controller has something to compute. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rancherctl.kube.snapshot import Snapshot

Items = tuple[Mapping[str, Any], ...]


class Due:
    """A controller is due if one of its ``tables`` changed since its last call, or if the time that it set has come.

    Other tables of the process (Leases) change many times a second.
    """

    def __init__(self, tables: Sequence[str]) -> None:
        self._tables = tuple(tables)
        self._seen: Items = ()
        self._at: float | None = None

    def items(self, snapshot: Snapshot) -> Items:
        """The objects of each table."""
        return tuple(snapshot.table(name).items for name in self._tables)

    def now(self, items: Items, now: float) -> bool:
        """Whether to compute with these objects at this time."""
        changed = len(self._seen) != len(items) or any(a is not b for a, b in zip(items, self._seen, strict=True))
        return changed or (self._at is not None and now >= self._at)

    def done(self, items: Items, at: float | None) -> None:
        """All was computed for these objects; the next time is ``at`` unless one of them changes (None = no time)."""
        self._seen, self._at = items, at
