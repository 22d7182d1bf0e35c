"""Parsers: federated objects in the federation's API, and their copies in a member, as slim views. Pure.

Facts about the API behind them: managers are computed before allocation; a namespace's delete removes ``orphan`` from
its content; EndpointSlices inherit the labels of their Service, mirrored ones do not.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from rancherctl.contract import (
    ADOPTED_ANNOTATION,
    COPIES_FINALIZER,
    DIGEST_ANNOTATION,
    FEDERATION_CONTROLLER,
    FEDERATION_LABEL,
    FEDERATION_PREFIX,
    FEDERATION_UID_ANNOTATION,
    SOURCE_UID_ANNOTATION,
)
from rancherctl.federation import options, projection
from rancherctl.federation.options import Options
from rancherctl.kube import objects
from rancherctl.kube.client import NAMESPACES, SERVICES, Resource
from rancherctl.kube.objects import Meta
from rancherctl.net import is_ip
from rancherctl.text import short_digest

Json = Mapping[str, Any]

ORPHAN_ANNOTATION: Final = f"{FEDERATION_PREFIX}orphan"
"""On an object that is being deleted: its copies stay. Set when ``orphan`` is first seen, and never taken back."""
ORPHAN_FINALIZER: Final = "orphan"
FOREGROUND_FINALIZER: Final = "foregroundDeletion"
_RESOURCES: Final[Mapping[str, Resource]] = {"Service": SERVICES, "Namespace": NAMESPACES}


class ObjectId(NamedTuple):
    """A federated object and its copies: kind, and ``namespace/name`` (``name`` for a Namespace)."""

    kind: str
    key: str

    @property
    def namespace(self) -> str:
        """The namespace; "" for a Namespace."""
        return self.key.rpartition("/")[0]

    @property
    def name(self) -> str:
        """The name without the namespace."""
        return self.key.rpartition("/")[2]

    @property
    def resource(self) -> Resource:
        """Where the API has objects of this kind."""
        return _RESOURCES[self.kind]

    @property
    def in_namespace(self) -> ObjectId:
        """The Namespace that the object is in."""
        return ObjectId("Namespace", self.namespace)

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


@dataclass(frozen=True, slots=True)
class Federated:
    """An object of the federation. ``body``: what its copies get; ``digest`` of that.

    ``spec_digest``, ``node_ports`` and ``family_policy`` are what a copy's spec is compared with. ``published`` are the
    addresses in its status, ``status`` its status annotation, ``conditions`` the status's own. ``orphan``: its copies
    stay when it is deleted; ``noted_orphan``: that is written on it, so that no later delete can take it back.
    """

    id: ObjectId
    meta: Meta
    body: Json
    digest: str
    options: Options = field(default_factory=Options)
    finalizers: tuple[str, ...] = ()
    orphan: bool = False
    noted_orphan: bool = False
    spec_digest: str = ""
    node_ports: tuple[tuple[str, int], ...] = ()
    family_policy: str = ""
    type: str = ""
    published: tuple[str, ...] = ()
    status: str = ""
    conditions: tuple[Mapping[str, Any], ...] = ()

    @property
    def guarded(self) -> bool:
        """Whether it has the finalizer that copies need."""
        return COPIES_FINALIZER in self.finalizers


@dataclass(frozen=True, slots=True)
class CopyView:
    """A copy in a member. ``labels`` and ``annotations`` are those that may have been copied.

    ``unconverted``: the API server still counts our first write as an Update, so that a server-side apply would leave
    old fields behind. ``addresses`` and ``host_names`` are those of its load balancer, ``ports`` its TCP ports.
    """

    id: ObjectId
    uid: str
    resource_version: str
    federation: str = ""
    federation_uid: str = ""
    source_uid: str = ""
    digest: str = ""
    adopted: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    spec_digest: str = ""
    node_ports: tuple[tuple[str, int], ...] = ()
    family_policy: str = ""
    unconverted: bool = False
    deleting: bool = False
    type: str = ""
    addresses: tuple[str, ...] = ()
    host_names: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    has_selector: bool = True


def federated_service(obj: Json) -> Federated:
    """A Service of the federation."""
    return federated("Service", obj)


def federated_namespace(obj: Json) -> Federated:
    """A Namespace of the federation."""
    return federated("Namespace", obj)


def federated(kind: str, obj: Json) -> Federated:
    """An object of the federation, whose ``kind`` is Service or Namespace."""
    meta = objects.meta(obj)
    metadata, spec, status = obj.get("metadata") or {}, obj.get("spec") or {}, obj.get("status") or {}
    finalizers = tuple(metadata.get("finalizers") or ())
    body = projection.body(kind, obj)
    wanted = body.get("spec") or {}
    load_balancer = (status.get("loadBalancer") or {}).get("ingress") or ()
    kept = {k: v for k, v in meta.annotations.items() if k in (options.STATUS, ORPHAN_ANNOTATION)}
    return Federated(
        id=ObjectId(kind, meta.key),
        meta=Meta(meta.namespace, meta.name, meta.uid, meta.resource_version, meta.created, {}, {}, meta.deleting),
        body=body,
        digest=short_digest(json.dumps(body, sort_keys=True, separators=(",", ":")), 16),
        options=options.parse(meta.annotations),
        finalizers=finalizers,
        orphan=ORPHAN_FINALIZER in finalizers or kept.get(ORPHAN_ANNOTATION) == "true",
        noted_orphan=kept.get(ORPHAN_ANNOTATION) == "true",
        spec_digest=projection.spec_digest(wanted) if kind == "Service" else "",
        node_ports=projection.node_ports(wanted),
        family_policy=str(wanted.get("ipFamilyPolicy") or ""),
        type=str(spec.get("type") or ""),
        published=tuple(str(entry.get("ip") or "") for entry in load_balancer),
        status=kept.get(options.STATUS, ""),
        conditions=tuple(status.get("conditions") or ()),
    )


def service_copy(obj: Json) -> CopyView:
    """A Service of a member that has a federation's label."""
    spec, service = obj.get("spec") or {}, objects.service(obj)
    view = _copy("Service", obj)
    return CopyView(
        **view,
        spec_digest=projection.spec_digest(spec),
        node_ports=projection.node_ports(spec),
        family_policy=str(spec.get("ipFamilyPolicy") or ""),
        type=service.type,
        addresses=tuple(a for a in service.lb_addresses if is_ip(a)),
        host_names=tuple(a for a in service.lb_addresses if a and not is_ip(a)),
        ports=tuple(sorted(port.port for port in service.ports if port.protocol == "TCP")),
        has_selector=service.has_selector,
    )


