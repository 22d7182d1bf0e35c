"""`env label` changes the record of the last apply in a real API, and nothing else of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from rancherctl.environments.inventory import load
from rancherctl.environments.labels import store
from rancherctl.environments.manifests.base import RECORD, SYSTEM, record
from rancherctl.environments.model import Environment
from rancherctl.errors import ConflictError, NotFoundError
from rancherctl.hosts.model import Host, SshAddress
from rancherctl.kube.client import CONFIGMAPS, NAMESPACES
from rancherctl.kube.rest import RestClient
from tests.lab.apiserver import running

ENVIRONMENT = Environment(
    "prod", (Host("h1", "10.0.0.11", frozenset({"etcd", "controlplane", "worker"}), SshAddress("10.0.0.11")),)
)


@pytest.fixture(scope="module")
def api() -> Iterator[RestClient]:
    with running() as server, server.client() as client:
        client.create(NAMESPACES, {"metadata": {"name": SYSTEM}})
        yield client


def test_only_the_labels_of_the_record_change(api: RestClient) -> None:
    with pytest.raises(NotFoundError, match="no record of an apply"):
        store(api, lambda labels: labels)
    written = record(replace(ENVIRONMENT, labels={"env": "test"}))
    before = api.create(CONFIGMAPS, written, namespace=SYSTEM)
    assert store(api, lambda labels: {**labels, "tier": "gold"}) == {"env": "test", "tier": "gold"}
    after = api.get(CONFIGMAPS, RECORD, namespace=SYSTEM)
    stored = load(after["data"]["environment"], "the record").environment
    assert stored == replace(ENVIRONMENT, labels={"env": "test", "tier": "gold"})
    assert {**after["data"], "environment": ""} == {**before["data"], "environment": ""}
    store(api, lambda labels: labels)
    unchanged = api.get(CONFIGMAPS, RECORD, namespace=SYSTEM)["metadata"]["resourceVersion"]
    assert unchanged == after["metadata"]["resourceVersion"], "nothing is written if nothing changes"


def test_a_change_by_somebody_else_meanwhile_is_a_conflict(api: RestClient) -> None:
    def meanwhile(labels: object) -> dict[str, str]:
        api.patch(CONFIGMAPS, RECORD, {"data": {"note": "applied again"}}, namespace=SYSTEM)
        return {"env": "prod"}

    with pytest.raises(ConflictError):
        store(api, meanwhile)
