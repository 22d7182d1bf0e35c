"""Writing statuses and Events to the API. Every write carries the resource version that the decision was made on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Protocol

from rancherctl.change import Change
from rancherctl.errors import ConflictError, NotFoundError, RancherctlError
from rancherctl.ingress.model import STATUS_ANNOTATION, Problem
from rancherctl.ingress.status.events import event
from rancherctl.ingress.status.plan import Published
from rancherctl.kube.client import EVENTS, INGRESSES, Json, Resource
from rancherctl.kube.http.failures import concerns_one
from rancherctl.kube.objects import Ingress

WRITERS = 8
"""Writes under way at once: an API answers each in milliseconds, a thousand one after the other would take longer than a host may be missed."""


class Writer(Protocol):
    """What is needed of an API client; the controller's refuses when it does not lead any more."""

    def create(
        self,
        resource: Resource,
        body: Json,
        *,
        namespace: str = "",
        subresource: str = "",
        name: str = "",
        timeout: float = 10.0,
    ) -> Json:
        """See kube.client.KubeClient."""

    def patch(
        self,
        resource: Resource,
        name: str,
        body: Json,
        *,
        namespace: str = "",
        subresource: str = "",
        timeout: float = 10.0,
    ) -> Json:
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


@dataclass(frozen=True, slots=True)
class Sent:
    """Ingress keys that were written (or left to the next look), what failed by key; ``stopped`` is the failure that ended it early."""

    done: frozenset[str] = frozenset()
    failed: Mapping[str, RancherctlError] = field(default_factory=dict)
    stopped: RancherctlError | None = None


def publish(client: Writer, ingresses: Mapping[str, Ingress], changes: Iterable[Change[Published]]) -> Sent:
    """Write these changes in their order, some at a time, until an error concerns all of them.

    Conflicts and deleted objects are not failures: the watch brings the newer object and the next plan decides anew.
    """
    todo = [(ingresses[c.key], c.new) for c in changes if c.key in ingresses and c.new is not None]
    done: set[str] = set()
    failed: dict[str, RancherctlError] = {}
    stopped: list[RancherctlError] = []

    def write(one: tuple[Ingress, Published]) -> None:
        ingress, wanted = one
        if stopped:
            return
        try:
            client.patch(
                INGRESSES,
                ingress.meta.name,
                status_body(ingress, wanted),
                namespace=ingress.meta.namespace,
                subresource="status",
                timeout=5.0,
            )
        except (ConflictError, NotFoundError):
            done.add(ingress.meta.key)
        except RancherctlError as error:
            failed[ingress.meta.key] = error
            if not concerns_one(error):
                stopped.append(error)
        else:
            done.add(ingress.meta.key)

    with ThreadPoolExecutor(max_workers=min(WRITERS, len(todo)) or 1, thread_name_prefix="status") as pool:
        list(pool.map(write, todo))
    return Sent(frozenset(done), failed, stopped[0] if stopped else None)


def tell(client: Writer, ingress: Ingress, problem: Problem, timestamp: str) -> None:
    """Record a problem as an Event of the Ingress; one that was told before is not told again."""
    try:
        client.create(EVENTS, event(ingress, problem, timestamp), namespace=ingress.meta.namespace, timeout=5.0)
    except ConflictError:
        return  # the name is made from the content: it is there already
