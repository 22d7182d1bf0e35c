"""Write statuses to the API, each with the resource version on which it was decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from rancherctl.change import Change
from rancherctl.contract import STATUS_ANNOTATION
from rancherctl.errors import ConflictError, NotFoundError, RancherctlError
from rancherctl.ingress.status.plan import Published
from rancherctl.kube.client import Json, Resource
from rancherctl.kube.http.failures import concerns_one
from rancherctl.kube.objects import Meta
from rancherctl.net import is_ip

S = TypeVar("S")
PARALLEL_WRITES: Final = 8
"""One write takes milliseconds, but a thousand in a row would delay the withdrawal of a lost host too long."""
WRITE_TIMEOUT: Final = 5.0


class Writer(Protocol):
    """The part of an API client that is needed here.

    The controller's client refuses writes when it is no longer the leader.
    """

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


def status_patch(meta: Meta, status: Published) -> dict[str, Any]:
    """The merge patch for the status subresource, which accepts annotations too: both change in one write."""
    more = {"ports": [{"port": port, "protocol": "TCP"} for port in status.ports]} if status.ports else {}
    entries = [{"ip" if is_ip(a) else "hostname": a} | more for a in status.addresses]
    return {
        "metadata": {
            "resourceVersion": meta.resource_version,
            "annotations": {STATUS_ANNOTATION: status.annotation or None},
        },
        "status": {"loadBalancer": {"ingress": entries}},
    }


@dataclass(frozen=True, slots=True)
class WriteResult:
    """Keys that are ``done`` (written, or left to the next plan) and failures by key.

    ``stopped`` is the error that ended it early.
    """

    done: frozenset[str] = frozenset()
    failed: Mapping[str, RancherctlError] = field(default_factory=dict)
    stopped: RancherctlError | None = None


def write_statuses(
    client: Writer,
    resource: Resource,
    metas: Mapping[str, Meta],
    changes: Iterable[Change[S]],
    patch: Callable[[Meta, S], Json] = status_patch,  # type: ignore[assignment]  # the default is for Published
) -> WriteResult:
    """Write these changes in their order, PARALLEL_WRITES at a time, until an error concerns all of them.

    ``patch`` makes the merge patch of a status subresource.

    Conflicts and deleted objects are not failures: the watch delivers the newer object, and the next plan decides on
    it.
    """
    todo = [(c.key, metas[c.key], c.new) for c in changes if c.key in metas and c.new is not None]
    done: set[str] = set()
    failed: dict[str, RancherctlError] = {}
    stopped: list[RancherctlError] = []

    def write(each: tuple[str, Meta, S]) -> None:
        key, meta, status = each
        if stopped:
            return
        try:
            client.patch(
                resource,
                meta.name,
                patch(meta, status),
                namespace=meta.namespace,
                subresource="status",
                timeout=WRITE_TIMEOUT,
            )
        except (ConflictError, NotFoundError):
            done.add(key)
        except RancherctlError as error:
            failed[key] = error
            if not concerns_one(error):
                stopped.append(error)
        else:
            done.add(key)

    with ThreadPoolExecutor(max_workers=min(PARALLEL_WRITES, len(todo)) or 1, thread_name_prefix="status") as pool:
        list(pool.map(write, todo))
    return WriteResult(frozenset(done), failed, stopped[0] if stopped else None)
