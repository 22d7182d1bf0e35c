"""Rules of roles: rights of one namespace, joined where they are alike, in a stable order."""

from __future__ import annotations

from rancherctl.kube import client, objects
from rancherctl.kube.rbac import READ, Right, reading, rules
from rancherctl.kube.tables import NODES, PODS, SERVICES, TableSpec


def test_the_right_to_read_a_table_covers_only_that_table() -> None:
    one = TableSpec("one", client.CONFIGMAPS, objects.config_map, namespace="ns", field_selector="metadata.name=roster")
    assert reading(one) == Right("", "configmaps", READ, ("roster",), "ns")
    by_label = TableSpec("some", client.PODS, objects.pod, label_selector="app=x")
    assert reading(by_label) == Right("", "pods", READ), "RBAC cannot limit a right to a label"


def test_resources_with_the_same_verbs_share_a_rule_in_the_order_of_the_rights() -> None:
    assert rules(map(reading, (SERVICES, PODS, NODES))) == [
        {"apiGroups": [""], "resources": ["services", "pods", "nodes"], "verbs": ["get", "list", "watch"]}
    ]


def test_several_rights_for_one_resource_become_one_rule_with_all_verbs() -> None:
    rights = [Right("", "leases", (*READ, "create")), Right("", "leases", READ), Right("", "leases", ("update",))]
    assert [rule["verbs"] for rule in rules(rights)] == [["get", "list", "watch", "create", "update"]]


def test_rights_of_a_namespace_and_cluster_wide_rights_are_separate() -> None:
    rights = [Right("", "configmaps", READ, namespace="ns"), Right("", "nodes", READ)]
    assert [rule["resources"] for rule in rules(rights)] == [["nodes"]]
    assert [rule["resources"] for rule in rules(rights, "ns")] == [["configmaps"]]
    assert rules(rights, "other") == []


def test_a_right_for_named_objects_stays_apart_from_the_right_for_all() -> None:
    found = rules([Right("", "signers", ("approve",), ("a", "b")), Right("", "signers", ("approve",))])
    assert [rule.get("resourceNames") for rule in found] == [["a", "b"], None]
