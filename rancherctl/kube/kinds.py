"""Map apiVersion and kind to the API's resource: a table for the kinds we use, discovery for the rest."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any, Protocol

from rancherctl.errors import NotFoundError, UsageError
from rancherctl.kube import client as c
from rancherctl.kube.client import Resource

RBAC = "rbac.authorization.k8s.io"
ADMISSION = "admissionregistration.k8s.io"
KNOWN: tuple[Resource, ...] = (
    c.NODES,
    c.NAMESPACES,
    c.PODS,
    c.SERVICES,
    c.SECRETS,
    c.CONFIGMAPS,
    c.EVENTS,
    c.ENDPOINTSLICES,
    c.INGRESSES,
    c.INGRESSCLASSES,
    c.NETWORKPOLICIES,
    c.LEASES,
    c.CSRS,
    Resource("", "v1", "serviceaccounts", "ServiceAccount"),
    Resource("", "v1", "persistentvolumes", "PersistentVolume", namespaced=False),
    Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim"),
    Resource("apps", "v1", "deployments", "Deployment"),
    Resource("apps", "v1", "daemonsets", "DaemonSet"),
    Resource("apps", "v1", "statefulsets", "StatefulSet"),
    Resource("apps", "v1", "replicasets", "ReplicaSet"),
    Resource("batch", "v1", "jobs", "Job"),
    Resource("batch", "v1", "cronjobs", "CronJob"),
    Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"),
    Resource("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", namespaced=False),
    Resource("storage.k8s.io", "v1", "storageclasses", "StorageClass", namespaced=False),
    Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False),
    Resource(RBAC, "v1", "roles", "Role"),
    Resource(RBAC, "v1", "rolebindings", "RoleBinding"),
    Resource(RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False),
    Resource(RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
    Resource(ADMISSION, "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy", namespaced=False),
    Resource(
        ADMISSION, "v1", "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding", namespaced=False
    ),
)


class Raw(Protocol):
    """The part of a KubeClient that discovery needs."""

    def raw(self, method: str, path: str, *, body: bytes | None = None, timeout: float = 10.0) -> bytes:
        """A plain request."""


class Kinds:
    """Finds Resources; asks the API once per group and version it does not know. Thread-safe."""

    def __init__(self, client: Raw) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._found = {(api_version(r), r.kind): r for r in KNOWN}

    def find(self, obj: Mapping[str, Any]) -> Resource:
        """The Resource of an object. UsageError if it names no kind, NotFoundError if the API does not serve it."""
        wanted = (str(obj.get("apiVersion") or ""), str(obj.get("kind") or ""))
        if not all(wanted):
            raise UsageError(
                "an object without apiVersion or kind cannot be applied", why=f"metadata: {obj.get('metadata')}"
            )
        with self._lock:
            known = self._found.get(wanted)
        if known:
            return known
        found = {(wanted[0], r.kind): r for r in self._discover(wanted[0])}
        with self._lock:
            self._found.update(found)
        if wanted not in found:
            raise NotFoundError(
                f"the API does not serve {wanted[1]} ({wanted[0]})", hint="install the CustomResourceDefinition first"
            )
        return found[wanted]

    def _discover(self, version: str) -> tuple[Resource, ...]:
        path = f"/apis/{version}" if "/" in version else f"/api/{version}"
        try:
            answer = json.loads(self._client.raw("GET", path))
        except NotFoundError:
            return ()
        group, _, number = version.rpartition("/")
        return tuple(
            Resource(group, number, r["name"], r["kind"], bool(r["namespaced"]))
            for r in answer.get("resources") or ()
            if "/" not in r["name"]
        )


def api_version(resource: Resource) -> str:
    """``group/version``, or ``v1`` for the core group."""
    return f"{resource.group}/{resource.version}" if resource.group else resource.version
