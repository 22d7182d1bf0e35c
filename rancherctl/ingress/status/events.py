"""Problems as Kubernetes Events. Pure."""

from __future__ import annotations

from typing import Any

from rancherctl.ingress.model import Problem, digest
from rancherctl.kube.objects import Ingress

COMPONENT = "rancherctl-controller"


def event(ingress: Ingress, problem: Problem, timestamp: str) -> dict[str, Any]:
    """A v1 Event; its name is made from the object and the problem, so the same one is written once. ``timestamp`` is RFC 3339."""
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{ingress.meta.name[:200].rstrip('.-')}.{digest(ingress.meta.uid, problem.reason, problem.message)}",
            "namespace": ingress.meta.namespace,
        },
        "type": "Warning" if problem.serious else "Normal",
        "reason": problem.reason,
        "message": problem.message[:1000],
        "involvedObject": {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "name": ingress.meta.name,
            "namespace": ingress.meta.namespace,
            "uid": ingress.meta.uid,
            "resourceVersion": ingress.meta.resource_version,
        },
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "firstTimestamp": timestamp,
        "lastTimestamp": timestamp,
        "count": 1,
    }
