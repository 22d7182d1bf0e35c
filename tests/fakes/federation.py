"""Federated objects and copies for tests: the JSON that an API server would store, and their views."""

from __future__ import annotations

from typing import Any

from rancherctl.contract import (
    COPIES_FINALIZER,
    DIGEST_ANNOTATION,
    FEDERATION_LABEL,
    FEDERATION_UID_ANNOTATION,
    SOURCE_UID_ANNOTATION,
)
from rancherctl.federation.member_view import MemberView
from rancherctl.federation.objects import (
    CopyView,
    Federated,
    federated_namespace,
    federated_service,
    namespace_copy,
    service_copy,
)
from rancherctl.federation.shards import Member
from rancherctl.net import is_ip

Json = dict[str, Any]
FEDERATION, UID = "acme", "fed-uid"


def service_json(
    name: str = "web", namespace: str = "default", *, uid: str = "", finalizer: bool = True, **spec: Any
) -> Json:
    """A Service as the federation's API stores it after ``kubectl create``."""
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": uid or f"uid-{namespace}-{name}",
            "resourceVersion": "7",
            "creationTimestamp": "2026-11-29T00:00:00Z",
            "finalizers": [COPIES_FINALIZER] if finalizer else [],
            "annotations": {},
            "labels": {"app": name},
        },
        "spec": {
            "type": "LoadBalancer",
            "clusterIP": "10.43.7.7",
            "clusterIPs": ["10.43.7.7"],
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "selector": {"app": name},
            "ports": [{"port": 80, "protocol": "TCP", "targetPort": 8080, "nodePort": 31234}],
            "sessionAffinity": "None",
            "externalTrafficPolicy": "Cluster",
            "internalTrafficPolicy": "Cluster",
            "allocateLoadBalancerNodePorts": True,
            **spec,
        },
        "status": {"loadBalancer": {}},
    }


def namespace_json(name: str = "default", *, finalizer: bool = True) -> Json:
    """A Namespace of the federation."""
    return {
        "metadata": {
            "name": name,
            "uid": f"uid-{name}",
            "resourceVersion": "3",
            "finalizers": [COPIES_FINALIZER] if finalizer else [],
            "labels": {"kubernetes.io/metadata.name": name},
        }
    }


def annotated(obj: Json, **annotations: str) -> Json:
    """The object with annotations of the federation: ``adopt="never"``, ``cluster_selector="env=prod"`` …"""
    notes = {f"federation.rancherctl.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
    meta = obj["metadata"]
    return {**obj, "metadata": {**meta, "annotations": {**(meta.get("annotations") or {}), **notes}}}


def deleting(obj: Json, *finalizers: str) -> Json:
    """The object after a DELETE, with more finalizers."""
    meta = obj["metadata"]
    return {
        **obj,
        "metadata": {
            **meta,
            "deletionTimestamp": "2026-11-29T01:00:00Z",
            "finalizers": [*meta["finalizers"], *finalizers],
        },
    }


def copy_json(source: Federated, *, addresses: tuple[str, ...] = (), **spec: Any) -> Json:
    """The copy of a federated object as a member stores it: with a clusterIP and node ports of its own."""
    meta: Json = {
        "name": source.meta.name,
        "uid": f"member-{source.meta.uid}",
        "resourceVersion": "55",
        "labels": {**source.body["metadata"]["labels"], FEDERATION_LABEL: FEDERATION},
        "annotations": {
            **source.body["metadata"]["annotations"],
            FEDERATION_UID_ANNOTATION: UID,
            SOURCE_UID_ANNOTATION: source.meta.uid,
            DIGEST_ANNOTATION: source.digest,
        },
    }
    if source.id.kind == "Namespace":
        return {"metadata": meta}
    ports = [{**port, "nodePort": port.get("nodePort", 30999)} for port in source.body["spec"]["ports"]]
    return {
        "metadata": {**meta, "namespace": source.meta.namespace},
        "spec": {
            **source.body["spec"],
            "clusterIP": "10.43.99.1",
            "clusterIPs": ["10.43.99.1"],
            "ports": ports,
            **spec,
        },
        "status": {"loadBalancer": {"ingress": [_ingress(a) for a in addresses]}},
    }


def _ingress(address: str) -> Json:
    return {"ip": address, "ipMode": "VIP"} if is_ip(address) else {"hostname": address}


def source_of(obj: Json) -> Federated:
    """The view of a federated object."""
    return federated_service(obj) if "spec" in obj else federated_namespace(obj)


def copy_of(source: Federated, **changes: Any) -> CopyView:
    """The view of a copy that is in sync, unless ``changes`` says otherwise."""
    obj = copy_json(source, **changes)
    return service_copy(obj) if source.id.kind == "Service" else namespace_copy(obj)


def member(name: str = "m1", *copies: CopyView, **changes: Any) -> Member:
    """A reachable member with these copies."""
    view = MemberView(
        name,
        known=True,
        reachable=True,
        copies={copy.id: copy for copy in copies},
        ready={copy.id.key: True for copy in copies},
    )
    return Member(name, **{"addresses": ("203.0.113.0/24",), "view": view, **changes})
