"""Propagation: from the federation's objects to what each member's worker is to have, and back to statuses.

Called by the Hub of the process that leads, again and again; every write goes through the leader's gate.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from rancherctl.contract import COPIES_FINALIZER, FEDERATION_CONTROLLER
from rancherctl.errors import ConflictError, NotFoundError, RancherctlError
from rancherctl.federation import pending
from rancherctl.federation.apis import HubApi
from rancherctl.federation.event_recorder import EventRecorder
from rancherctl.federation.model import FederatedService, FederationSettings
from rancherctl.federation.objects import FOREGROUND_FINALIZER, ORPHAN_ANNOTATION, ORPHAN_FINALIZER, Federated, ObjectId
from rancherctl.federation.pending import MAX_ENTRIES, PENDING_PREFIX, PendingEntry
from rancherctl.federation.plan import WantedCopies
from rancherctl.federation.service_states import ServiceStates
from rancherctl.federation.shards import Member
from rancherctl.federation.status import DnsPart, ServiceStatus, status_body
from rancherctl.federation.vanished import VanishedObjects
from rancherctl.federation.wanted import StableSources, unguarded, wanted_copies
from rancherctl.kube.backoffs import Backoffs
from rancherctl.kube.client import CONFIGMAPS, SERVICES, AlreadyExistsError, Json
from rancherctl.kube.http.failures import concerns_one

log = logging.getLogger(__name__)
WRITES_PER_CALL: Final = 100
GRACE_SECONDS: Final = 30.0
"""How long a deleted object waits for a member that answers but does not remove its copy."""


@dataclass(frozen=True, slots=True)
class Write:
    """One write of the federation's own API: what waits alone if it fails, the version it was decided on, the call."""

    key: Hashable
    version: str
    act: Callable[[], object]


class Copies(Protocol):
    """What propagation asks of a member's worker (worker.MemberWorker)."""

    def want(self, wanted: WantedCopies) -> None: ...


