"""Hub: the federation's process at work. It connects to members, hands each what it is to have, and writes statuses.

One Hub runs where the process leads; a standby only watches the federation's own API.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from rancherctl.contract import FEDERATION_CONTROLLER, LEAVE_FINALIZER
from rancherctl.errors import ConflictError, NotFoundError
from rancherctl.federation import cluster as clusters
from rancherctl.federation import hub_tables, tokens
from rancherctl.federation.apis import HubApi
from rancherctl.federation.cluster import CLUSTERS, Cluster, Connection, MemberStatus
from rancherctl.federation.conditions import SERVING, SYNCED, Condition
from rancherctl.federation.connection import Credential, MemberConnection
from rancherctl.federation.model import FederationSettings
from rancherctl.federation.plan import State, counts
from rancherctl.federation.propagation import Propagation
from rancherctl.federation.public_names import Names, NoNames
from rancherctl.federation.shards import Member
from rancherctl.federation.topology import topology
from rancherctl.federation.vantage_link import VantageLink
from rancherctl.federation.wanted import unpublished
from rancherctl.federation.worker import MemberWorker
from rancherctl.federation.zone_report import ADOPT, FORCE, REQUESTS
from rancherctl.kube import client, objects
from rancherctl.kube.client import CONFIGMAPS, SECRETS, Json
from rancherctl.kube.objects import Secret
from rancherctl.kube.snapshot import Snapshot
from rancherctl.kube.tables import TableSpec
from rancherctl.role_spec import ControllerSpec
from rancherctl.text import and_more, plural

log = logging.getLogger(__name__)
CREDENTIALS: Final = TableSpec(
    "secrets",
    client.SECRETS,
    lambda obj: objects.secret(obj, (tokens.TOKEN_KEY, tokens.SESSION_UID_KEY)),
    FEDERATION_CONTROLLER,
)
SPEC: Final = ControllerSpec("federation", (*hub_tables.TABLES, clusters.TABLE, CREDENTIALS))


@dataclass(slots=True)
class _Handle:
    """A member that the Hub is connected to; ``identity`` is what a new connection is made for."""

    identity: tuple[Any, ...]
    connection: MemberConnection
    worker: MemberWorker
    vantage: VantageLink
    server: int = 0
    synced: str = ""
    """The last value of the annotation SYNC_ANNOTATION that was carried out."""


def _no_names(_settings: FederationSettings) -> Names:
    return NoNames()


@dataclass(frozen=True, slots=True)
class HubOptions:
    """What the process gives its Hub. ``clock``: monotonic seconds, ``now``: RFC 3339, ``wake``: asks for a call."""

    leading: Callable[[], bool]
    gate: Callable[[], object]
    wake: Callable[[], None]
    clock: Callable[[], float]
    now: Callable[[], str]
    agent: str = FEDERATION_CONTROLLER
    names: Callable[[FederationSettings], Names] = _no_names


class Hub:
    """A Controller of ``rancherctl-federation``: ``reconcile`` is called at each change and twice a second."""

    spec = SPEC

    def __init__(self, api: HubApi, settings: Callable[[str], FederationSettings], options: HubOptions) -> None:
        self._api, self._settings_for, self._options = api, settings, options
        self._handles: dict[str, _Handle] = {}
        self._dirty = threading.Event()
        self._seen: tuple[Any, ...] = ()
        self._due: float | None = None
        self._propagation: Propagation | None = None
        self._names: Names = NoNames()
        self._settings: FederationSettings | None = None

    def reconcile(self, snapshot: Snapshot) -> None:
        """Do what has changed since the last call."""
        if not self._options.leading():
            self._stop_all()
            return
        if not all(snapshot.table(spec.name).synced for spec in SPEC.tables):
            return
        now = self._options.clock()
        seen = tuple(snapshot.table(spec.name).items for spec in SPEC.tables)
        changed = len(seen) != len(self._seen) or any(a is not b for a, b in zip(seen, self._seen, strict=True))
        if not (changed or self._dirty.is_set() or (self._due is not None and now >= self._due)):
            return
        self._dirty.clear()
        self._seen = ()  # a failure below is tried again
        wait = self._work(snapshot)
        self._seen, self._due = seen, now + min(wait or 10.0, 10.0)

    def changed(self) -> None:
        self._dirty.set()
        self._options.wake()

    def _work(self, snapshot: Snapshot) -> float | None:
        view = hub_tables.hub_view(snapshot)
        if self._propagation is None:
            uid = view.namespaces["kube-system"].meta.uid
            self._settings = self._settings_for(uid)
            self._names = self._options.names(self._settings)
            self._propagation = Propagation(self._api, self._settings, clock=self._options.clock, now=self._options.now)
        found: Mapping[str, Cluster] = snapshot.table(clusters.TABLE.name).items
        self._connect(found, snapshot.table(CREDENTIALS.name).items)
        members = {name: self._member(found[name], handle) for name, handle in self._handles.items()}
        workers = {name: handle.worker for name, handle in self._handles.items()}
        wait = self._propagation.reconcile(
            view, members, workers, self._names.withdrawn(), self._names.dns(), named=self._names.settled
        )
        self._names.want(
            self._propagation.services,
            places=[p for m in members.values() for p in (m.topology.place, *m.topology.addresses.values())],
            gone=unpublished(view.services, members),
            left=[name for name, member in members.items() if member.leaving],
            members=[name for name, member in members.items() if not member.leaving],
            settled=all(m.view.known or self._handles[n].connection.state.error for n, m in members.items()),
        )
        self._requests(snapshot)
        for name, member in sorted(members.items()):
            self._handles[name].vantage.want(self._names.targets(name))
            self._handles[name].synced = found[name].sync
            try:
                self._cluster(found[name], member, self._handles[name].connection)
            except (ConflictError, NotFoundError) as error:
                # It changed or went meanwhile: the watch brings what is there now.
                log.info("member %s: %s", name, error)
                wait = 1.0 if wait is None else min(wait, 1.0)
        return wait

    def _requests(self, snapshot: Snapshot) -> None:
        """Carry out what command lines ask for in the ConfigMap REQUESTS, once."""
        stored = snapshot.table(hub_tables.PENDING.name).items.get(f"{FEDERATION_CONTROLLER}/{REQUESTS}")
        if stored is None or not stored.data:
            return
        for name in sorted(name for name, what in stored.data.items() if what == ADOPT):
            log.info("adopting the records of %s, as requested", name)
            self._names.adopt(name)
        if FORCE in stored.data.values():
            log.info("deleting the names that belong to nothing, as requested")
            self._names.force()
        done = {"metadata": {"resourceVersion": stored.meta.resource_version}, "data": dict.fromkeys(stored.data)}
        self._api.patch(CONFIGMAPS, REQUESTS, done, namespace=FEDERATION_CONTROLLER)

    def _connect(self, found: Mapping[str, Cluster], secrets: Mapping[str, Secret]) -> None:
        """Begin and end connections, so that there is one for each member with a credential."""
        credentials = {
            name: _credential(secrets.get(f"{FEDERATION_CONTROLLER}/{c.secret}")) for name, c in found.items()
        }
        for name in list(self._handles):
            member = found.get(name)
            if (
                member is None
                or credentials[name] is None
                or self._outdated(self._handles[name], member, credentials[name])
            ):
                self._stop(name)
        for name, member in found.items():
            credential = credentials[name]
            if name not in self._handles and credential is not None and member.servers:
                self._start(member, credential, 0)
            elif name in self._handles:
                self._next_server(self._handles[name], member)

    @staticmethod
    def _outdated(handle: _Handle, member: Cluster, credential: Credential | None) -> bool:
        """Whether the connection was made for another address, trust or session."""
        if credential is None:
            return True
        refused = handle.connection.state.credential
        replaced = bool(refused) and credential.renewer != handle.connection.credential.renewer
        return replaced or handle.identity != _identity(member, credential.session_uid)

    def _next_server(self, handle: _Handle, member: Cluster) -> None:
        """Try the next address of a member whose API does not answer at this one."""
        if handle.connection.state.next_server and len(member.servers) > 1:
            connection = handle.connection
            self._stop(member.meta.name)
            self._start(member, connection.credential, handle.server + 1, replace(connection.state, next_server=False))

    def _start(self, member: Cluster, credential: Credential, server: int, state: Connection | None = None) -> None:
        """Connect; ``state`` is what is known from another server of the member."""
        settings, options, name = self._settings, self._options, member.meta.name
        if settings is None:
            raise ValueError("the settings of the federation are not known yet")
        connection = MemberConnection(
            member,
            settings.name,
            credential,
            gate=options.gate,
            changed=self.changed,
            renewed=lambda token: self._store_token(member.secret, token),
            trust=lambda pem: self._store_trust(member, pem),
            server=server,
            state=state,
            agent=options.agent,
            clock=options.clock,
        )
        worker = MemberWorker(
            name,
            (settings.name, settings.uid),
            connection.api,
            leading=options.leading,
            changed=self.changed,
            now=options.now,
            clock=options.clock,
        )
        names = self._names
        vantage = VantageLink(settings.name, name, connection.api, lambda results: names.report(name, results))
        self._handles[name] = _Handle(_identity(member, credential.session_uid), connection, worker, vantage, server)
        self._handles[name].synced = member.sync
        connection.start()
        worker.start()
        vantage.start()
        log.info("member %s: connecting to %s", name, member.servers[server % len(member.servers)])

    def _stop(self, name: str) -> None:
        handle = self._handles.pop(name)
        # The streams are closed first, so that the threads that wait for them end at once.
        handle.connection.stop()
        handle.vantage.stop()
        handle.worker.stop(1.0)

    def _stop_all(self) -> None:
        for name in list(self._handles):
            self._stop(name)
        if self._propagation is not None:
            self._names.stop()
            self._propagation = None
        self._seen = ()

    def stop(self) -> None:
        """End all connections."""
        self._stop_all()

    def _member(self, found: Cluster, handle: _Handle) -> Member:
        view = handle.worker.view()
        leaving = found.meta.deleting
        leave = found.leave if leaving and self._names.gone(found.meta.name) else ""
        return Member(
            found.meta.name,
            found.meta.labels,
            found.addresses,
            drained=found.suspended,
            leaving=leaving,
            leave=leave,
            force=bool(found.sync) and found.sync != handle.synced,
            topology=topology(found.region, found.zones, found.meta.labels, view.nodes),
            view=view,
        )

    def _cluster(self, found: Cluster, member: Member, connection: MemberConnection) -> None:
        """Write the member's status and finalizer, where they differ."""
        name = found.meta.name
        if found.meta.deleting:
            if member.leave and found.guarded and member.view.reachable and self._left(member):
                rest = [f for f in found.finalizers if f != LEAVE_FINALIZER]
                self._metadata(found, {"finalizers": rest})
                log.info("member %s has left", name)
                return
        elif not found.guarded:
            self._metadata(found, {"finalizers": [*found.finalizers, LEAVE_FINALIZER]})
            return
        status = MemberStatus(
            connection.state,
            member.topology.place.region or "",
            member.topology.zones,
            counts(member.view.states),
            _synced(member),
            self._serving(found),
            member.topology.problems,
        )
        body = clusters.status_body(found, status, self._options.now())
        if body is not None:
            self._api.apply(CLUSTERS, body, manager=FEDERATION_CONTROLLER, subresource="status")

    def _serving(self, found: Cluster) -> Condition:
        if found.suspended:
            return Condition(SERVING, "False", "Drained", "rancherctl federation undrain ends this")
        return self._names.serving(found.meta.name)

    def _left(self, member: Member) -> bool:
        uid = self._settings.uid if self._settings else ""
        return not any(copy.federation_uid == uid for copy in member.view.copies.values())

    def _metadata(self, found: Cluster, change: Json) -> None:
        body = {"metadata": {"resourceVersion": found.meta.resource_version, **change}}
        self._api.patch(CLUSTERS, found.meta.name, body)

    def _store_token(self, secret: str, token: str) -> None:
        self._api.patch(SECRETS, secret, {"stringData": {tokens.TOKEN_KEY: token}}, namespace=FEDERATION_CONTROLLER)

    def _store_trust(self, member: Cluster, pem: bytes) -> None:
        import base64

        body = {"spec": {"caBundle": base64.b64encode(pem).decode()}}
        self._api.patch(CLUSTERS, member.meta.name, body)


