"""Ask an API whether this operator may do what a join needs, before anything is changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from rancherctl.kube.client import Json, KubeClient

PARALLEL: Final = 8
PATH: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@dataclass(frozen=True, slots=True, order=True)
class Need:
    """One right. ``resource`` may have a subresource (``serviceaccounts/token``); ``namespace`` "" = everywhere."""

    verb: str
    group: str
    resource: str
    namespace: str = ""

    def __str__(self) -> str:
        name = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {name}{f' in {self.namespace}' if self.namespace else ''}"


ALL: Final = Need("*", "*", "*")


def needs(objects: Iterable[Json]) -> tuple[Need, ...]:
    """The rights to create and change these objects. Pure."""
    found = set()
    for obj in objects:
        group = obj["apiVersion"].rpartition("/")[0]
        kind = str(obj["kind"]).lower()
        plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
        found |= {Need(verb, group, plural, obj["metadata"].get("namespace", "")) for verb in ("create", "patch")}
    return tuple(sorted(found))


def missing(client: KubeClient, wanted: Sequence[Need]) -> tuple[Need, ...]:
    """Those of the rights that the operator does not have; one question if everything is allowed."""
    if _allowed(client, ALL):
        return ()
    with ThreadPoolExecutor(max_workers=PARALLEL, thread_name_prefix="rights") as pool:
        answers = pool.map(lambda need: _allowed(client, need), wanted)
        return tuple(need for need, allowed in zip(wanted, answers, strict=True) if not allowed)


def _allowed(client: KubeClient, need: Need) -> bool:
    resource, _, subresource = need.resource.partition("/")
    attributes = {
        "verb": need.verb,
        "group": need.group,
        "resource": resource,
        "subresource": subresource,
        "namespace": need.namespace,
    }
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
    }
    answer = json.loads(client.raw("POST", PATH, body=json.dumps(body).encode()))
    return bool((answer.get("status") or {}).get("allowed"))
