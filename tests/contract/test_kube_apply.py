"""Plan, apply and prune with the fake and with a real kube-apiserver."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from rancherctl.errors import AuthError, InvalidInputError, NotFoundError, RancherctlError, UnreachableError
from rancherctl.kube.apply import apply, first_plan, plan, surplus
from rancherctl.kube.client import CONFIGMAPS, NAMESPACES, SERVICES, Resource
from rancherctl.kube.manifests import Inventory
from rancherctl.kube.rest import RestClient
from tests.fakes.kube_clients import EITHER, client_of

ROLES = Resource("rbac.authorization.k8s.io", "v1", "roles", "Role")


@pytest.fixture(scope="module", params=EITHER)
def client(request: pytest.FixtureRequest) -> Iterator[RestClient]:
    with client_of(request.param) as rest:
        yield rest


@pytest.fixture
def inventory() -> Inventory:
    return Inventory(f"t-{uuid.uuid4().hex[:8]}", "objects")


def objects(inventory: Inventory, *names: str, value: str = "1") -> list[dict[str, Any]]:
    ns = inventory.namespace
    fixed: list[dict[str, Any]] = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "s", "namespace": ns},
            "spec": {"ports": [{"port": 80}]},
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "r", "namespace": ns},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
        },
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}},
    ]
    configs = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": n, "namespace": ns}, "data": {"k": value}}
        for n in names
    ]
    return [*configs, *fixed]


def test_a_plan_without_an_api_equals_the_first_plan_with_one(client: RestClient, inventory: Inventory) -> None:
    wanted = objects(inventory, "a", "b")
    assert [(c.key, c.new) for c in first_plan(wanted, inventory)] == [
        (c.key, c.new) for c in plan(client, wanted, inventory)
    ]
    assert len(first_plan(wanted, None)) == 5


def test_without_an_inventory_objects_get_no_mark_and_are_not_pruned(client: RestClient, inventory: Inventory) -> None:
    wanted = objects(inventory, "a", "b")
    apply(client, plan(client, wanted, None), None)
    assert not plan(client, objects(inventory, "a"), None)
    assert client.get(CONFIGMAPS, "b", namespace=inventory.namespace)["metadata"].get("annotations") is None
    assert {o["metadata"]["name"] for o in client.list(CONFIGMAPS, namespace=inventory.namespace).items} - {
        "kube-root-ca.crt"
    } == {"a", "b"}


def test_a_second_plan_is_empty_and_dependencies_are_created_first(client: RestClient, inventory: Inventory) -> None:
    first = plan(client, objects(inventory, "a", "b"), inventory)
    assert first.counts() == {"create": 6, "update": 0, "delete": 0}
    assert first.changes[0].key.endswith(f"Namespace/{inventory.namespace}")
    apply(client, first, inventory)
    assert not plan(client, objects(inventory, "a", "b"), inventory)


def test_a_plan_lists_changes_and_an_apply_repairs_drift(client: RestClient, inventory: Inventory) -> None:
    apply(client, plan(client, objects(inventory, "a"), inventory), inventory)
    client.patch(CONFIGMAPS, "a", {"data": {"k": "drift", "foreign": "kept"}}, namespace=inventory.namespace)
    repair = plan(client, objects(inventory, "a"), inventory)
    assert [(c.verb, c.why) for c in repair] == [("update", "data.k")]
    apply(client, repair, inventory)
    assert client.get(CONFIGMAPS, "a", namespace=inventory.namespace)["data"] == {"k": "1", "foreign": "kept"}


def test_unwanted_objects_are_deleted_and_foreign_ones_kept(client: RestClient, inventory: Inventory) -> None:
    ns = inventory.namespace
    apply(client, plan(client, objects(inventory, "a", "b", "c"), inventory), inventory)
    client.create(CONFIGMAPS, {"metadata": {"name": "foreign", "namespace": ns}})
    client.patch(
        CONFIGMAPS, "c", {"metadata": {"annotations": {"rancherctl.io/inventory": "somebody/else"}}}, namespace=ns
    )
    less = plan(client, objects(inventory, "a"), inventory)
    assert [c.key.rpartition("/")[2] for c in less if c.verb == "delete"] == ["b"]
    apply(client, less, inventory)
    with pytest.raises(NotFoundError):
        client.get(CONFIGMAPS, "b", namespace=ns)
    assert client.get(CONFIGMAPS, "c", namespace=ns)
    assert client.get(CONFIGMAPS, "foreign", namespace=ns)
    assert not plan(client, objects(inventory, "a"), inventory)


def test_an_apply_that_only_adds_deletes_nothing_until_the_next_full_one(
    client: RestClient, inventory: Inventory
) -> None:
    """Agents of the last release keep their rights until they are replaced."""
    ns = inventory.namespace
    before, after = objects(inventory, "a", "b"), objects(inventory, "a", "new")
    apply(client, plan(client, before, inventory), inventory)
    role = next(body for body in after if body["kind"] == "Role")
    old_rule = role["rules"][0]
    new_rule = {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}
    role["rules"] = [new_rule]

    def rules() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = client.get(ROLES, "r", namespace=ns)["rules"]
        return found

    grown = plan(client, after, inventory, grow=True)
    assert grown.counts() == {"create": 1, "update": 2, "delete": 0}
    apply(client, grown, inventory)
    assert rules() == [new_rule, old_rule]
    assert client.get(CONFIGMAPS, "b", namespace=ns)
    assert not plan(client, after, inventory, grow=True), "adding twice changes nothing"

    left = surplus(client, after, inventory)
    assert left.counts() == {"create": 0, "update": 2, "delete": 1}
    apply(client, left, inventory)
    assert rules() == [new_rule]
    with pytest.raises(NotFoundError):
        client.get(CONFIGMAPS, "b", namespace=ns)
    assert not surplus(client, after, inventory)
    assert not plan(client, after, inventory)


def test_an_interrupted_apply_leaves_its_objects_in_the_inventory(client: RestClient, inventory: Inventory) -> None:
    """The next run, which wants other objects, deletes them."""
    broken = [
        *objects(inventory, "a"),
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x", "namespace": "missing"}, "spec": 1},
    ]
    todo = plan(client, broken, inventory)

    class Breaks:
        def __getattr__(self, name: str) -> Any:
            return getattr(client, name)

        def apply(self, resource: Any, body: Any, **more: Any) -> Any:
            if resource == SERVICES:
                raise RancherctlError("cut")
            return client.apply(resource, body, **more)

    with pytest.raises(RancherctlError, match="cut"):
        apply(Breaks(), todo, inventory)
    assert client.get(CONFIGMAPS, "a", namespace=inventory.namespace)
    rest = plan(client, objects(inventory), inventory)
    assert [c.key.rpartition("/")[2] for c in rest if c.verb == "delete"] == ["a"]
    apply(client, rest, inventory)
    assert not plan(client, objects(inventory), inventory)


def test_a_damaged_inventory_is_an_error_and_nothing_is_pruned(client: RestClient, inventory: Inventory) -> None:
    client.create(NAMESPACES, {"metadata": {"name": inventory.namespace}})
    configs = objects(inventory, "a")[:1]
    apply(client, plan(client, configs, inventory), inventory)
    client.patch(CONFIGMAPS, inventory.name, {"data": {"objects": "not json"}}, namespace=inventory.namespace)
    with pytest.raises(RancherctlError, match="cannot be read"):
        plan(client, [], inventory)


def test_a_set_with_an_invalid_object_is_refused_as_a_whole(client: RestClient, inventory: Inventory) -> None:
    twice = objects(inventory, "a", "a")
    with pytest.raises(InvalidInputError, match="given twice"):
        plan(client, [*twice, {"kind": "X"}], inventory)


@pytest.mark.lab
def test_the_official_client_applies_and_prunes_like_the_thin_one() -> None:
    from rancherctl.change import Plan
    from rancherctl.kube.client import Resource
    from rancherctl.kube.http.tls import ApiEndpoint
    from rancherctl.kube.official import OfficialClient
    from tests.lab.apiserver import running

    inventory = Inventory("t-official", "objects")

    def applied(client: OfficialClient, *names: str) -> Plan[Any]:
        planned = plan(client, objects(inventory, *names), inventory)
        apply(client, planned, inventory)
        return planned

    with running() as server:
        memory = ApiEndpoint(server.url, server.ca.read_bytes(), server.cert.read_bytes(), server.key.read_bytes())
        with OfficialClient(memory) as client:
            assert len(applied(client, "a", "b")) == 6
            assert not applied(client, "a", "b")
            assert applied(client, "a").counts()["delete"] == 1
            with pytest.raises(NotFoundError):
                client.get(CONFIGMAPS, "b", namespace=inventory.namespace)
            assert client.resource("apps/v1", "Deployment") == Resource("apps", "v1", "deployments", "Deployment")
            with pytest.raises(NotFoundError):
                client.resource("example.org/v1", "Nope")
        with server.client() as rest:
            assert not plan(rest, objects(inventory, "a"), inventory), "both transports find the same state"
        with pytest.raises(AuthError), OfficialClient(ApiEndpoint(server.url, server.ca), token="wrong"):
            pass
        server.stop("apiserver", kill=True)
        with pytest.raises(UnreachableError), OfficialClient(memory):
            pass


@pytest.mark.lab
def test_unknown_kinds_are_discovered() -> None:
    from tests.lab.apiserver import running

    inventory = Inventory("default", "flow")
    flow = {
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "PriorityLevelConfiguration",
        "metadata": {"name": "ours"},
        "spec": {"type": "Limited", "limited": {"nominalConcurrencyShares": 5, "limitResponse": {"type": "Reject"}}},
    }
    with running() as server, server.client() as client:
        apply(client, plan(client, [flow], inventory), inventory)
        assert not plan(client, [flow], inventory)
        unknown = plan(client, [{"apiVersion": "example.org/v1", "kind": "Nope", "metadata": {"name": "x"}}], inventory)
        with pytest.raises(NotFoundError, match="does not serve Nope"):
            apply(client, unknown, inventory)
