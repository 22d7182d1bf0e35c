"""MemberWorker: one thread that keeps the copies in one member as the federation wants them.

It has its own watch cache, its own limit of writes a second and its own back-off, so that no member waits for another.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

from rancherctl.contract import FEDERATION_CONTROLLER, FEDERATION_LABEL
from rancherctl.errors import ConflictError, RancherctlError
from rancherctl.federation.apis import MemberApi
from rancherctl.federation.apply import PENDING, CopyWriter, other_manager
from rancherctl.federation.member_view import MemberView
from rancherctl.federation.objects import CopyView, ObjectId, SliceView, namespace_copy, service_copy, slice_view
from rancherctl.federation.plan import (
    REFUSED,
    CopyState,
    MemberPlan,
    Memo,
    State,
    Step,
    Verb,
    WantedCopies,
    plan,
    unfinished,
)
from rancherctl.federation.rate import TokenBucket
from rancherctl.federation.topology import node_place
from rancherctl.kube import client
from rancherctl.kube.backoff import Backoff, describe
from rancherctl.kube.backoffs import Backoffs
from rancherctl.kube.cache import Cache
from rancherctl.kube.snapshot import Snapshot
from rancherctl.kube.tables import TableSpec
from rancherctl.worker import Worker

log = logging.getLogger(__name__)
WRITERS: Final = 4
BATCH: Final = 40
"""Writes before the plan is made again, so that a user's change goes before a backlog."""
RATE: Final = 50.0
BURST: Final = 100
"""Writes a second in one member, and at once after a pause."""
REPAIRS: Final = 5
REPAIR_SECONDS: Final = 600.0
"""A copy that was repaired so often in this time is left alone for as long: another program writes it, too."""
RESYNC_SECONDS: Final = 60.0
CREATED_SECONDS: Final = 20.0
"""So long a copy that was created may be there and not be seen: longer than a request's limit, and than a new list."""
SERVICES, NAMESPACES, SLICES, NODES = "services", "namespaces", "endpointslices", "nodes"


def tables(federation: str) -> tuple[TableSpec, ...]:
    """What is watched in a member: only what has the federation's label, and Nodes for their places."""
    ours = f"{FEDERATION_LABEL}={federation}"
    return (
        TableSpec(SERVICES, client.SERVICES, service_copy, label_selector=ours),
        TableSpec(NAMESPACES, client.NAMESPACES, namespace_copy, label_selector=ours),
        TableSpec(SLICES, client.ENDPOINTSLICES, slice_view, label_selector=ours),
        TableSpec(NODES, client.NODES, node_place),
    )


