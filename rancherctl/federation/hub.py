"""Hub: the federation's process at work. It hands each member what it is to have, and writes statuses.

One Hub runs where the process leads; a standby only watches the federation's own API.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rancherctl.contract import FEDERATION_CONTROLLER
from rancherctl.errors import ConflictError, NotFoundError
from rancherctl.federation import cluster as clusters
from rancherctl.federation import hub_tables
from rancherctl.federation.apis import HubApi
from rancherctl.federation.cluster import Cluster
from rancherctl.federation.cluster_writer import ClusterWriter
from rancherctl.federation.host_names import HostNames
from rancherctl.federation.hub_options import HubOptions
from rancherctl.federation.hub_tables import CREDENTIALS
from rancherctl.federation.member_links import MemberLink, MemberLinks
from rancherctl.federation.model import FederationSettings, Lookup
from rancherctl.federation.propagation import HubView, Propagation
from rancherctl.federation.public_names import Names
from rancherctl.federation.shards import Member
from rancherctl.federation.topology import topology
from rancherctl.federation.wanted import unpublished
from rancherctl.federation.zone_report import ADOPT, FORCE, RELEASE, REQUESTS
from rancherctl.kube.client import CONFIGMAPS
from rancherctl.kube.snapshot import Snapshot
from rancherctl.role_spec import ControllerSpec

log = logging.getLogger(__name__)
SPEC: Final = ControllerSpec("federation", (*hub_tables.TABLES, clusters.TABLE, CREDENTIALS))


@dataclass(frozen=True, slots=True)
class _Term:
    """What the Hub works with from the moment when it leads until it does not."""

    names: Names
    links: MemberLinks
    propagation: Propagation
    clusters: ClusterWriter
    hosts: HostNames


class Hub:
    """A Controller of ``rancherctl-federation``: ``reconcile`` is called at each change and twice a second."""

    spec = SPEC

    def __init__(self, api: HubApi, settings: Callable[[str], FederationSettings], options: HubOptions) -> None:
        self._api, self._settings_for, self._options = api, settings, options
        self._dirty = threading.Event()
        self._seen: tuple[Any, ...] = ()
        self._due: float | None = None
        self._term: _Term | None = None

    @property
    def links(self) -> Mapping[str, MemberLink]:
        """The members that it is connected to."""
        term = self._term
        return term.links.by_name if term is not None else {}

    def reconcile(self, snapshot: Snapshot) -> None:
        """Do what has changed since the last call."""
        if not self._options.leading():
            self.stop()
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
        """Something is known of a member or of public names: asks for a call."""
        self._dirty.set()
        self._options.wake()

    def stop(self) -> None:
        """End all connections, and publish nothing more."""
        if self._term is not None:
            self._term.links.stop()
            self._term.names.stop()
            self._term.hosts.stop()
            self._term = None
        self._seen = ()

    def _begin(self, view: HubView) -> _Term:
        api, options = self._api, self._options
        settings = self._settings_for(view.namespaces["kube-system"].meta.uid)
        names = options.names(settings)
        return _Term(
            names,
            MemberLinks(api, settings, options, changed=self.changed, report=names.report),
            Propagation(api, settings, clock=options.clock, now=options.now),
            ClusterWriter(api, settings.uid, options.now),
            HostNames(settings.zone, options.resolve, changed=self.changed, clock=options.clock),
        )

    def _work(self, snapshot: Snapshot) -> float | None:
        view = hub_tables.hub_view(snapshot)
        term = self._term = self._term or self._begin(view)
        names, links = term.names, term.links.by_name
        found: Mapping[str, Cluster] = snapshot.table(clusters.TABLE.name).items
        term.links.update(found, snapshot.table(CREDENTIALS.name).items)
        hosts = term.hosts.answers()
        members = {name: _member(found[name], link, names, hosts) for name, link in links.items()}
        term.hosts.want({name for member in members.values() for name in member.view.host_names})
        workers = {name: link.worker for name, link in links.items()}
        wait = term.propagation.reconcile(view, members, workers, names.withdrawn(), names.dns(), named=names.settled)
        names.want(
            term.propagation.services,
            places=[p for m in members.values() for p in (m.topology.place, *m.topology.addresses.values())],
            gone=unpublished(view.services, members),
            left=[name for name, member in members.items() if member.leaving],
            members=[name for name, member in members.items() if not member.leaving],
            settled=all(m.view.known or links[n].connection.state.error for n, m in members.items()),
        )
        self._requests(snapshot, names, alone=not found)
        for name, member in sorted(members.items()):
            links[name].vantage.want(names.targets(name))
            links[name].synced = found[name].sync
            try:
                term.clusters.write(found[name], member, links[name].connection.state, names.serving(name))
            except (ConflictError, NotFoundError) as error:
                # It changed or went meanwhile: the watch brings what is there now.
                log.info("member %s: %s", name, error)
                wait = 1.0 if wait is None else min(wait, 1.0)
        return wait

    def _requests(self, snapshot: Snapshot, names: Names, *, alone: bool) -> None:
        """Carry out what command lines ask for in the ConfigMap REQUESTS, once. ``alone``: without members."""
        stored = snapshot.table(hub_tables.PENDING.name).items.get(f"{FEDERATION_CONTROLLER}/{REQUESTS}")
        if stored is None or not stored.data:
            return
        for name in sorted(name for name, what in stored.data.items() if what == ADOPT):
            log.info("adopting the records of %s, as requested", name)
            names.adopt(name)
        if FORCE in stored.data.values():
            log.info("deleting the names that belong to nothing, as requested")
            names.force()
        if RELEASE in stored.data.values() and alone:
            log.info("deleting all names and the zone marker, as requested")
            names.release()
        done = {"metadata": {"resourceVersion": stored.meta.resource_version}, "data": dict.fromkeys(stored.data)}
        self._api.patch(CONFIGMAPS, REQUESTS, done, namespace=FEDERATION_CONTROLLER)


def _member(found: Cluster, link: MemberLink, names: Names, hosts: Mapping[str, Lookup]) -> Member:
    view = link.worker.view()
    leaving = found.meta.deleting
    return Member(
        found.meta.name,
        found.meta.labels,
        found.addresses,
        drained=found.suspended,
        leaving=leaving,
        leave=found.leave if leaving and names.gone(found.meta.name) else "",
        force=bool(found.sync) and found.sync != link.synced,
        topology=topology(found.region, found.zones, found.meta.labels, view.nodes),
        hosts={name: hosts[name] for name in view.host_names if name in hosts},
        view=view,
    )
