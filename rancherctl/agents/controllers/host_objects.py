"""HostObjectsController: create the Lease and the report that each host's agent may only update."""

from __future__ import annotations

import logging

from rancherctl.agents.controllers.roster import inputs_known
from rancherctl.agents.fence import Fenced
from rancherctl.agents.heartbeat import lease_name
from rancherctl.agents.host_report_writer import report_name
from rancherctl.agents.leader import Leader
from rancherctl.agents.liveness import suspicious
from rancherctl.contract import NAMESPACE
from rancherctl.errors import ConflictError, NotFoundError
from rancherctl.kube.client import CONFIGMAPS, LEASES, Resource
from rancherctl.kube.objects import Meta
from rancherctl.kube.snapshot import Snapshot
from rancherctl.roles import controllers

log = logging.getLogger(__name__)


class HostObjectsController:
    """Keep one Lease and one report for each Node; delete those of Nodes that were deleted."""

    spec = controllers.HOST_OBJECTS

    def __init__(self, client: Fenced, leader: Leader) -> None:
        self._client, self._leader = client, leader

    def reconcile(self, snapshot: Snapshot) -> None:
        """Create what is missing and delete what has no Node."""
        if not self._leader.leading or not inputs_known(snapshot):
            return
        nodes = snapshot.table("nodes").items
        for resource, table, name in ((LEASES, "leases", lease_name), (CONFIGMAPS, "configmaps", report_name)):
            existing: dict[str, Meta] = {
                key.partition("/")[2]: view.meta for key, view in snapshot.table(table).items.items()
            }
            wanted = {name(node) for node in nodes}
            for missing in sorted(wanted - existing.keys()):
                self._create(resource, missing)
            stale = {n for n in existing.keys() - wanted if n.startswith(name(""))}
            # An API that lost its Nodes must not take the hosts' reports with them.
            if stale and not suspicious(len(stale), len(stale) + len(wanted)):
                for each in sorted(stale):
                    self._delete(resource, existing[each])

    def _create(self, resource: Resource, name: str) -> None:
        group = f"{resource.group}/" if resource.group else ""
        body = {
            "apiVersion": f"{group}{resource.version}",
            "kind": resource.kind,
            "metadata": {"name": name, "namespace": NAMESPACE},
        }
        try:
            self._client.create(resource, body, namespace=NAMESPACE)
        except ConflictError as error:
            log.debug("%s already exists: %s", name, error)

    def _delete(self, resource: Resource, old: Meta) -> None:
        """Delete exactly the version that was seen; if it changed meanwhile, the next call decides."""
        if old.deleting:  # a finalizer may delay the deletion: do not repeat it several times a second
            return
        seen = {"uid": old.uid, "resourceVersion": old.resource_version}
        try:
            self._client.delete(resource, old.name, namespace=NAMESPACE, options={"preconditions": seen})
        except (ConflictError, NotFoundError) as error:
            log.debug("%s changed or was deleted meanwhile: %s", old.name, error)