def namespace_copy(obj: Json) -> CopyView:
    """A Namespace of a member that has a federation's label."""
    return CopyView(**_copy("Namespace", obj))


def _copy(kind: str, obj: Json) -> dict[str, Any]:
    meta = objects.meta(obj)
    notes = meta.annotations
    fields = (obj.get("metadata") or {}).get("managedFields") or ()
    return {
        "id": ObjectId(kind, meta.key),
        "uid": meta.uid,
        "resource_version": meta.resource_version,
        "federation": meta.labels.get(FEDERATION_LABEL, ""),
        "federation_uid": notes.get(FEDERATION_UID_ANNOTATION, ""),
        "source_uid": notes.get(SOURCE_UID_ANNOTATION, ""),
        "digest": notes.get(DIGEST_ANNOTATION, ""),
        "adopted": notes.get(ADOPTED_ANNOTATION, ""),
        "labels": _interned(projection.travelling(meta.labels)),
        "annotations": _interned(projection.travelling(notes)),
        "unconverted": any(_is_our_update(entry) for entry in fields),
        "deleting": meta.deleting,
    }


def _is_our_update(entry: Mapping[str, Any]) -> bool:
    """Whether this entry of managedFields is from a create or replace by the federation."""
    ours = entry.get("manager") == FEDERATION_CONTROLLER
    return ours and entry.get("operation") == "Update" and not entry.get("subresource")


def converted(fields: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """managedFields in which our Update entries are Apply entries (of which there is one: the first)."""
    out, applied = [], any(e.get("manager") == FEDERATION_CONTROLLER and e.get("operation") == "Apply" for e in fields)
    for entry in fields:
        if not _is_our_update(entry):
            out.append(entry)
        elif not applied:
            applied = True
            out.append({**entry, "operation": "Apply"})
    return out


def _interned(values: Mapping[str, str]) -> dict[str, str]:
    """Many copies have the same labels: each text is kept once."""
    return {sys.intern(key): sys.intern(value) for key, value in values.items()}


@dataclass(frozen=True, slots=True)
class SliceView:
    """An EndpointSlice of a copy: whether an endpoint is ready."""

    meta: Meta
    service: str
    ready: bool


def slice_view(obj: Json) -> SliceView:
    """An EndpointSlice of a member that has a federation's label, which it inherited from its Service."""
    found = objects.endpoint_slice(obj)
    meta = Meta(found.meta.namespace, found.meta.name, found.meta.uid, found.meta.resource_version)
    return SliceView(meta, f"{found.meta.namespace}/{found.service}", any(e.ready for e in found.endpoints))
