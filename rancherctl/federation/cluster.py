"""The kind Cluster: a member of the federation as its object says, and the status that it gets. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rancherctl.contract import FEDERATION_GROUP, FEDERATION_PREFIX, LEAVE_FINALIZER
from rancherctl.federation.conditions import (
    CONTROL_PLANE_HEALTHY,
    CREDENTIAL_VALID,
    JOINED,
    READY,
    SERVING,
    SYNCED,
    TOPOLOGY_KNOWN,
    Condition,
    differ,
    rendered,
)
from rancherctl.kube import objects
from rancherctl.kube.client import Resource
from rancherctl.kube.objects import Meta
from rancherctl.kube.tables import TableSpec

CLUSTERS: Final = Resource(FEDERATION_GROUP, "v1alpha1", "clusters", "Cluster", namespaced=False)
LEAVE_ANNOTATION: Final = f"{FEDERATION_PREFIX}services"
"""On a Cluster that is being deleted: ``keep`` or ``delete`` its copies; without it they are kept."""
ADDRESSES_ANNOTATION: Final = f"{FEDERATION_PREFIX}addresses"
"""On a Cluster whose spec.addresses were given by people: a later join keeps them."""
SYNC_ANNOTATION: Final = f"{FEDERATION_PREFIX}sync"
"""On a Cluster: carry out deletes that are held, once for each new value."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A member. ``ca``: PEM. ``secret``: name of the Secret with the renewer's token. ``leave``: "" or keep, delete."""

    meta: Meta
    servers: tuple[str, ...]
    server_name: str = ""
    ca: bytes = b""
    secret: str = ""
    kinds: tuple[str, ...] = ()
    region: str = ""
    zones: tuple[str, ...] = ()
    weight: int = 1
    addresses: tuple[str, ...] = ()
    suspended: bool = False
    finalizers: tuple[str, ...] = ()
    leave: str = ""
    sync: str = ""
    status: Mapping[str, Any] = field(default_factory=dict)

    @property
    def guarded(self) -> bool:
        """Whether its deletion waits until it has left."""
        return LEAVE_FINALIZER in self.finalizers


def cluster(obj: Mapping[str, Any]) -> Cluster:
    """Parse a Cluster."""
    meta, spec = objects.meta(obj), obj.get("spec") or {}
    try:
        ca = base64.b64decode(spec.get("caBundle") or "", validate=True)
    except (binascii.Error, ValueError):
        ca = b""
    leave = meta.annotations.get(LEAVE_ANNOTATION, "keep")
    return Cluster(
        meta,
        tuple(spec.get("servers") or ()),
        str(spec.get("serverName") or ""),
        ca,
        str(((spec.get("credentials") or {}).get("secretRef") or {}).get("name") or ""),
        tuple(spec.get("kinds") or ()),
        str(spec.get("region") or ""),
        tuple(spec.get("zones") or ()),
        int(spec.get("weight", 1)),
        tuple(spec.get("addresses") or ()),
        bool(spec.get("suspended")),
        tuple((obj.get("metadata") or {}).get("finalizers") or ()),
        (leave if leave in ("keep", "delete") else "keep") if meta.deleting else "",
        meta.annotations.get(SYNC_ANNOTATION, ""),
        obj.get("status") or {},
    )


TABLE: Final = TableSpec("clusters", CLUSTERS, cluster)


@dataclass(frozen=True, slots=True)
class Connection:
    """What is known of the connection to a member. ``error``: "" if its API answers.

    ``identity``: its uid if it is another cluster than the one that joined; ``credential``: why the credential does not
    work ("" if it does); ``expires_in``: seconds that the renewer's token has left. ``next_server``: this address did
    not answer several checks in a row.
    """

    uid: str = ""
    version: str = ""
    error: str = ""
    checked: bool = False
    identity: str = ""
    credential: str = ""
    expires_in: float | None = None
    next_server: bool = False


_NOT_SEEN: Final = Condition(SYNCED, "Unknown", "NotSeen")
_NOT_CHECKED: Final = Condition(SERVING, "Unknown", "NotChecked")


@dataclass(frozen=True, slots=True)
class MemberStatus:
    """The parts of a Cluster's status that the Hub knows."""

    connection: Connection
    region: str = ""
    zones: tuple[str, ...] = ()
    copies: Mapping[str, int] = field(default_factory=dict)
    synced: Condition = _NOT_SEEN
    serving: Condition = _NOT_CHECKED
    topology: tuple[str, ...] = ()


EXPIRING_SECONDS: Final = 7 * 24 * 3600.0


def conditions(status: MemberStatus) -> tuple[Condition, ...]:
    """All conditions of a Cluster."""
    connection = status.connection
    answers = _control_plane(connection)
    credential = _credential(connection)
    joined = Condition(JOINED, "True" if connection.uid else "Unknown", "Joined" if connection.uid else "NotSeen")
    first = next((c for c in (joined, answers, credential) if c.status != "True"), None)
    located = status.region and status.zones
    return (
        joined,
        answers,
        credential,
        status.synced,
        status.serving,
        Condition(
            TOPOLOGY_KNOWN,
            "True" if located else "False",
            "Known" if located else "LabelMissing",
            "; ".join(status.topology) or ("" if located else _UNKNOWN_PLACE),
        ),
        Condition(READY, "True", "Ready") if first is None else Condition(READY, "False", first.reason, first.message),
    )


_UNKNOWN_PLACE: Final = (
    "label its Nodes with topology.kubernetes.io/region and topology.kubernetes.io/zone, or set spec.region and "
    "spec.zones: until then it has no names of its own region and zone"
)


def _control_plane(connection: Connection) -> Condition:
    if not connection.checked:
        return Condition(CONTROL_PLANE_HEALTHY, "Unknown", "NotSeen")
    if connection.error:
        return Condition(CONTROL_PLANE_HEALTHY, "False", "Unreachable", connection.error)
    return Condition(CONTROL_PLANE_HEALTHY, "True", "Reachable")


def _credential(connection: Connection) -> Condition:
    if connection.identity:
        why = f"the cluster at this address is another one (uid {connection.identity}): nothing is written there"
        return Condition(CREDENTIAL_VALID, "False", "IdentityChanged", why)
    if connection.credential:
        return Condition(CREDENTIAL_VALID, "False", "CredentialExpired", connection.credential)
    if connection.expires_in is not None and connection.expires_in < EXPIRING_SECONDS:
        days = connection.expires_in / 86400
        why = f"the credential expires in {days:.1f} days and could not be renewed: join the member again with --renew"
        return Condition(CREDENTIAL_VALID, "True", "CredentialExpiring", why)
    if not connection.checked:
        return Condition(CREDENTIAL_VALID, "Unknown", "NotSeen")
    return Condition(CREDENTIAL_VALID, "True", "Valid")


def status_body(member: Cluster, status: MemberStatus, now: str) -> dict[str, Any] | None:
    """The body of a server-side apply of the status; None if what is stored says the same. ``now``: RFC 3339."""
    stored, wanted = member.status.get("conditions"), conditions(status)
    uid = status.connection.uid or str(member.status.get("uid", ""))
    version = status.connection.version or str((member.status.get("version") or {}).get("kubernetes", ""))
    out: dict[str, Any] = {
        "uid": uid,
        "version": {"kubernetes": version},
        "region": status.region,
        "zones": list(status.zones),
        "copies": dict(status.copies),
    }
    if {key: member.status.get(key) for key in out} == out and not differ(wanted, stored):
        return None
    out["conditions"] = rendered(wanted, stored, now)
    return {"metadata": {"name": member.meta.name, "uid": member.meta.uid}, "status": out}
