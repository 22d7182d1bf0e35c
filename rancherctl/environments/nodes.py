"""Node objects: the labels and the public address that apply sets, and the wait until all are Ready."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rancherctl.change import Change, Plan
from rancherctl.contract import LOAD_BALANCER_LABEL, OWNED_LABELS_ANNOTATION, PUBLIC_ADDRESS_ANNOTATION
from rancherctl.environments.model import Environment
from rancherctl.errors import TimeoutExceededError
from rancherctl.hosts.model import Host
from rancherctl.kube import tables
from rancherctl.kube.cache import Cache
from rancherctl.kube.client import NODES, Json
from rancherctl.kube.objects import Node
from rancherctl.kube.rest import RestClient
from rancherctl.kube.snapshot import Snapshot

ROLE_LABELS = {"controlplane": "control-plane", "etcd": "etcd", "worker": "worker"}


def labels(environment: Environment, host: Host) -> dict[str, str]:
    """The labels that apply sets on a host's Node."""
    out = {f"node-role.kubernetes.io/{ROLE_LABELS[role]}": "" for role in host.roles}
    if environment.carries_load_balancers(host):
        out[LOAD_BALANCER_LABEL] = "true"
    return {**out, **host.labels}


def change(environment: Environment, host: Host, node: Node) -> Json | None:
    """The merge patch that a Node needs, None if it is up to date. Pure.

    The annotation of owned labels names what an earlier apply set, so that labels that left the file can be removed.
    """
    want = labels(environment, host)
    owned = [name for name in node.meta.annotations.get(OWNED_LABELS_ANNOTATION, "").split(",") if name]
    patch: dict[str, Any] = {name: value for name, value in want.items() if node.meta.labels.get(name) != value}
    patch |= {name: None for name in owned if name not in want and name in node.meta.labels}
    notes: dict[str, Any] = {}
    for key, value in (
        (OWNED_LABELS_ANNOTATION, ",".join(sorted(want))),
        (PUBLIC_ADDRESS_ANNOTATION, host.public_address),
    ):
        if node.meta.annotations.get(key, "") != value:
            notes[key] = value or None
    if not patch and not notes:
        return None
    return {"metadata": {**({"labels": patch} if patch else {}), **({"annotations": notes} if notes else {})}}


def plan(environment: Environment, nodes: Mapping[str, Node]) -> Plan[Json]:
    """Patches of the nodes; a node that has not joined yet is planned with everything that it will get."""
    out = []
    for host in environment.hosts:
        node = nodes.get(host.name)
        if node is None:
            new: Json | None = {"kind": "Node", "metadata": {"name": host.name, "labels": labels(environment, host)}}
            out.append(Change(f"Node//{host.name}", None, new, "joins"))
        elif patch := change(environment, host, node):
            meta = {"name": host.name, **patch["metadata"]}
            keys = ", ".join(sorted({**meta.get("labels", {}), **meta.get("annotations", {})}))
            out.append(
                Change(
                    f"Node//{host.name}",
                    {"kind": "Node", "metadata": {"name": host.name}},
                    {"kind": "Node", "metadata": meta},
                    keys,
                )
            )
    return Plan(tuple(out))


def apply(client: RestClient, environment: Environment, nodes: Mapping[str, Node]) -> list[str]:
    """Patch the nodes that have joined; returns the names of those that changed."""
    done = []
    for host in environment.hosts:
        node = nodes.get(host.name)
        patch = change(environment, host, node) if node is not None else None
        if patch is not None:
            client.patch(NODES, host.name, patch)
            done.append(host.name)
    return done


def not_ready(nodes: Mapping[str, Node], names: frozenset[str]) -> dict[str, str]:
    """Why each of these nodes is not Ready yet, one line each. Pure."""
    out = {}
    for name in sorted(names):
        node = nodes.get(name)
        if node is None:
            out[name] = "its kubelet has not registered it"
        elif node.ready is not True:
            why = "not Ready" if node.ready is False else "its kubelet has not reported whether it is Ready"
            out[name] = f"{why} ({node.trouble})" if node.trouble else why
    return out


def wait(
    client: RestClient, names: frozenset[str], condition: Callable[[Mapping[str, Node]], bool], timeout: float
) -> Mapping[str, Node]:
    """Watch the nodes until ``condition`` holds; returns them. TimeoutExceededError says which are not Ready."""
    cache = Cache(client, [tables.NODES], lambda _: None)
    cache.start()
    try:

        def holds(snapshot: Snapshot) -> bool:
            table = snapshot.table("nodes")
            return table.synced and condition(table.items)

        in_time = cache.wait(holds, timeout)
        found: Mapping[str, Node] = cache.snapshot().table("nodes").items
    finally:
        cache.stop()
    if not in_time:
        late = not_ready(found, names)
        raise TimeoutExceededError(
            f"{len(late)} of {len(names)} nodes are not Ready after {timeout:.0f} s",
            why="; ".join(f"{name}: {why}" for name, why in late.items()),
            hint="rancherctl env status shows more; on the host: journalctl -u rancherctl-kubelet",
        )
    return found
