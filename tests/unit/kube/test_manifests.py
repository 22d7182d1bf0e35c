"""Identity, order and differences of objects."""

from __future__ import annotations

from typing import Any

import pytest

from rancherctl.kube.manifests import (
    Inventory,
    ObjectId,
    difference,
    identity,
    inventory_ids,
    inventory_object,
    owned,
    owner,
    settled,
)


def test_dependencies_come_first() -> None:
    kinds = ["Deployment", "RoleBinding", "Namespace", "Secret", "ServiceAccount", "CustomResourceDefinition"]
    ids = sorted((ObjectId("v1", k, "ns", "x") for k in kinds), key=lambda i: i.key)
    assert [i.kind for i in ids] == [
        "Namespace",
        "CustomResourceDefinition",
        "ServiceAccount",
        "RoleBinding",
        "Secret",
        "Deployment",
    ]


def test_a_moved_version_is_the_same_object() -> None:
    assert ObjectId("a/v1beta1", "K", "n", "x").key == ObjectId("a/v1", "K", "n", "x").key
    assert ObjectId("a/v1", "K", "n", "x").key != ObjectId("b/v1", "K", "n", "x").key


def test_the_inventory_round_trips_and_does_not_depend_on_order() -> None:
    ids = [ObjectId("v1", "Secret", "a", "b"), ObjectId("apps/v1", "Deployment", "", "c")]
    inventory = Inventory("ns", "inv")
    assert inventory_object(inventory, ids) == inventory_object(inventory, reversed(ids))
    assert inventory_ids(inventory_object(inventory, ids)) == frozenset(ids)
    with pytest.raises(ValueError, match="Expecting"):
        inventory_ids({"data": {"objects": "broken"}})


def test_the_owner_is_added_without_touching_the_given_object() -> None:
    given: dict[str, Any] = {"metadata": {"name": "x", "annotations": {"a": "b"}}}
    mine = owned(given, Inventory("ns", "inv"))
    assert owner(mine) == "ns/inv"
    assert mine["metadata"]["annotations"]["a"] == "b"
    assert owner(given) == ""


def test_differences_name_the_field() -> None:
    assert difference({"a": [{"b": 1}]}, {"a": [{"b": 2}]}) == "a[0].b"
    assert difference({"a": 1}, {"a": 1, "b": 2}) == "b"
    assert difference({"a": [1]}, {"a": [1, 2]}) == "a"
    assert difference({"a": None}, {"a": None}) == ""


def test_status_and_server_fields_do_not_count() -> None:
    a = {
        "metadata": {"name": "x", "resourceVersion": "1", "uid": "u", "managedFields": [], "labels": {"k": "v"}},
        "status": {"x": 1},
        "spec": 1,
    }
    assert settled(a) == {"metadata": {"name": "x", "labels": {"k": "v"}}, "spec": 1}


def test_a_stub_has_the_identity_of_its_object() -> None:
    obj = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "n", "name": "x"}}
    assert identity(identity(obj).stub()) == identity(obj)
