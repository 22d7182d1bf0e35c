"""What the publisher must not forget: names it may have written, and objects whose names are to be deleted. Pure.

The zone's markers are the truth. The inventory finds names that cannot be listed, and keeps tombstones until their
names are gone, so that an object can go while the DNS provider is away.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Inventory:
    """``names``: name → object, only kept for a zone that cannot be listed. ``tombstones``: objects."""

    names: Mapping[str, str] = field(default_factory=dict)
    tombstones: frozenset[str] = frozenset()

    def to_json(self) -> str:
        """Names by object: a Service's names differ at their end only by place."""
        by_object: dict[str, list[str]] = {}
        for name in sorted(self.names):
            by_object.setdefault(self.names[name], []).append(name)
        return json.dumps({"names": by_object, "tombstones": sorted(self.tombstones)}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Inventory:
        """Raises ValueError if the text is not an inventory."""
        content: Any = json.loads(text)
        try:
            names = {str(name): str(owner) for owner, found in content["names"].items() for name in found}
            return cls(names, frozenset(map(str, content["tombstones"])))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not an inventory of public names: {error!r}") from error


class InventoryStore(Protocol):
    """Where the inventory is kept. Errors pass through: without it, nothing is written to the zone."""

    def load(self) -> Inventory: ...
    def save(self, inventory: Inventory) -> None: ...


class MemoryInventory:
    """An inventory that ends with the process; tests use it."""

    def __init__(self) -> None:
        self.content = Inventory()

    def load(self) -> Inventory:
        """The last content that was saved."""
        return self.content

    def save(self, inventory: Inventory) -> None:
        """Keep ``inventory``."""
        self.content = inventory
