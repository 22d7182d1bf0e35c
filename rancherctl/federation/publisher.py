"""DnsPublisher: keep one public zone as the federation wants it, from one thread.

It reads the zone, writes the zone marker with a new epoch, and applies plans; a process that was the leader before is
refused by the DNS server, because its writes require the old epoch. While the provider is away the last wish waits.
Nothing is sent while nothing differs, except for an audit every hour.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from rancherctl.errors import ConflictError, RancherctlError
from rancherctl.federation import names, records
from rancherctl.federation.dns_state import DnsState, published_names
from rancherctl.federation.inventory import Inventory, InventoryStore
from rancherctl.federation.model import FederatedService, FederationSettings, Place, Verdict
from rancherctl.federation.ownership import Epoch, NameState, Owner, ZoneView
from rancherctl.federation.providers.base import (
    DnsProvider,
    Fence,
    NameChange,
    Outcome,
    Result,
    StaleFenceError,
)
from rancherctl.federation.records import Context, Desired, object_of
from rancherctl.federation.zone_plan import ZonePlan, zone_plan
from rancherctl.kube.backoff import Backoff
from rancherctl.text import plural
from rancherctl.worker import Worker

log = logging.getLogger(__name__)
AUDIT_SECONDS: Final = 3600.0
MIN_RETRY_SECONDS: Final = 1.0
"""Minimum pause after a failure: wishes that arrive meanwhile wait, so that a broken server is not kept busy."""

ROUNDS: Final = 2
"""Plans applied in one step: the second one is for aliases that the server left out beside records of others."""


class PublishError(RancherctlError):
    """Some changes were not applied, or it is not known whether they were; the next try reads the zone first."""

    retryable = True


@dataclass(frozen=True, slots=True)
class _Wish:
    services: tuple[FederatedService, ...]
    verdicts: Mapping[str, Verdict]
    places: tuple[Place, ...] = ()
    gone: frozenset[str] = frozenset()
    left: frozenset[str] = frozenset()
    settled: bool = True


@dataclass(slots=True)
class _Zone:
    """The zone as this process knows it: what was read, changed by what was written since."""

    names: dict[str, NameState]
    serial: int | None
    epoch: tuple[str, ...]
    complete: bool
    by_object: dict[str, dict[str, NameState]] = field(default_factory=dict)

    @classmethod
    def of(cls, view: ZoneView, owner: str) -> _Zone:
        zone = cls({}, view.serial, view.epoch, view.complete)
        for name, state in view.names.items():
            zone.put(name, state, owner)
        return zone

    def put(self, name: str, state: NameState | None, owner: str) -> None:
        """Set what is at a name; None or an empty state: nothing."""
        before = self.names.pop(name, None)
        if before is not None and before.marker is not None:
            self.by_object.get(before.marker.object, {}).pop(name, None)
        if state is None or not (state.sets or state.marker):
            return
        self.names[name] = state
        if state.marker is not None and state.marker.owner == owner:
            self.by_object.setdefault(state.marker.object, {})[name] = NameState(state.owned(), state.marker)

    def view(self) -> ZoneView:
        return ZoneView(self.names, self.epoch, self.serial, self.complete)


class DnsPublisher:
    """``gate`` raises if this process does not lead; it is called before each write. ``on_change``: the state changed.

    ``step`` does the work of the thread and returns the seconds until the next one; tests call it themselves.
    """

    def __init__(
        self,
        settings: FederationSettings,
        provider: DnsProvider,
        *,
        gate: Callable[[], object],
        store: InventoryStore,
        on_change: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        choose: random.Random | None = None,
    ) -> None:
        self._settings, self._provider = settings, provider
        self._gate, self._store, self._on_change, self._clock = gate, store, on_change, clock
        self._choose = choose or random.Random()  # noqa: S311 - spreads load, protects nothing
        self._owner = Owner(settings.name, settings.uid).text
        self._fence_name = names.fence_name(settings.name, settings.zone)
        self._lock = threading.Lock()
        self._wish: _Wish | None = None
        self._adopt: set[str] = set()
        self._force = False
        self._state = DnsState()
        # Used by the thread only
        self._zone: _Zone | None = None
        self._fence: Fence | None = None
        self._inventory: Inventory | None = None
        self._audit_at = 0.0
        self._none_since: dict[str, float] = {}
        self._member_of: dict[str, str] = {}
        self._memo = records.Memo()
        backoff = self._backoff = Backoff(self._choose)
        self._worker = Worker(
            f"public DNS {settings.zone}", self.step, retry=backoff.after, min_retry=MIN_RETRY_SECONDS, clock=clock
        )

    def start(self) -> None:
        """Start the thread; nothing is sent before the first wish."""
        self._worker.start()

    def stop(self, timeout: float | None = 10.0) -> None:
        """End the thread after the call in progress."""
        self._worker.stop(timeout)

    def want(
        self,
        services: Sequence[FederatedService],
        verdicts: Mapping[str, Verdict],
        *,
        places: Iterable[Place] = (),
        gone: Collection[str] = (),
        left: Collection[str] = (),
        settled: bool = True,
    ) -> None:
        """Say what is wanted; the last wish counts. Returns at once.

        ``places``: those of all members. ``gone``: Services (``namespace/name``) whose names are to be deleted; a
        Service that is merely absent keeps them. ``left``: members that left. ``settled``: every member that can be
        read was read; before, nothing is taken out.
        """
        targets = frozenset(map(object_of, gone))
        wish = _Wish(tuple(services), dict(verdicts), tuple(dict.fromkeys(places)), targets, frozenset(left), settled)
        with self._lock:
            if wish == self._wish:
                return
            self._wish = wish
        self._worker.wake()

    def adopt(self, name: str) -> None:
        """Take over the unmarked records of a wanted name."""
        with self._lock:
            self._adopt.add(name.lower().removesuffix(".") + ".")
        self._worker.wake()

    def force(self) -> None:
        """Delete the orphans in the next run, and in that only."""
        with self._lock:
            self._force = True
        self._worker.wake()

    def state(self) -> DnsState:
        """What is known now; an immutable value."""
        with self._lock:
            return self._state

    def answers(self) -> bool:
        """Ask the provider whether it answers: shows that this host is not cut off."""
        try:
            self._provider.info()
        except RancherctlError:
            return False
        return True

    def step(self) -> float | None:
        """Bring the zone to the wish once. Returns the seconds until the next call, None without a wish."""
        with self._lock:
            wish, adopt, force = self._wish, frozenset(self._adopt), self._force
        if wish is None:
            return None
        self._gate()
        try:
            self._observe(wish)
            following = self._publish(wish, adopt, force=force)
        except RancherctlError as error:
            saved = self._inventory.tombstones if self._inventory is not None else frozenset()
            self._set(replace(self._state, problem=str(error), hint=error.hint, tombstones=saved))
            if isinstance(error, ConflictError):
                self._inventory = None  # the stored one may be another process's by now
            if not isinstance(error, ConflictError | PublishError):
                self._zone = None
            raise
        self._backoff.reset()
        with self._lock:
            self._adopt -= adopt
            self._force = self._force and not force
        return following

    def _observe(self, wish: _Wish) -> None:
        """Read the zone if it is not known, and make this process its writer."""
        if self._inventory is None:
            self._inventory = self._store.load()
        if self._zone is None and not wish.gone <= self._inventory.tombstones:
            # Saved before the zone is read: the objects may go although the provider is away.
            self._save(replace(self._inventory, tombstones=self._inventory.tombstones | wish.gone))
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

    def _read(self, wish: _Wish) -> None:
        assert self._inventory is not None

        def asked() -> set[str]:
            assert self._inventory is not None
            return {*self._inventory.names, *self._desired(wish, _Zone({}, None, (), complete=False)).names}

        listed = self._provider.capabilities.lists
        view = self._provider.read(self._fence_name, () if listed else asked())
        if listed and not view.complete:  # the server has refused to list the zone since
            view = self._provider.read(self._fence_name, asked())
        self._zone = _Zone.of(view, self._owner)
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

    def _desired(self, wish: _Wish, zone: _Zone) -> Desired:
        """The wish as record sets; remembers which member had an address, and since when a Service has no shard."""
        now = self._clock()
        for service in wish.services:
            for shard in service.shards:
                for address in shard.addresses:
                    if shard.member not in wish.left or address.address not in self._member_of:
                        self._member_of[address.address] = shard.member
        forgotten = frozenset(a for a, m in self._member_of.items() if m in wish.left)
        nothing: Mapping[str, NameState] = {}
        context = Context(
            wish.places, lambda target: zone.by_object.get(target, nothing), forgotten, self._none_since, now
        )
        ttl = max(self._settings.ttl, self._provider.capabilities.min_ttl)
        found = records.desired(wish.services, self._settings, wish.verdicts, context, ttl=ttl, memo=self._memo)
        self._none_since = {key: self._none_since.get(key, now) for key in found.none}
        return found

    def _publish(self, wish: _Wish, adopt: frozenset[str], *, force: bool) -> float:
        """Plan and apply until the zone is as wanted. Returns the seconds until the next audit or timer."""
        assert self._zone is not None
        found = self._desired(wish, self._zone)
        gone = self._tombstones(wish)
        plan = self._plan(found, gone, adopt, wish, force=force)
        failed: dict[str, Result] = {}
        for _ in range(ROUNDS):
            if not plan.changes or failed:
                break
            self._remember(plan)
            self._gate()
            assert self._fence is not None
            results = self._provider.apply(plan.changes.changes, self._fence)
            self._take(plan.changes.changes, results)
            failed = {name: r for name, r in results.items() if r.outcome is not Outcome.DONE}
            plan = self._plan(found, gone, adopt, wish, force=force)
        if not failed:
            self._forget()
        self._report(found, plan)
        if failed:
            self._zone = None
            raise self._failure(failed)
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

    def _plan(
        self, found: Desired, gone: frozenset[str], adopt: frozenset[str], wish: _Wish, *, force: bool
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

    def _tombstones(self, wish: _Wish) -> frozenset[str]:
        """The objects whose names go: those of the wish, and saved ones that were not created again. Saves them."""
        assert self._inventory is not None
        assert self._zone is not None
        there = {object_of(service.key) for service in wish.services} - wish.gone
        known = self._present() | set(self._inventory.names.values())
        gone = ((self._inventory.tombstones | wish.gone) - there) & known
        if gone != self._inventory.tombstones:
            self._save(replace(self._inventory, tombstones=gone))
        return gone

    def _remember(self, plan: ZonePlan) -> None:
        """Save the names of a zone that cannot be listed before they are written."""
        assert self._inventory is not None
        if self._provider.capabilities.lists:
            return
        new = {c.key: c.new.marker.object for c in plan.changes if c.new is not None and c.new.marker is not None}
        if not new.items() <= self._inventory.names.items():
            self._save(replace(self._inventory, names={**self._inventory.names, **new}))

    def _save(self, inventory: Inventory) -> None:
        self._store.save(inventory)
        self._inventory = inventory

    def _take(self, changes: Sequence[NameChange], results: Mapping[str, Result]) -> None:
        """Put what was done into the zone as known; names whose type changed are read back."""
        assert self._zone is not None
        retyped = set()
        for change in changes:
            if results[change.key].outcome is not Outcome.DONE:
                continue
            before = self._zone.names.get(change.key) or NameState()
            replaced = {s.type for s in change.old.sets} if change.old else set()
            others = tuple(s for s in before.sets if s.type not in replaced)
            new = change.new or NameState()
            sets = tuple(sorted((*others, *new.sets), key=lambda s: s.type))
            self._zone.put(change.key, new if sets == new.sets else NameState(sets, new.marker), self._owner)
            if change.new is not None and "CNAME" in replaced ^ {s.type for s in new.sets}:
                retyped.add(change.key)
        if retyped:
            seen = self._provider.look(retyped)
            for name in retyped:
                self._zone.put(name, seen.get(name), self._owner)

    def _forget(self) -> None:
        """Take names that are not in the zone, and tombstones that are done, out of the inventory."""
        assert self._inventory is not None
        assert self._zone is not None
        names_ = {n: o for n, o in self._inventory.names.items() if n in self._zone.names}
        left = Inventory(names_, self._inventory.tombstones & self._present())
        if left != self._inventory:
            self._save(left)

    def _present(self) -> frozenset[str]:
        assert self._zone is not None
        return frozenset(target for target, found in self._zone.by_object.items() if found)

    def _report(self, found: Desired, plan: ZonePlan) -> None:
        """Make the state known."""
        assert self._inventory is not None
        assert self._zone is not None
        epoch = Epoch.parse(self._zone.epoch)
        self._set(
            DnsState(
                found.services,
                plan.conflicts,
                plan.orphans,
                plan.alarm,
                pending=len(plan.changes) + len(plan.waiting),
                read=True,
                serial=self._zone.serial,
                epoch=epoch.number if epoch else 0,
                present=self._present(),
                tombstones=self._inventory.tombstones,
                names=published_names({n: s for owned in self._zone.by_object.values() for n, s in owned.items()}),
            )
        )

    def _failure(self, failed: Mapping[str, Result]) -> RancherctlError:
        name, first = next(iter(failed.items()))
        if all(r.stale for r in failed.values()):
            return StaleFenceError(
                f"zone {self._settings.zone} has changed since it was read", why=first.why, hint=first.hint
            )
        unknown = sum(r.outcome is Outcome.UNKNOWN for r in failed.values())
        what = f"{plural(len(failed), 'name')} of zone {self._settings.zone}"
        what += " may or may not have been changed" if unknown else " could not be changed"
        return PublishError(what, why=f"{name.removesuffix('.')}: {first.why}", hint=first.hint)

    def _set(self, state: DnsState) -> None:
        with self._lock:
            changed, self._state = state != self._state, state
        if changed:
            self._on_change()
