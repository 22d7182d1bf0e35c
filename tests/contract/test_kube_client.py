"""The contract of KubeClient, run with the fake and with a real kube-apiserver, so that the fake stays faithful."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from rancherctl.errors import ConflictError, NotFoundError
from rancherctl.kube.client import CONFIGMAPS, NAMESPACES, AlreadyExistsError
from rancherctl.kube.rest import RestClient
from tests.fakes.kube_clients import EITHER, client_of


@pytest.fixture(scope="module", params=EITHER)
def client(request: pytest.FixtureRequest) -> Iterator[RestClient]:
    with client_of(request.param) as rest:
        yield rest


@pytest.fixture
def namespace(client: RestClient) -> str:
    name = f"t-{uuid.uuid4().hex[:8]}"
    client.create(NAMESPACES, {"metadata": {"name": name}})
    return name


def config(namespace: str, name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}, "data": data}


def test_objects_are_created_read_and_deleted(client: RestClient, namespace: str) -> None:
    made = client.create(CONFIGMAPS, config(namespace, "a", k="v"))
    assert made["metadata"]["resourceVersion"]
    assert client.get(CONFIGMAPS, "a", namespace=namespace)["data"] == {"k": "v"}
    with pytest.raises(AlreadyExistsError):
        client.create(CONFIGMAPS, config(namespace, "a"))
    client.delete(CONFIGMAPS, "a", namespace=namespace)
    with pytest.raises(NotFoundError):
        client.get(CONFIGMAPS, "a", namespace=namespace)
    with pytest.raises(NotFoundError):
        client.delete(CONFIGMAPS, "a", namespace=namespace)


def test_a_stale_version_conflicts(client: RestClient, namespace: str) -> None:
    made = client.create(CONFIGMAPS, config(namespace, "a", k="1"))
    client.replace(CONFIGMAPS, made | {"data": {"k": "2"}})
    with pytest.raises(ConflictError):
        client.replace(CONFIGMAPS, made | {"data": {"k": "3"}})
    with pytest.raises(ConflictError):
        client.patch(
            CONFIGMAPS,
            "a",
            {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "data": {"k": "3"}},
            namespace=namespace,
        )
    assert client.patch(CONFIGMAPS, "a", {"data": {"k": None, "l": "4"}}, namespace=namespace)["data"] == {"l": "4"}


def test_apply_owns_its_fields_and_conflicts_over_those_of_others(client: RestClient, namespace: str) -> None:
    first = client.apply(CONFIGMAPS, config(namespace, "a", k="1", l="1"), manager="one")
    again = client.apply(CONFIGMAPS, config(namespace, "a", k="1", l="1"), manager="one")
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"], (
        "applying the same changes nothing"
    )
    client.apply(CONFIGMAPS, config(namespace, "a", m="2"), manager="two")
    assert client.apply(CONFIGMAPS, config(namespace, "a", k="1"), manager="one")["data"] == {"k": "1", "m": "2"}
    with pytest.raises(ConflictError):
        client.apply(CONFIGMAPS, config(namespace, "a", m="3"), manager="one", force=False)
    assert client.apply(CONFIGMAPS, config(namespace, "a", k="1", m="3"), manager="one")["data"]["m"] == "3"


def test_a_dry_run_stores_nothing(client: RestClient, namespace: str) -> None:
    assert client.apply(CONFIGMAPS, config(namespace, "a", k="1"), manager="one", dry_run=True)["data"] == {"k": "1"}
    with pytest.raises(NotFoundError):
        client.get(CONFIGMAPS, "a", namespace=namespace)


def test_lists_are_selected_and_paged(client: RestClient, namespace: str) -> None:
    for i in range(520):
        obj = config(namespace, f"o{i:03}")
        obj["metadata"]["labels"] = {"half": str(i % 2)}
        client.create(CONFIGMAPS, obj)
    everything = client.list(CONFIGMAPS, namespace=namespace)
    mine = [o for o in everything.items if o["metadata"]["name"].startswith("o")]
    assert len(mine) == 520
    assert len([*client.pages(CONFIGMAPS, namespace=namespace)]) >= 2
    assert len(client.list(CONFIGMAPS, namespace=namespace, label_selector="half=1").items) == 260
    assert [
        o["metadata"]["name"]
        for o in client.list(CONFIGMAPS, namespace=namespace, field_selector="metadata.name=o007").items
    ] == ["o007"]


def test_a_watch_delivers_every_event_in_order(client: RestClient, namespace: str) -> None:
    start = client.list(CONFIGMAPS, namespace=namespace, field_selector="metadata.name=a").resource_version
    events = client.watch(
        CONFIGMAPS, namespace=namespace, resource_version=start, field_selector="metadata.name=a", timeout=60
    )
    client.create(CONFIGMAPS, config(namespace, "a", k="1"))
    client.create(CONFIGMAPS, config(namespace, "other", k="1"))
    client.patch(CONFIGMAPS, "a", {"data": {"k": "2"}}, namespace=namespace)
    client.delete(CONFIGMAPS, "a", namespace=namespace)
    seen = []
    for event in events:
        if event.type != "BOOKMARK":
            seen.append(event)
        if event.type == "DELETED":
            break
    events.close()  # type: ignore[attr-defined]
    assert [e.type for e in seen] == ["ADDED", "MODIFIED", "DELETED"]
    assert [e.object["data"]["k"] for e in seen] == ["1", "2", "2"]
    versions = [int(e.object["metadata"]["resourceVersion"]) for e in seen]
    assert versions == sorted(set(versions)), "the deletion has its own version"


def test_raw_returns_the_body_of_the_response(client: RestClient) -> None:
    assert client.raw("GET", "/readyz") == b"ok"
    assert b"v1.36" in client.raw("GET", "/version?pretty=false")
