"""Writing statuses: guarded by the resource version; an error that concerns all writes stops them."""

from __future__ import annotations

from typing import Any

import pytest

from rancherctl.errors import ConflictError, UnreachableError
from rancherctl.ingress.status import publish
from rancherctl.ingress.status.events import event
from rancherctl.ingress.status.ingresses import stored_statuses
from rancherctl.ingress.status.plan import plan_writes
from rancherctl.kube.client import INGRESSES, InvalidObjectError, ServerError, ThrottledError
from rancherctl.placement.model import ObjectProblem
from tests.fakes import ingress as fake
from tests.fakes.status_client import StatusClient
from tests.fakes.status_cluster import H4, Cluster


def test_a_status_is_one_guarded_write_and_conflicts_are_left_to_the_next_plan() -> None:
    cluster = Cluster(
        fake.ingress("a", [("foo.com", "Prefix", "/", "web:80")], annotations={"scale": "2"}, version="42")
    )
    cluster.confirm(*H4)
    found = cluster.decide()
    plan = plan_writes(stored_statuses(cluster.ingresses), found)
    metas = {key: i.meta for key, i in cluster.ingresses.items()}
    client = StatusClient()
    assert publish.write_statuses(client, INGRESSES, metas, plan) == publish.WriteResult(frozenset({"default/a"}))
    ((_, key, body, subresource),) = client.patches
    assert (key, subresource, body["metadata"]["resourceVersion"]) == ("default/a", "status", "42")
    assert [e["ip"] for e in body["status"]["loadBalancer"]["ingress"]] == list(found.desired["default/a"].addresses)
    refusing: Any = StatusClient(ConflictError("x"))
    assert publish.write_statuses(refusing, INGRESSES, metas, plan) == publish.WriteResult(frozenset({"default/a"}))
    for error, ends in (
        (UnreachableError("x"), True),
        (ThrottledError("x"), True),
        (ServerError("x"), False),
        (InvalidObjectError("x"), False),
    ):
        sent = publish.write_statuses(StatusClient(error), INGRESSES, metas, plan)
        assert (sent.done, sent.failed) == (frozenset(), {"default/a": error})
        assert sent.stopped is (error if ends else None)
    assert publish.write_statuses(client, INGRESSES, metas, ()) == publish.WriteResult()


@pytest.mark.parametrize("odd", ["a" * 199 + ".b" * 20, "a" * 199 + "-b" * 20])
def test_events_of_long_names_have_valid_names(odd: str) -> None:
    name = event(INGRESSES, fake.ingress(odd).meta, ObjectProblem("R", "m"), "2026-01-01T00:00:00Z")["metadata"]["name"]
    assert ".." not in name
    assert "-." not in name
