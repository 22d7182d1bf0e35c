"""Problems as Kubernetes Events: what they are, and the one way to write them."""

from __future__ import annotations

from typing import Any, Final, Protocol

from rancherctl.contract import CONTROLLER_NAME
from rancherctl.errors import ConflictError
from rancherctl.ingress.model import digest
from rancherctl.kube.client import EVENTS, Json, Resource
from rancherctl.kube.objects import Meta
from rancherctl.placement.model import ObjectProblem

COMPONENT: Final = CONTROLLER_NAME
MAX_MESSAGE: Final = 1000
"""Characters; the API takes 1,024."""
TIMEOUT: Final = 5.0


class EventApi(Protocol):
    """The part of an API client that is needed here."""

    def create(self, resource: Resource, body: Json, *, namespace: str = "", timeout: float = 10.0) -> Json: ...


def write_event(
    api: EventApi,
    resource: Resource,
    meta: Meta,
    problem: ObjectProblem,
    timestamp: str,
    component: str = COMPONENT,
) -> None:
    """Record a problem as an Event of the object; an Event that exists already is left as it is."""
    body = event(resource, meta, problem, timestamp, component)
    try:
        api.create(EVENTS, body, namespace=meta.namespace, timeout=TIMEOUT)
    except ConflictError:
        return


def event(
    resource: Resource, meta: Meta, problem: ObjectProblem, timestamp: str, component: str = COMPONENT
) -> dict[str, Any]:
    """A v1 Event about the object. Pure; ``timestamp`` is RFC 3339.

    Its name is made from the object and the problem: a second Event about the same problem conflicts with the first.
    """
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{meta.name[:200].rstrip('.-')}.{digest(meta.uid, problem.reason, problem.message)}",
            "namespace": meta.namespace,
        },
        "type": "Warning" if problem.serious else "Normal",
        "reason": problem.reason,
        "message": problem.message[:MAX_MESSAGE],
        "involvedObject": {
            "apiVersion": f"{resource.group}/{resource.version}" if resource.group else resource.version,
            "kind": resource.kind,
            "name": meta.name,
            "namespace": meta.namespace,
            "uid": meta.uid,
            "resourceVersion": meta.resource_version,
        },
        "source": {"component": component},
        "reportingComponent": component,
        "firstTimestamp": timestamp,
        "lastTimestamp": timestamp,
        "count": 1,
    }
