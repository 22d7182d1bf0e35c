"""Node objects: labels and public address, and which nodes are late."""

from __future__ import annotations

from dataclasses import replace

from rancherctl.environments import nodes
from rancherctl.environments.inventory import from_flags
from rancherctl.kube.objects import Meta, Node

ENV = from_flags("demo", ["root@10.0.0.11", "root@10.0.0.12"]).environment
CONTROL, WORKER = ENV.hosts


def node(name: str, labels: dict[str, str], annotations: dict[str, str], ready: bool | None = True) -> Node:
    return Node(Meta("", name, labels=labels, annotations=annotations), (), (), ready, False)


def test_nodes_get_roles_labels_and_the_public_address() -> None:
    host = replace(CONTROL, public_address="203.0.113.5", labels={"disk": "fast"})
    environment = replace(ENV, hosts=(host, WORKER))
    patch = nodes.change(environment, host, node("h1", {"kubernetes.io/hostname": "h1"}, {}))
    assert patch is not None
    labels = patch["metadata"]["labels"]
    assert labels["node-role.kubernetes.io/control-plane"] == ""
    assert labels["rancherctl.io/load-balancer"] == "true"
    assert labels["disk"] == "fast"
    notes = patch["metadata"]["annotations"]
    assert notes["rancherctl.io/public-address"] == "203.0.113.5"
    assert nodes.change(environment, host, node("h1", labels, notes)) is None


def test_labels_removed_from_the_file_are_removed_from_the_node_and_foreign_ones_stay() -> None:
    before = {**nodes.labels(ENV, WORKER), "disk": "fast", "theirs": "x"}
    patch = nodes.change(
        ENV,
        WORKER,
        node("h2", before, {"rancherctl.io/labels": ",".join(sorted({*nodes.labels(ENV, WORKER), "disk"}))}),
    )
    assert patch is not None
    assert patch["metadata"]["labels"] == {"disk": None}


def test_each_late_node_has_a_reason() -> None:
    late = replace(node("h4", {}, {}, ready=False), trouble="cni plugin not initialized")
    found = {"h1": node("h1", {}, {}), "h2": node("h2", {}, {}, ready=False), "h4": late}
    assert nodes.not_ready(found, frozenset({"h1", "h2", "h3", "h4"})) == {
        "h2": "not Ready",
        "h3": "its kubelet has not registered it",
        "h4": "not Ready (cni plugin not initialized)",
    }