@dataclass(frozen=True, slots=True)
class PendingMap:
    """A stored ``pending-MEMBER`` ConfigMap."""

    name: str
    resource_version: str
    entries: Mapping[ObjectId, PendingEntry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HubView:
    """The federation's own objects at one moment."""

    services: Mapping[str, Federated]
    namespaces: Mapping[str, Federated]
    pending: Mapping[str, PendingMap] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Basis:
    """What the wanted copies depend on; see ``wanted_copies``."""

    services: Mapping[str, Federated]
    namespaces: Mapping[str, Federated]
    entries: Mapping[str, Mapping[ObjectId, PendingEntry]]
    properties: Mapping[str, tuple[object, ...]]

    def same_as(self, other: _Basis) -> bool:
        same = self.services is other.services and self.namespaces is other.namespaces
        return same and self.entries == other.entries and self.properties == other.properties


class Propagation:
    """``reconcile`` plans and writes once. ``now``: RFC 3339, ``clock``: monotonic seconds."""

    def __init__(
        self, api: HubApi, settings: FederationSettings, *, clock: Callable[[], float], now: Callable[[], str]
    ) -> None:
        self._api, self._settings, self._clock, self._now = api, settings, clock, now
        self._backoffs = Backoffs(random.Random())  # noqa: S311  # spreads load, protects nothing
        self._deleted_since: dict[ObjectId, float] = {}
        self._services, self._namespaces = StableSources(), StableSources()
        self._basis: _Basis | None = None
        self._wanted: Mapping[str, WantedCopies] = {}
        self._vanished = VanishedObjects(api, clock)
        self._states = ServiceStates(settings.when_none)
        self._events = EventRecorder(api, clock=clock, now=now)
        self.services: Sequence[FederatedService] = ()
        """The Services with their shards, for the public DNS, after each reconcile."""

    def reconcile(
        self,
        view: HubView,
        members: Mapping[str, Member],
        workers: Mapping[str, Copies],
        withdrawn: Iterable[str] = (),
        dns: Mapping[str, DnsPart] | None = None,
        named: Callable[[str], bool] = lambda _: True,
    ) -> float | None:
        """Hand each worker what its member is to have, write finalizers, tombstones and statuses.

        Returns the seconds until time alone asks for another call. ``dns``: by ``namespace/name``. ``named``:
        whether a deleted Service (by the same key) may go as far as its public names are concerned.
        """
        self._vanished.look(view.services, view.namespaces)
        wanted = self._wanted_copies(view, members)
        for name, worker in workers.items():
            if name in wanted:
                worker.want(wanted[name])
        sources = unguarded(view.services.values(), view.namespaces, members.values())
        writes = [self._guard(source) for source in sources]
        writes += self._deletions(view, members, named)
        statuses, self.services = self._statuses(view, members, wanted, frozenset(withdrawn), dns or {})
        writes += statuses
        return self._write(writes)

    def _wanted_copies(self, view: HubView, members: Mapping[str, Member]) -> Mapping[str, WantedCopies]:
        """What each member is to have; nothing is computed while nothing that it depends on has changed."""
        services, namespaces = self._services.of(view.services), self._namespaces.of(view.namespaces)
        vanished, stored = self._vanished.entries(), view.pending
        entries = {name: {**vanished, **(stored[name].entries if name in stored else {})} for name in members}
        properties = {m.name: (m.labels, m.drained, m.leaving, m.leave, m.force) for m in members.values()}
        basis = _Basis(services, namespaces, entries, properties)
        if self._basis is None or not basis.same_as(self._basis):
            names = self._settings.name, self._settings.uid
            self._wanted = wanted_copies(*names, services.values(), namespaces, members.values(), entries)
            self._basis = basis
        return self._wanted

    # Finalizers and tombstones

    def _metadata(self, source: Federated, change: Json) -> Write:
        """A merge patch of an object's metadata, if it is still as it was seen."""
        meta = source.meta
        body: Json = {"metadata": {"resourceVersion": meta.resource_version, **change}}
        return Write(
            source.id,
            meta.resource_version,
            lambda: self._api.patch(source.id.resource, meta.name, body, namespace=meta.namespace),
        )

    def _guard(self, source: Federated) -> Write:
        """Write the finalizer that lets copies be removed."""
        write = self._metadata(source, {"finalizers": [*source.finalizers, COPIES_FINALIZER]})

        def act() -> object:
            self._vanished.guarded(source)  # also if the answer does not come
            return write.act()

        return replace(write, act=act)

    def _deletions(self, view: HubView, members: Mapping[str, Member], named: Callable[[str], bool]) -> list[Write]:
        now, writes = self._clock(), list[Write]()
        additions: dict[str, dict[ObjectId, PendingEntry]] = {}
        deleting = [o for o in (*view.services.values(), *view.namespaces.values()) if o.meta.deleting]
        self._deleted_since = {o.id: self._deleted_since.get(o.id, now) for o in deleting}
        for source in deleting:
            ours = {COPIES_FINALIZER, ORPHAN_FINALIZER, FOREGROUND_FINALIZER} & set(source.finalizers)
            if not ours:
                continue
            if ORPHAN_FINALIZER in source.finalizers and source.guarded and not source.noted_orphan:
                writes.append(self._metadata(source, {"annotations": {ORPHAN_ANNOTATION: "true"}}))
                continue
            namespace = view.namespaces.get(source.meta.namespace)
            orphan = source.orphan or (namespace is not None and namespace.orphan)
            waiting = self._waiting(source, members) if source.guarded else []
            blocked = source.guarded and source.id.kind == "Service" and not named(source.id.key)
            for member in waiting:
                stored = view.pending.get(member.name, PendingMap("", "")).entries
                if stored.get(source.id, PendingEntry("")).uid == source.meta.uid:
                    continue
                blocked = True
                patient = member.view.reachable and now - self._deleted_since[source.id] < GRACE_SECONDS
                if not patient and len(stored) < MAX_ENTRIES:
                    entry = PendingEntry(source.meta.uid, orphan, self._now())
                    additions.setdefault(member.name, {})[source.id] = entry
            if not blocked:
                left = [f for f in source.finalizers if f not in ours]
                writes.append(self._metadata(source, {"finalizers": left}))
        writes += self._pending_writes(view, members, additions)
        return writes

    @staticmethod
    def _waiting(source: Federated, members: Mapping[str, Member]) -> list[Member]:
        """Members that may still have, or get, a copy of a deleted object."""
        return [
            member
            for member in members.values()
            if not member.view.reachable
            or not (member.leave or source.id in member.view.done)  # its worker does not know of the deletion yet
            or ((copy := member.view.copies.get(source.id)) is not None and copy.source_uid == source.meta.uid)
        ]

    def _pending_writes(
        self, view: HubView, members: Mapping[str, Member], additions: Mapping[str, Mapping[ObjectId, PendingEntry]]
    ) -> list[Write]:
        """Write the ConfigMaps that change: new entries, and without those that are done."""
        writes: list[Write] = []
        current = {
            o.id: o.meta.uid for o in (*view.services.values(), *view.namespaces.values()) if not o.meta.deleting
        }
        for name in {*view.pending, *additions}:
            stored = view.pending.get(name)
            member = members.get(name)
            entries = dict(stored.entries) if stored else {}
            for object_id in list(entries):
                came_again = object_id in current and current[object_id] != entries[object_id].uid
                if came_again or (member is not None and member.view.reachable and object_id in member.view.done):
                    del entries[object_id]
            entries |= additions.get(name, {})
            if stored is None or entries != stored.entries:
                version = stored.resource_version if stored else ""
                writes.append(self._store(f"{PENDING_PREFIX}{name}", version, entries))
        return writes

    def _store(self, name: str, version: str, entries: Mapping[ObjectId, PendingEntry]) -> Write:
        body: Json = {
            "metadata": {"name": name, "namespace": FEDERATION_CONTROLLER},
            "data": pending.render(entries),
        }
        if not version:
            return Write(name, "absent", lambda: self._api.create(CONFIGMAPS, body, namespace=FEDERATION_CONTROLLER))
        body["metadata"]["resourceVersion"] = version
        return Write(name, version, lambda: self._api.replace(CONFIGMAPS, body))

    # Statuses

    def _statuses(
        self,
        view: HubView,
        members: Mapping[str, Member],
        wanted: Mapping[str, WantedCopies],
        withdrawn: frozenset[str],
        dns: Mapping[str, DnsPart],
    ) -> tuple[list[Write], list[FederatedService]]:
        states = self._states.update(view.services, members, wanted, withdrawn, dns)
        self._events.record(view.services, {key: state.problems for key, state in states.items()})
        writes = [self._status(view.services[key], state.status) for key, state in states.items() if state.write]
        return writes, [state.published for state in states.values() if state.published is not None]

    def _status(self, service: Federated, status: ServiceStatus) -> Write:
        def act() -> object:
            body = status_body(service, status, self._now())
            return self._api.apply(SERVICES, body, manager=FEDERATION_CONTROLLER, subresource="status")

        return Write(("status", service.id), service.meta.resource_version, act)

    def _write(self, writes: Sequence[Write]) -> float | None:
        """Carry out one batch; what fails waits alone, an error that concerns all writes is raised."""
        now = self._clock()
        self._backoffs.keep({write.key for write in writes})
        ready = [write for write in writes if self._backoffs.open(write.key, now, write.version)]
        for write in ready[:WRITES_PER_CALL]:
            try:
                write.act()
            except (ConflictError, NotFoundError, AlreadyExistsError) as error:
                log.debug("%s: %s", write.key, error)
                self._backoffs.failed(write.key, self._clock(), error)
            except RancherctlError as error:
                wait = self._backoffs.failed(write.key, self._clock(), error)
                if not concerns_one(error):
                    raise
                log.warning("%s cannot be written, retrying in %.1f s: %s", write.key, wait, error)
            else:
                self._backoffs.done(write.key, self._clock(), write.version)
        if len(ready) > WRITES_PER_CALL:
            return 0.0
        return self._backoffs.wake(self._clock())
