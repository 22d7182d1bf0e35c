"""Services of all shapes travel as they were said; what was there before, and what is deleted, is treated by rule."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from rancherctl.contract import ADOPTED_ANNOTATION, FEDERATION_LABEL
from tests.lab import workloads as w
from tests.lab.federation.shop import (
    SPACE,
    absent,
    annotate,
    body,
    condition,
    published,
    service,
    services,
    status,
    wait_for,
)
from tests.lab.federation.sites import Sites
from tests.lab.support import until

pytestmark = pytest.mark.slow
COUNT = 50


def said(spec: dict[str, Any]) -> dict[str, Any]:
    """What people said of a spec: without what servers allocate."""
    allocated = ("clusterIP", "clusterIPs", "ipFamilies", "healthCheckNodePort")
    ports = [{k: v for k, v in port.items() if k != "nodePort"} for port in spec.get("ports", ())]
    kept = {key: value for key, value in spec.items() if key not in allocated}
    return {**kept, "ports": ports, "headless": spec.get("clusterIP") == "None"}


def test_services_of_all_shapes_are_equal_in_members(shop: Sites) -> None:
    """Cases 2, 4: headless, ExternalName, one number for TCP and UDP, named target ports, a nodePort that was said.

    karmada#7823 #1942: allocated nodePorts were copied, and members answered "already allocated".
    """
    two = [
        {"name": "tcp", "port": 53, "protocol": "TCP", "targetPort": "http"},
        {"name": "udp", "port": 53, "protocol": "UDP", "targetPort": 5353},
    ]
    shapes = [
        body("headless", type="ClusterIP", clusterIP="None"),
        body("outside", type="ExternalName", externalName="www.example.org", selector=None, ports=None),
        body("both", type="ClusterIP", ports=two),
        body("chosen", type="NodePort", ports=[{"port": 80, "nodePort": 30080}]),
        body("allocated", type="NodePort", sessionAffinity="ClientIP"),
    ]
    for shape in shapes:
        shape["spec"] = {key: value for key, value in shape["spec"].items() if value is not None}
    with services(shop, *shapes) as names:
        wait_for(shop, *names)
        for name in names:
            here = service(shop.acme, name)
            for member in shop.members:
                there = service(member, name)
                assert said(there["spec"]) == said(here["spec"]), name
                assert "kubectl.kubernetes.io/last-applied-configuration" not in there["metadata"]["annotations"]
        assert [service(m, "chosen")["spec"]["ports"][0]["nodePort"] for m in shop.members] == [30080, 30080]
        ports = {service(e, "allocated")["spec"]["ports"][0]["nodePort"] for e in (shop.acme, *shop.members)}
        assert len(ports) > 1


def test_a_node_port_that_is_taken_blocks_only_this_copy(shop: Sites) -> None:
    """Case 3: the other member is in sync, the status has the member's own words, and other Services travel."""
    taken = w.service(SPACE, "taken", "web")
    taken["spec"] |= {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30099}]}
    shop.m1.apply(taken)
    try:
        with services(shop, body("wants", type="NodePort", ports=[{"port": 80, "nodePort": 30099}]), body("other")):
            until("in m2", lambda: not absent(shop.m2, "wants"))
            until("reported", lambda: "already allocated" in status(shop, "wants")["members"]["m1"].get("why", ""))
            assert status(shop, "wants")["members"]["m2"]["state"] == "InSync"
            wait_for(shop, "other")
            shop.m1.kubectl("-n", SPACE, "delete", "service", "taken")
            wait_for(shop, "wants")
    finally:
        shop.m1.kubectl("-n", SPACE, "delete", "service", "taken", "--ignore-not-found")


def test_a_service_that_stays_is_in_no_member(shop: Sites) -> None:
    """Case 14: Federation v1's annotation; added later, it takes the copies away."""
    note = "federation.kubernetes.io/federation-control-plane"
    inner = body("inner")
    inner["metadata"]["annotations"][note] = "true"
    with services(shop, inner, body("travels", port=82)):
        wait_for(shop, "travels")
        until("reported", lambda: condition(shop, "inner", "Propagated").get("reason") == "Stays")
        assert all(absent(member, "inner") for member in shop.members)
        published(shop, "travels")
        shop.acme.kubectl("-n", SPACE, "annotate", "service", "travels", f"{note}=true")
        for member in shop.members:
            until("copy gone", lambda m=member: absent(m, "travels"))


def test_a_service_that_was_there_is_adopted_by_rule(shop: Sites) -> None:
    """Cases 15, 20: never, if equal, always; an adopted copy is released when its object goes (karmada#3004)."""
    there = body("there")
    del there["metadata"]["annotations"]
    shop.m1.apply({**there, "spec": {**there["spec"], "ports": [{"name": "http", "port": 81, "targetPort": w.PORT}]}})
    try:
        before = service(shop.m1, "there")
        with services_kept(shop, body("there", notes={"adopt": "never"})):
            until("conflict", lambda: status(shop, "there")["members"]["m1"]["state"] == "Conflict")
            annotate(shop, "there", "adopt=if-equal")
            until("field named", lambda: "spec.ports" in status(shop, "there")["members"]["m1"]["why"])
            assert service(shop.m1, "there")["spec"] == before["spec"]
            annotate(shop, "there", "adopt=always")
            wait_for(shop, "there")
            after = service(shop.m1, "there")
            assert [port["port"] for port in after["spec"]["ports"]] == [80]
            assert after["spec"]["clusterIP"] == before["spec"]["clusterIP"]
            assert after["metadata"]["annotations"][ADOPTED_ANNOTATION]
        until("m2's copy is gone", lambda: absent(shop.m2, "there"))
        found = service(shop.m1, "there")["metadata"]
        assert found["uid"] == before["metadata"]["uid"]
        assert FEDERATION_LABEL not in (found.get("labels") or {})
    finally:
        shop.m1.kubectl("-n", SPACE, "delete", "service", "there", "--ignore-not-found")


