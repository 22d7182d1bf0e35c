"""What the federation's process watches in its own API beside Clusters, and how a snapshot becomes a HubView."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rancherctl.contract import FEDERATION_CONTROLLER
from rancherctl.federation import pending, tokens
from rancherctl.federation.objects import federated_namespace, federated_service
from rancherctl.federation.propagation import HubView, PendingMap
from rancherctl.kube import client, objects
from rancherctl.kube.snapshot import Snapshot
from rancherctl.kube.tables import TableSpec

SERVICES: Final = TableSpec("services", client.SERVICES, federated_service)
NAMESPACES: Final = TableSpec("namespaces", client.NAMESPACES, federated_namespace)
PENDING: Final = TableSpec("configmaps", client.CONFIGMAPS, objects.config_map, FEDERATION_CONTROLLER)
TABLES: Final = (SERVICES, NAMESPACES, PENDING)
"""What propagation needs."""
CREDENTIALS: Final = TableSpec(
    "secrets",
    client.SECRETS,
    lambda obj: objects.secret(obj, (tokens.TOKEN_KEY, tokens.SESSION_UID_KEY)),
    FEDERATION_CONTROLLER,
)


def hub_view(snapshot: Snapshot) -> HubView:
    """The federation's objects; keys of Services are ``namespace/name``, of pending maps names of members."""
    maps: Mapping[str, Any] = snapshot.table(PENDING.name).items
    found: dict[str, PendingMap] = {}
    for stored in maps.values():
        name = stored.meta.name
        if name.startswith(pending.PENDING_PREFIX):
            member = name.removeprefix(pending.PENDING_PREFIX)
            found[member] = PendingMap(member, stored.meta.resource_version, pending.parse(stored.data))
    return HubView(snapshot.table(SERVICES.name).items, snapshot.table(NAMESPACES.name).items, found)


def complete(snapshot: Snapshot) -> bool:
    """Whether all of it has been listed: before that nothing may be decided."""
    return all(snapshot.table(spec.name).synced for spec in TABLES)
