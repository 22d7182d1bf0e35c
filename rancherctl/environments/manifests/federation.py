"""What a federation has in its own API beside other environments: kind Cluster, rights, admission policies. Pure.

Its Pods would never run, and other kinds of objects stay there and do nothing: the policies say so.
"""

from __future__ import annotations

from typing import Any, Final

from rancherctl.contract import FEDERATION_CONTROLLER, FEDERATION_GROUP, FEDERATION_IDENTITY, NAMESPACE
from rancherctl.environments.manifests.base import meta
from rancherctl.environments.manifests.policies import policy
from rancherctl.environments.manifests.rights import binding, role
from rancherctl.kube.client import Json
from rancherctl.kube.rbac import rule

ANY: Final = "true"
FEDERATED: Final = ("Service", "Namespace")
_TEXT: Final = {"type": "string"}
_TEXTS: Final = {"type": "array", "items": _TEXT}


def federation() -> list[Json]:
    """All of it, in the order in which it can be created."""
    return [cluster_kind(), *_rights(), *_policies()]


def _condition() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["type", "status"],
        "properties": {
            "type": _TEXT,
            "status": _TEXT,
            "reason": _TEXT,
            "message": _TEXT,
            "lastTransitionTime": {"type": "string", "format": "date-time"},
            "observedGeneration": {"type": "integer", "format": "int64"},
        },
    }


def _spec() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["servers"],
        "properties": {
            "mode": {"type": "string", "enum": ["Push"], "default": "Push"},
            "servers": {
                **_TEXTS,
                "minItems": 1,
                "description": "URLs of the member's API; the first that proves itself is used.",
            },
            "serverName": {**_TEXT, "description": "Name in the API's certificate, if it is none of the servers."},
            "caBundle": {
                "type": "string",
                "format": "byte",
                "description": "Certificate authorities of the API (PEM).",
            },
            "credentials": {
                "type": "object",
                "properties": {"secretRef": {"type": "object", "required": ["name"], "properties": {"name": _TEXT}}},
            },
            "kinds": {**_TEXTS, "description": "What the member lets the federation write."},
            "region": {**_TEXT, "description": "By default the region of the member's Nodes."},
            "zones": {**_TEXTS, "description": "By default the zones of the member's Nodes."},
            "weight": {"type": "integer", "minimum": 0, "default": 1},
            "addresses": {**_TEXTS, "description": "Addresses and networks that the member may publish."},
            "suspended": {"type": "boolean", "default": False, "description": "Drained: no names, no new copies."},
        },
    }


def _status() -> dict[str, Any]:
    numbers = {key: {"type": "integer"} for key in ("wanted", "inSync", "conflicts", "pending")}
    return {
        "type": "object",
        "properties": {
            "uid": {**_TEXT, "description": "uid of the member's namespace kube-system."},
            "version": {"type": "object", "properties": {"kubernetes": _TEXT}},
            "region": _TEXT,
            "zones": _TEXTS,
            "copies": {"type": "object", "properties": numbers},
            "renewedAt": {"type": "string", "format": "date-time"},
            "conditions": {
                "type": "array",
                "items": _condition(),
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
            },
        },
    }


def cluster_kind() -> Json:
    """The CustomResourceDefinition of Cluster: a member of the federation."""

    def column(name: str, path: str, kind: str = "string") -> dict[str, Any]:
        return {"name": name, "type": kind, "jsonPath": path}

    def state(condition: str) -> str:
        return f'.status.conditions[?(@.type=="{condition}")].status'

    columns = [
        column("Ready", state("Ready")),
        column("Serving", state("Serving")),
        column("Region", ".status.region"),
        column("Zones", ".status.zones"),
        column("Version", ".status.version.kubernetes"),
        column("Age", ".metadata.creationTimestamp", "date"),
    ]
    schema = {"type": "object", "required": ["spec"], "properties": {"spec": _spec(), "status": _status()}}
    version = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns,
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": meta(f"clusters.{FEDERATION_GROUP}"),
        "spec": {
            "group": FEDERATION_GROUP,
            "scope": "Cluster",
            "names": {"plural": "clusters", "singular": "cluster", "kind": "Cluster", "listKind": "ClusterList"},
            "versions": [version],
        },
    }


def _rights() -> list[Json]:
    """What rancherctl-federation may do: write metadata and statuses of federated objects, and its own namespace."""
    read = ("get", "list", "watch")
    every = [
        rule("", ("services", "namespaces"), (*read, "patch")),
        rule("", ("services/status",), ("patch",)),
        rule(FEDERATION_GROUP, ("clusters",), (*read, "patch")),
        rule(FEDERATION_GROUP, ("clusters/status",), ("patch",)),
        rule("", ("events",), ("create", "patch")),
    ]
    own = [
        rule("", ("configmaps", "secrets"), (*read, "create", "update", "patch", "delete")),
    ]
    lease = [
        rule("coordination.k8s.io", ("leases",), ("create",)),
        rule("coordination.k8s.io", ("leases",), ("get", "update"), (FEDERATION_CONTROLLER,)),
    ]
    name = FEDERATION_IDENTITY
    return [
        role(name, every),
        binding(name, name, "User", name),
        role(name, own, FEDERATION_CONTROLLER),
        binding(name, name, "User", name, FEDERATION_CONTROLLER, cluster_role=False),
        role(name, lease, NAMESPACE),
        binding(name, name, "User", name, NAMESPACE, cluster_role=False),
    ]


def _policies() -> list[Json]:
    """Pods are refused, and other kinds that are not federated are answered with a warning."""
    stays = "stays in the federation and does nothing there: federated kinds are Namespace and Service"
    create = ("CREATE",)
    refused = {"false": "a federation runs no pods: create Services here, and workloads in the members"}
    warned = {"false": stays}
    return [
        *policy("rancherctl-federation-no-pods", ["pods", "replicationcontrollers"], create, ANY, refused),
        *policy("rancherctl-federation-no-replicasets", ["replicasets"], create, ANY, refused, group="apps"),
        *policy(
            "rancherctl-federation-inert-core",
            ["persistentvolumeclaims", "configmaps", "secrets"],
            create,
            "!(request.namespace.startsWith('kube-') || request.namespace.startsWith('rancherctl-'))",
            warned,
            action="Warn",
            failure="Ignore",
        ),
        *policy(
            "rancherctl-federation-inert-apps",
            ["deployments", "statefulsets", "daemonsets"],
            create,
            ANY,
            warned,
            group="apps",
            action="Warn",
            failure="Ignore",
        ),
        *policy(
            "rancherctl-federation-inert-batch",
            ["jobs", "cronjobs"],
            create,
            ANY,
            warned,
            group="batch",
            action="Warn",
            failure="Ignore",
        ),
        *policy(
            "rancherctl-federation-inert-ingresses",
            ["ingresses"],
            create,
            ANY,
            warned,
            group="networking.k8s.io",
            action="Warn",
            failure="Ignore",
        ),
    ]