@contextmanager
def services_kept(shop: Sites, found: dict[str, Any]) -> Iterator[None]:
    """A federated Service for a block whose copies may stay."""
    shop.acme.apply(found)
    try:
        yield
    finally:
        shop.acme.kubectl("-n", SPACE, "delete", "service", found["metadata"]["name"], "--timeout=60s")


def test_orphaned_copies_always_stay(shop: Sites) -> None:
    """Case 17: ``--cascade=orphan`` for many Services at once, half of them while the federation's process is away."""
    names = [f"orphan-{number}" for number in range(COUNT)]
    shop.acme.apply(*(body(name, type="ClusterIP") for name in names))
    try:
        wait_for(shop, *names)
        for part, running in ((names[: COUNT // 2], True), (names[COUNT // 2 :], False)):
            if not running:
                shop.lab.ssh("h4", "systemctl stop rancherctl-federation")
            try:
                words = ("delete", "service", *part, "--cascade=orphan", "--wait=false")
                shop.acme.kubectl("-n", SPACE, *words)
            finally:
                shop.lab.ssh("h4", "systemctl start rancherctl-federation")
        until("objects gone", lambda: all(absent(shop.acme, name) for name in names))
        for member in shop.members:
            found = {s["metadata"]["name"]: s["metadata"] for s in member.get("services", "-n", SPACE)["items"]}
            assert set(names) <= set(found)
            assert not [n for n in names if FEDERATION_LABEL in (found[n].get("labels") or {})]
    finally:
        for env in (shop.acme, *shop.members):
            env.kubectl("-n", SPACE, "delete", "service", *names, "--ignore-not-found")


def test_a_foreground_deletion_ends(shop: Sites) -> None:
    """Case 17: the garbage collector, which would finish it elsewhere, does not run in a federation."""
    with services(shop, body("front")):
        wait_for(shop, "front")
        shop.acme.kubectl("-n", SPACE, "delete", "service", "front", "--cascade=foreground", "--timeout=60s")
        assert absent(shop.acme, "front")


def test_a_deleted_namespace_leaves_what_is_foreign_there(shop: Sites) -> None:
    """Case 19, karmada#3728: copies go, the member's Namespace stays with what others have put into it.

    kubefed#954: the deletion of a Namespace never ended.
    """
    shop.acme.kubectl("create", "namespace", "brief")
    try:
        found = body("brief-web", type="ClusterIP")
        found["metadata"]["namespace"] = "brief"
        shop.acme.apply(found)
        until("copied", lambda: json.loads(shop.m1.kubectl("-n", "brief", "get", "svc", "brief-web", "-o", "json")))
        shop.m1.kubectl("-n", "brief", "create", "configmap", "foreign")
    finally:
        shop.acme.kubectl("delete", "namespace", "brief", "--timeout=60s")
    for member in shop.members:
        until("no copy", lambda m=member: not m.get("services", "-n", "brief")["items"])
        until("released", lambda m=member: FEDERATION_LABEL not in m.get("namespace", "brief")["metadata"]["labels"])
    assert shop.m1.get("configmap", "foreign", "-n", "brief")
    for member in shop.members:
        member.kubectl("delete", "namespace", "brief", "--wait=false")


def test_a_federation_that_was_restored_deletes_nothing(shop: Sites) -> None:
    """Case 21: what it does not know any more is listed and stays (external-dns#2858, karmada#6098)."""
    etcd, copy = "/var/lib/rancherctl/etcd", "/var/lib/rancherctl-yesterday"
    stop = "systemctl stop rancherctl-federation rancherctl-controller rancherctl-kube-apiserver rancherctl-etcd"
    start = "systemctl start rancherctl-etcd rancherctl-kube-apiserver rancherctl-controller rancherctl-federation"
    shop.lab.ssh("h4", f"set -e; {stop}; rm -rf {copy}; cp -a {etcd} {copy}; {start}")
    until("API", lambda: shop.acme.get("namespaces"))
    shop.acme.apply(body("unknown-later"))
    wait_for(shop, "unknown-later")
    union = published(shop, "unknown-later")
    try:
        shop.lab.ssh("h4", f"set -e; {stop}; rm -rf {etcd}; mv {copy} {etcd}; {start}")
        until("API", lambda: shop.acme.get("namespaces"))
        assert absent(shop.acme, "unknown-later")
        with services(shop, body("new-again", port=82)):
            wait_for(shop, "new-again")
            published(shop, "new-again")
            for member in shop.members:
                assert not absent(member, "unknown-later")
            assert shop.public(f"unknown-later.{SPACE}.acme.svc") == union

            def different() -> set[str]:
                found = json.loads(shop.acme.ok("federation", "dns", "diff", "-o", "json"))["items"]
                return {item["name"].partition(".")[0] for item in found}

            until("listed as an orphan", lambda: different() == {"unknown-later"})
    finally:
        shop.acme.apply(body("unknown-later", notes={"adopt": "always"}))
        shop.acme.kubectl("-n", SPACE, "delete", "service", "unknown-later", "--timeout=60s")
        for member in shop.members:
            member.kubectl("-n", SPACE, "delete", "service", "unknown-later", "--ignore-not-found")
