"""ZoneKeeper: make a public zone what a wish says: read it, become its writer, apply plans. For one thread.

It writes the zone marker with a new epoch, and every write requires that epoch: the DNS server refuses a process that
was the leader before. Nothing is sent while nothing differs, except for an audit every hour.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from typing import Final

from rancherctl.errors import ConflictError, RancherctlError
from rancherctl.federation import names
from rancherctl.federation.dns_state import DnsState
from rancherctl.federation.inventory import InventoryStore
from rancherctl.federation.kept_inventory import KeptInventory
from rancherctl.federation.known_zone import KnownZone
from rancherctl.federation.model import FederationSettings
from rancherctl.federation.ownership import Epoch, Owner
from rancherctl.federation.providers.base import DnsProvider, Fence, Outcome, Result, StaleFenceError
from rancherctl.federation.records import Desired
from rancherctl.federation.wish import Wish, WishMemory
from rancherctl.federation.zone_plan import ZonePlan, zone_plan
from rancherctl.text import plural

log = logging.getLogger(__name__)
AUDIT_SECONDS: Final = 3600.0
ROUNDS: Final = 2
"""Plans applied in one step: the second one is for aliases that the server left out beside records of others."""


class PublishError(RancherctlError):
    """Some changes were not applied, or it is not known whether they were; the next try reads the zone first."""

    retryable = True


class ZoneKeeper:
    """``gate`` raises if this process does not lead; it is called before each write. ``report`` gets each new state."""

    def __init__(
        self,
        settings: FederationSettings,
        provider: DnsProvider,
        *,
        gate: Callable[[], object],
        store: InventoryStore,
        report: Callable[[DnsState], None],
        clock: Callable[[], float],
        choose: random.Random,
    ) -> None:
        self._settings, self._provider = settings, provider
        self._gate, self._report, self._clock, self._choose = gate, report, clock, choose
        self._owner = Owner(settings.name, settings.uid).text
        self._fence_name = names.fence_name(settings.name, settings.zone)
        self._inventory = KeptInventory(store)
        self._memory = WishMemory(settings, clock)
        self._zone: KnownZone | None = None
        self._fence: Fence | None = None
        self._audit_at = 0.0

    @property
    def tombstones(self) -> frozenset[str]:
        """Objects whose names go, as far as that is saved."""
        return self._inventory.tombstones

    def update(self, wish: Wish, adopt: frozenset[str], *, force: bool) -> float:
        """Make the zone what the wish says, as leader. Returns the seconds until the next audit or timer.

        ``adopt``: names whose unmarked records are taken over. ``force``: orphans are deleted, too.
        """
        self._observe(wish)
        return self._publish(wish, adopt, force=force)

    def give_up(self, wish: Wish) -> None:
        """Delete what this federation has in the zone, the zone marker last. ``wish``: which names it may have."""
        self._observe(wish)
        assert self._zone is not None
        plan = zone_plan(self._zone.view(), Desired({}, {}), self._owner, force=True)
        if plan.changes and (failed := self._apply(plan)):
            self._zone = None
            raise _failure(self._settings.zone, failed)
        self._gate()
        result = self._provider.claim(self._fence_name, self._zone.epoch, "")
        self._zone = None
        if result.outcome is not Outcome.DONE:
            what = f"the marker of zone {self._settings.zone} could not be removed"
            raise PublishError(what, why=result.why, hint=result.hint)
        self._fence = None
        self._inventory.clear()
        self._report(DnsState(read=True, released=True))
        log.info("removed all names and the marker from zone %s", self._settings.zone)

    def failed(self, error: RancherctlError) -> None:
        """The last call ended with this error: forget what may not be so any more."""
        if isinstance(error, ConflictError):
            self._inventory.drop()
        elif not isinstance(error, PublishError):
            self._zone = None

    def _observe(self, wish: Wish) -> None:
        """Read the zone if it is not known, and make this process its writer."""
        self._inventory.load()
        if self._zone is None:
            # Saved before the zone is read: the objects may go although the provider is away.
            self._inventory.add_tombstones(wish.gone)
        now = self._clock()
        if self._zone is not None and now >= self._audit_at:
            info = self._provider.info()
            if info.serial is None or info.serial != self._zone.serial:
                self._zone = None
            else:
                self._audit_at = self._next_audit()
        if self._zone is None:
            self._read(wish)
        self._claim()

    def _read(self, wish: Wish) -> None:
        def asked() -> set[str]:
            return {*self._inventory.content.names, *self._desired(wish, KnownZone(self._owner)).names}

        listed = self._provider.capabilities.lists
        view = self._provider.read(self._fence_name, () if listed else asked())
        if listed and not view.complete:  # the server has refused to list the zone since
            view = self._provider.read(self._fence_name, asked())
        self._zone = KnownZone.of(view, self._owner)
        self._audit_at = self._next_audit()
        if self._fence is not None and self._zone.epoch != (self._fence.text,):
            self._fence = None

    def _next_audit(self) -> float:
        return self._clock() + AUDIT_SECONDS * self._choose.uniform(0.9, 1.1)

    def _claim(self) -> None:
        """Write the zone marker with the next epoch, unless this process did."""
        assert self._zone is not None
        if self._fence is not None:
            return
        seen = Epoch.parse(self._zone.epoch)
        if self._zone.epoch and (seen is None or seen.owner != self._owner):
            marker = self._fence_name.removesuffix(".")
            raise ConflictError(
                f"zone {self._settings.zone} belongs to another federation named {self._settings.name}",
                why=f"TXT {marker} is {' '.join(self._zone.epoch)}",
                hint=f"use another name or zone, or remove TXT {marker} if that federation no longer exists",
            )
        mine = Epoch(self._owner, (seen.number if seen else 0) + 1)
        self._gate()
        result = self._provider.claim(self._fence_name, self._zone.epoch, mine.text())
        if result.outcome is not Outcome.DONE:
            self._zone = None
            raise PublishError(
                f"cannot become the writer of zone {self._settings.zone}", why=result.why, hint=result.hint
            )
        self._zone.epoch = (mine.text(),)
        self._fence = Fence(self._fence_name, mine.text())
        log.info("writing zone %s with epoch %d", self._settings.zone, mine.number)

    def _desired(self, wish: Wish, zone: KnownZone) -> Desired:
        ttl = max(self._settings.ttl, self._provider.capabilities.min_ttl)
        return self._memory.desired(wish, zone, ttl)

    def _publish(self, wish: Wish, adopt: frozenset[str], *, force: bool) -> float:
        """Plan and apply until the zone is as wanted."""
        assert self._zone is not None
        found = self._desired(wish, self._zone)
        gone = self._inventory.keep_tombstones(wish.gone, wish.there(), self._zone)
        plan = self._plan(found, gone, adopt, wish, force=force)
        failed: dict[str, Result] = {}
        for _ in range(ROUNDS):
            if not plan.changes or failed:
                break
            if not self._provider.capabilities.lists:
                self._inventory.remember(plan)
            failed = self._apply(plan)
            plan = self._plan(found, gone, adopt, wish, force=force)
        if not failed:
            self._inventory.clean(self._zone)
        self._report(self._state(found, plan))
        if failed:
            self._zone = None
            raise _failure(self._settings.zone, failed)
        if plan.changes:
            # The server did what it was asked to, but the records are not as wanted (they were read back).
            changes = ", ".join(f"{c.key.removesuffix('.')}" for c in plan.changes.changes[:3])
            self._zone = None
            raise PublishError(
                f"{plural(len(plan.changes), 'name')} of zone {self._settings.zone} did not change as asked",
                why=f"the server accepted the update, but left {changes} as it was",
                hint="check whether others write the same names",
            )
        wait = self._audit_at - self._clock()
        return max(0.0, wait if found.next is None else min(wait, found.next - self._clock()))

    def _apply(self, plan: ZonePlan) -> dict[str, Result]:
        """Carry out a plan; returns what was not done."""
        assert self._zone is not None
        assert self._fence is not None
        self._gate()
        results = self._provider.apply(plan.changes.changes, self._fence)
        if retyped := self._zone.take(plan.changes.changes, results):
            seen = self._provider.look(retyped)
            for name in retyped:
                self._zone.put(name, seen.get(name))
        return {name: r for name, r in results.items() if r.outcome is not Outcome.DONE}

    def _plan(
        self, found: Desired, gone: frozenset[str], adopt: frozenset[str], wish: Wish, *, force: bool
    ) -> ZonePlan:
        assert self._zone is not None
        return zone_plan(
            self._zone.view(),
            found,
            self._owner,
            gone=gone,
            adopt=adopt,
            flatten=not self._provider.capabilities.atomic,
            settled=wish.settled,
            force=force,
        )

    def _state(self, found: Desired, plan: ZonePlan) -> DnsState:
        assert self._zone is not None
        epoch = Epoch.parse(self._zone.epoch)
        return DnsState(
            found.services,
            plan.conflicts,
            plan.orphans,
            plan.alarm,
            pending=len(plan.changes) + len(plan.waiting),
            read=True,
            serial=self._zone.serial,
            epoch=epoch.number if epoch else 0,
            present=self._zone.present(),
            tombstones=self._inventory.tombstones,
            names=self._zone.published(),
        )


def _failure(zone: str, failed: Mapping[str, Result]) -> RancherctlError:
    name, first = next(iter(failed.items()))
    if all(r.stale for r in failed.values()):
        return StaleFenceError(f"zone {zone} has changed since it was read", why=first.why, hint=first.hint)
    unknown = sum(r.outcome is Outcome.UNKNOWN for r in failed.values())
    what = f"{plural(len(failed), 'name')} of zone {zone}"
    what += " may or may not have been changed" if unknown else " could not be changed"
    return PublishError(what, why=f"{name.removesuffix('.')}: {first.why}", hint=first.hint)
