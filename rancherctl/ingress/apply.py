"""Writing statuses and Events to the API. Every write carries the resource version that the decision was made on."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Protocol

from rancherctl.change import Plan
from rancherctl.errors import ConflictError, NotFoundError, RancherctlError
from rancherctl.ingress.events import event
from rancherctl.ingress.model import STATUS_ANNOTATION, Problem
from rancherctl.ingress.status import Published
from rancherctl.kube.client import EVENTS, INGRESSES, Json, Resource
from rancherctl.kube.objects import Ingress


class Writer(Protocol):
    """What is needed of an API client; the controller's refuses when it does not lead any more."""

    def create(self, resource: Resource, body: Json, *, namespace: str = "", subresource: str = "", name: str = "", timeout: float = 10.0) -> Json:
        """See kube.client.KubeClient."""

    def patch(self, resource: Resource, name: str, body: Json, *, namespace: str = "", subresource: str = "", timeout: float = 10.0) -> Json:
        """See kube.client.KubeClient."""


def status_body(ingress: Ingress, wanted: Published) -> dict[str, Any]:
    """The merge patch for the status subresource, which takes annotations too: both change in one write."""
    return {
        "metadata": {
            "resourceVersion": ingress.meta.resource_version,
            "annotations": {STATUS_ANNOTATION: wanted.annotation or None},
        },
        "status": {"loadBalancer": {"ingress": [_entry(a) for a in wanted.addresses]}},
    }


def _entry(address: str) -> dict[str, str]:
    try:
        ip_address(address)
    except ValueError:
        return {"hostname": address}
    return {"ip": address}


def publish(client: Writer, ingresses: Mapping[str, Ingress], plan: Plan[Published]) -> dict[str, str]:
    """Write the plan; returns what failed by Ingress key.

    Conflicts and deleted objects are not failures: the watch brings the newer object and the next plan decides anew.
    """
    failed: dict[str, str] = {}
    for change in plan:
        ingress = ingresses.get(change.key)
        if ingress is None or change.new is None:
            continue
        try:
            client.patch(
                INGRESSES, ingress.meta.name, status_body(ingress, change.new), namespace=ingress.meta.namespace, subresource="status", timeout=5.0
            )
        except (ConflictError, NotFoundError):
            continue
        except RancherctlError as error:
            failed[change.key] = str(error)
    return failed


def tell(client: Writer, ingress: Ingress, problem: Problem, timestamp: str) -> None:
    """Record a problem as an Event of the Ingress; one that was told before is not told again."""
    try:
        client.create(EVENTS, event(ingress, problem, timestamp), namespace=ingress.meta.namespace, timeout=5.0)
    except ConflictError:
        return  # the name is made from the content: it is there already