class MemberWorker:
    """``want`` what the member is to have, ``view`` what it has. ``changed`` is called after each change.

    ``api`` is the member's; ``leading`` says whether this process may write. ``now``: RFC 3339.
    """

    def __init__(
        self,
        name: str,
        federation: tuple[str, str],
        api: MemberApi,
        *,
        leading: Callable[[], bool],
        changed: Callable[[], None],
        now: Callable[[], str],
        clock: Callable[[], float] = time.monotonic,
        choose: random.Random | None = None,
    ) -> None:
        self.name = name
        self._api, self._leading, self._changed, self._clock = api, leading, changed, clock
        self._writer = CopyWriter(api, federation[0], federation[1], now)
        random_ = choose or random.Random()  # noqa: S311  # spreads load, protects nothing
        self._backoffs, self._backoff = Backoffs(random_), Backoff(random_)
        self._bucket = TokenBucket(RATE, BURST, clock)
        self._lock = threading.Lock()
        self._wanted = WantedCopies(*federation)
        self._urgent: set[ObjectId] = set()
        self._failed: dict[ObjectId, tuple[str, CopyState]] = {}
        self._repaired: dict[ObjectId, deque[float]] = {}
        self._in_sync: set[ObjectId] = set()
        self._created: dict[ObjectId, float] = {}
        """When copies were sent that were not deleted since."""
        self._plan, self._trouble = MemberPlan(), ""
        self._memo: Memo = {}
        self._first_epoch: int | None = None
        self._indexed: tuple[object, Mapping[str, bool]] = ((), {})
        self._copied: tuple[object, object, Mapping[ObjectId, CopyView]] = ((), (), {})
        self._named: tuple[object, frozenset[str]] = ((), frozenset())
        self._cache = Cache(api, tables(federation[0]), self._cache_changed)
        self._worker = Worker(f"member {name}", self._reconcile, retry=self._retry)
        self._pool = ThreadPoolExecutor(WRITERS, thread_name_prefix=f"member-{name}")

    def start(self) -> None:
        """Begin to watch and to write."""
        self._cache.start()
        self._worker.start()

    def stop(self, timeout: float = 5.0) -> None:
        """End all threads; waits at most ``timeout`` seconds."""
        self._worker.stop(timeout)
        self._cache.stop(timeout)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def want(self, wanted: WantedCopies) -> None:
        """What this member is to have from now on; returns at once."""
        with self._lock:
            if wanted == self._wanted:
                return
            for object_id, source in wanted.selected.items():
                known = self._wanted.selected.get(object_id)
                if known is None or known.digest != source.digest:
                    self._urgent.add(object_id)
            self._wanted = wanted
        self._worker.wake()

    def view(self) -> MemberView:
        """What is known of the member now."""
        snapshot, planned = self._cache.snapshot(), self._plan
        nodes = snapshot.table(NODES).items.values()
        return MemberView(
            self.name,
            known=snapshot.synced,
            reachable=snapshot.synced and snapshot.healthy,
            copies=self._copies(snapshot),
            states=planned.states,
            ready=self._ready(snapshot),
            host_names=self._host_names(snapshot),
            nodes=tuple(nodes),
            done=planned.done,
            orphans=planned.orphans,
            held=planned.held,
            trouble=self._trouble,
        )

    def _cache_changed(self, _: object) -> None:
        self._worker.wake()
        self._changed()

    def _ready(self, snapshot: Snapshot) -> Mapping[str, bool]:
        slices: Mapping[str, SliceView] = snapshot.table(SLICES).items
        if self._indexed[0] is not slices:
            found: dict[str, bool] = {}
            for view in slices.values():
                found[view.service] = found.get(view.service, False) or view.ready
            self._indexed = (slices, found)
        return self._indexed[1]

    def _copies(self, snapshot: Snapshot) -> Mapping[ObjectId, CopyView]:
        """All copies by their object; the same mapping while nothing has changed."""
        namespaces: Mapping[str, CopyView] = snapshot.table(NAMESPACES).items
        services: Mapping[str, CopyView] = snapshot.table(SERVICES).items
        copied = self._copied
        if copied[0] is not namespaces or copied[1] is not services:
            found = {view.id: view for table in (namespaces, services) for view in table.values()}
            copied = self._copied = (namespaces, services, found)
        return copied[2]

    def _host_names(self, snapshot: Snapshot) -> frozenset[str]:
        """The host names of all copies; the same set while no Service has changed."""
        services: Mapping[str, CopyView] = snapshot.table(SERVICES).items
        if self._named[0] is not services:
            self._named = (services, frozenset(name for view in services.values() for name in view.host_names))
        return self._named[1]

    def _retry(self, error: Exception) -> float:
        self._trouble = describe(error)
        self._changed()
        return self._backoff.after(error)

    def _reconcile(self) -> float | None:
        """Plan and write one batch; returns the seconds until time alone asks for another look."""
        snapshot = self._cache.snapshot()
        if not (snapshot.synced and snapshot.healthy):
            return None  # unknown is not absent: the cache wakes this worker when it is live again
        with self._lock:
            wanted, urgent = self._wanted, frozenset(self._urgent)
        copies, first = self._copies(snapshot), self._first_look(snapshot)
        now = self._clock()
        made = self._certain(plan(wanted, copies, first_look=first, memo=self._memo), now)
        steps = [step for step in made.steps if self._open(step, now)] if self._leading() else []
        steps.sort(key=lambda step: (step.id.kind != "Namespace", step.id not in urgent))
        batch = steps[:BATCH]
        self._note_repairs(batch, now)
        self._show(made, wanted)
        error = self._write(batch)
        self._settle(made)
        with self._lock:
            # What is still closed was written a moment ago, or failed: it is no longer urgent.
            self._urgent -= {step.id for step in batch} | (urgent - {step.id for step in made.steps})
        self._show(made, wanted)
        if error is not None:
            raise error
        if self._trouble:
            self._trouble = ""
            self._changed()
        self._backoff.reset()
        if len(steps) > len(batch):
            return 0.0
        waits = [self._created[i] + CREATED_SECONDS - now for i in wanted.tombstones if i in self._created]
        if (wake := self._backoffs.wake(now)) is not None:
            waits.append(wake)
        return min([RESYNC_SECONDS, *waits])

    def _certain(self, made: MemberPlan, now: float) -> MemberPlan:
        """A deleted object is not done while a copy of it may be there unseen: later nothing would remove that copy.

        An answer that did not come, a watch that is late, and a list that is older than what the watch has shown.
        """
        self._created = {i: sent for i, sent in self._created.items() if now - sent < CREATED_SECONDS}
        uncertain = made.done & self._created.keys()
        return replace(made, done=made.done - uncertain) if uncertain else made

    def _first_look(self, snapshot: Snapshot) -> bool:
        """Deletes need a second full list after the first plan as leader."""
        epoch = min(snapshot.table(SERVICES).epoch, snapshot.table(NAMESPACES).epoch)
        if not self._leading():
            self._first_epoch = None
            return True
        if self._first_epoch is None:
            self._first_epoch = epoch
            self._cache.relist((SERVICES, NAMESPACES))
        return epoch <= self._first_epoch

    def _open(self, step: Step, now: float) -> bool:
        version = step.copy.resource_version if step.copy else "absent"
        return self._backoffs.open(_key(step), now, version)

    def _note_repairs(self, batch: Sequence[Step], now: float) -> None:
        for step in batch:
            drift = step.verb is Verb.UPDATE and step.copy and step.source and step.copy.digest == step.source.digest
            if drift or (step.verb is Verb.CREATE and step.id in self._in_sync):
                times = self._repaired.setdefault(step.id, deque(maxlen=REPAIRS + 1))
                times.append(now)

    def _write(self, batch: Sequence[Step]) -> RancherctlError | None:
        """Carry out steps, namespaces first; returns the error that ends the batch for the whole member."""
        namespaces = [step for step in batch if step.id.kind == "Namespace" and step.verb is Verb.CREATE]
        others = [step for step in batch if step not in namespaces]
        for group in (namespaces, others):
            errors = [error for error in self._pool.map(self._one, group) if error is not None]
            if errors:
                return errors[0]
        return None

    def _one(self, step: Step) -> RancherctlError | None:
        now = self._clock()
        if self._contested(step, now):
            return None
        if (pause := self._bucket.take()) and self._worker.stopping.wait(pause):
            return None
        version = step.copy.resource_version if step.copy else "absent"
        if step.verb is Verb.CREATE:
            self._created[step.id] = self._clock()
        try:
            state = self._writer.run(step)
        except ConflictError as error:
            log.info("member %s: %s: %s", self.name, step.id, error)
            self._backoffs.failed(_key(step), self._clock(), error)
            return None
        except RancherctlError as error:
            self._backoffs.failed(_key(step), self._clock(), error)
            return error
        if state.state in REFUSED:
            log.warning("member %s: %s %s: %s", self.name, step.verb, step.id, state.why)
            if step.verb is Verb.CREATE:
                del self._created[step.id]
            self._backoffs.failed(_key(step), self._clock(), RancherctlError(state.why))
            self._failed[step.id] = (step.source.digest if step.source else "", state)
        else:
            self._backoffs.done(_key(step), self._clock(), version)
            if step.verb in (Verb.DELETE, Verb.RELEASE):
                self._created.pop(step.id, None)
            self._failed.pop(step.id, None)
        return None

    def _contested(self, step: Step, now: float) -> bool:
        """Whether another program has changed this copy too often: it is left alone for a while, and named."""
        times = self._repaired.get(step.id)
        if times is None or len(times) <= REPAIRS or now - times[0] > REPAIR_SECONDS:
            return False
        if step.id not in self._failed:
            manager = other_manager(self._api, step.id, FEDERATION_CONTROLLER)
            why = f"{manager} changes the copy again and again; the next repair is in {REPAIR_SECONDS / 60:.0f} min"
            digest = step.source.digest if step.source else ""
            self._failed[step.id] = (digest, CopyState(State.CONFLICT, "Contested", why))
            log.warning("member %s: %s: %s", self.name, step.id, why)
        return True

    def _settle(self, made: MemberPlan) -> None:
        """Forget failures of objects that are in sync now, and remember which were."""
        for object_id, state in made.states.items():
            if state.state is State.IN_SYNC:
                self._in_sync.add(object_id)
                if self._failed.get(object_id, ("", PENDING))[1].reason != "Contested":
                    self._failed.pop(object_id, None)
        self._in_sync &= made.states.keys()
        self._repaired = {i: t for i, t in self._repaired.items() if i in made.states and self._clock() - t[-1] < 600}
        self._failed = {
            i: f
            for i, f in self._failed.items()
            if i in made.states and (f[1].reason != "Contested" or i in self._repaired)
        }
        self._backoffs.keep({_key(step) for step in made.steps})

    def _show(self, made: MemberPlan, wanted: WantedCopies) -> None:
        states: dict[ObjectId, CopyState] = dict(made.states)
        for object_id, (digest, state) in self._failed.items():
            source = wanted.selected.get(object_id)
            if object_id in states and source is not None and source.digest == digest:
                states[object_id] = state
        closed = {i.key: s for i, s in unfinished(states).items() if i.kind == "Namespace" and s.state in REFUSED}
        for object_id in made.states if closed else ():
            if (namespace := closed.get(object_id.namespace)) is not None:
                states[object_id] = namespace
        shown = replace(made, states=states)
        if shown != self._plan:
            self._plan = shown
            self._changed()


def _key(step: Step) -> tuple[ObjectId, str]:
    return step.id, step.source.digest if step.source else step.verb