def _identity(member: Cluster, session: str) -> tuple[Any, ...]:
    return member.meta.uid, member.servers, member.server_name, member.ca, session


def _credential(secret: Secret | None) -> Credential | None:
    """The credential in a member's Secret; None if it is not complete."""
    if secret is None:
        return None
    token, uid = (
        secret.data.get(key, b"").decode("utf-8", "replace") for key in (tokens.TOKEN_KEY, tokens.SESSION_UID_KEY)
    )
    return Credential(token, uid) if token and uid else None


def _synced(member: Member) -> Condition:
    """The condition Synced: what is not as the federation wants it, worst first."""
    view = member.view
    if not view.known:
        return Condition(SYNCED, "Unknown", "NotSeen")
    if view.held:
        why = (
            f"{plural(len(view.held), 'copy', 'copies')} would go without having been deleted "
            f"({and_more([str(i) for i in sorted(view.held)], shown=20)}): "
            f"rancherctl federation sync --force {member.name} carries it out"
        )
        return Condition(SYNCED, "False", "Held", why)
    wrong = {i: s for i, s in view.states.items() if s.state in (State.CONFLICT, State.FAILED)}
    if wrong:
        first = min(wrong)
        listed = and_more([str(i) for i in sorted(wrong)])
        reason = "MemberTooOld" if all(s.reason == "MemberTooOld" for s in wrong.values()) else "Conflicts"
        return Condition(SYNCED, "False", reason, f"{listed}: {wrong[first].why}")
    if view.trouble:
        return Condition(SYNCED, "False", "Failing", view.trouble)
    waiting = sum(s.state is State.PENDING for s in view.states.values())
    if waiting:
        return Condition(SYNCED, "False", "Pending", f"{plural(waiting, 'copy', 'copies')} not written yet")
    return Condition(SYNCED, "True", "InSync")
