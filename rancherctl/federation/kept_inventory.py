"""KeptInventory: the publisher's inventory, which is saved before what it says is relied on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from rancherctl.federation.inventory import Inventory, InventoryStore
from rancherctl.federation.known_zone import KnownZone
from rancherctl.federation.zone_plan import ZonePlan


class KeptInventory:
    """``load`` comes first. Errors of the store pass through; nothing has changed then."""

    def __init__(self, store: InventoryStore) -> None:
        self._store = store
        self._content: Inventory | None = None

    @property
    def content(self) -> Inventory:
        """What is stored."""
        assert self._content is not None
        return self._content

    @property
    def tombstones(self) -> frozenset[str]:
        """Those that are known to be saved."""
        return self._content.tombstones if self._content is not None else frozenset()

    def load(self) -> None:
        """Load it, unless it is known."""
        if self._content is None:
            self._content = self._store.load()

    def drop(self) -> None:
        """Load it again before it is used: the stored one may be another process's by now."""
        self._content = None

    def add_tombstones(self, gone: frozenset[str]) -> None:
        """Save tombstones of these objects beside the others."""
        if not gone <= self.content.tombstones:
            self._save(replace(self.content, tombstones=self.content.tombstones | gone))

    def keep_tombstones(self, gone: frozenset[str], there: Collection[str], zone: KnownZone) -> frozenset[str]:
        """The objects whose names go: ``gone``, and saved ones that are not ``there`` again. Saves them."""
        known = zone.present() | set(self.content.names.values())
        left = ((self.content.tombstones | gone) - frozenset(there)) & known
        if left != self.content.tombstones:
            self._save(replace(self.content, tombstones=left))
        return left

    def remember(self, plan: ZonePlan) -> None:
        """Save the names of a zone that cannot be listed before they are written."""
        new = {c.key: c.new.marker.object for c in plan.changes if c.new is not None and c.new.marker is not None}
        if not new.items() <= self.content.names.items():
            self._save(replace(self.content, names={**self.content.names, **new}))

    def clean(self, zone: KnownZone) -> None:
        """Take out names that are not in the zone, and tombstones that are done."""
        names = {name: target for name, target in self.content.names.items() if name in zone.names}
        left = Inventory(names, self.content.tombstones & zone.present())
        if left != self.content:
            self._save(left)

    def clear(self) -> None:
        """Forget everything: the zone has nothing of the federation."""
        if self.content != Inventory():
            self._save(Inventory())

    def _save(self, inventory: Inventory) -> None:
        self._store.save(inventory)
        self._content = inventory
