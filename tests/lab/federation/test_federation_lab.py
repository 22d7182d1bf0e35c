"""A federation of two real environments: what its API is, Services that travel, drift, deletion, statuses."""

from __future__ import annotations

import json
import time

from rancherctl.contract import FEDERATION_LABEL
from tests.lab.federation.shop import (
    SPACE,
    absent,
    addresses,
    annotate,
    body,
    condition,
    public_name,
    remove,
    service,
    services,
    status,
    wait_for,
)
from tests.lab.federation.sites import Sites
from tests.lab.measures import Measure
from tests.lab.support import until


def test_a_service_is_served_by_both_members_and_has_their_addresses(shop: Sites, measure: Measure) -> None:
    """Cases 1, 8, 9, 10, 16: own values in both members; the union of addresses, which the federation's host reaches.

    Deleting it removes copies, records and markers everywhere (k/k#36799: no CNAME is left; federation#251 #252).
    """
    begin = time.monotonic()
    shop.acme.kubectl("-n", SPACE, "create", "service", "loadbalancer", "web", "--tcp=80:8080")
    wait_for(shop, "web")
    took = (time.monotonic() - begin) * 1000
    measure("federated Service in sync in two members, with kubectl's own time", took, "ms")
    here, *there = (service(env, "web")["spec"] for env in (shop.acme, *shop.members))
    for spec in there:
        assert [p["port"] for p in spec["ports"]] == [80]
        assert spec["selector"] == {"app": "web"}
    assert len({spec["clusterIP"] for spec in (here, *there)}) == 3
    assert len({spec["ports"][0]["nodePort"] for spec in (here, *there)}) > 1
    own = {m.name: until("address", lambda m=m: addresses(m, "web")) for m in shop.members}
    union = sorted(a for found in own.values() for a in found)
    assert until("union", lambda: addresses(shop.acme, "web") == union)
    until("healthy", lambda: condition(shop, "web", "Healthy").get("status") == "True")
    ingress = service(shop.acme, "web")["status"]["loadBalancer"]["ingress"]
    assert {entry["ipMode"] for entry in ingress} == {"Proxy"}
    said = status(shop, "web")["members"]
    assert {name: (part["state"], part["addresses"]) for name, part in said.items()} == {
        name: ("InSync", found) for name, found in own.items()
    }
    for address in union:
        assert "200" in shop.acme.ssh("h4", f"curl -s -m 5 -o /dev/null -w '%{{http_code}}' http://{address}/healthz")
    listed = json.loads(shop.acme.ok("federation", "services", "-o", "json"))["items"]
    row = next(item for item in listed if item["name"] == "web")
    assert (row["members"], row["of"], row["healthy"]) == (2, 2, True)
    until("published", lambda: shop.public(public_name("web")) == union)
    began = time.monotonic()
    remove(shop, "web")
    for member in shop.members:
        until("copy gone", lambda m=member: absent(m, "web"))
    until("no record is left", lambda: not [r for r in shop.zone() if f"web.{SPACE}." in f"{r[0]} {r[4]}"])
    measure("deleted Service gone from members and zone", time.monotonic() - began, "s")


def test_the_federations_api_starts_nothing(shop: Sites) -> None:
    """Cases 5, 6: no pods, no endpoints, no certificate bundle that would overwrite that of members."""
    done = shop.acme.rancherctl("kubectl", "--env", "acme", "create", "deployment", "x", "--image=x")
    assert "stays in the federation and does nothing there" in done.stderr
    refused = shop.acme.rancherctl("kubectl", "--env", "acme", "run", "x", "--image=x")
    assert refused.returncode != 0
    assert shop.acme.get("replicasets", "-A")["items"] == []
    assert [s["metadata"]["name"] for s in shop.acme.get("endpointslices", "-A")["items"]] in ([], ["kubernetes"])
    names = {c["metadata"]["name"] for c in shop.acme.get("configmaps", "-A")["items"]}
    assert "kube-root-ca.crt" not in names
    shop.acme.kubectl("delete", "deployment", "x")


def test_a_selector_moves_a_service_and_its_names(shop: Sites) -> None:
    """Case 13: copy and address leave the member that is no longer selected; v1's JSON says the same (k/k#39482)."""
    v1 = json.dumps([{"key": "env", "operator": "In", "values": ["prod"]}])
    with services(shop, body("some")):
        wait_for(shop, "some")
        union = until("union", lambda: (a := addresses(shop.acme, "some")) and len(a) > 1 and a)
        until("published", lambda: shop.public(public_name("some")) == union)
        annotate(shop, "some", "cluster-selector=env=prod")
        until("left m2", lambda: absent(shop.m2, "some"))
        assert not absent(shop.m1, "some")
        until("only m1", lambda: shop.public(public_name("some")) == addresses(shop.m1, "some"))
        annotate(shop, "some", "cluster-selector=env in (")
        until("reported", lambda: condition(shop, "some", "Propagated").get("reason") == "InvalidSelector")
        assert not absent(shop.m1, "some")
        assert absent(shop.m2, "some")
        annotate(shop, "some", "cluster-selector-")
        until("back in m2", lambda: not absent(shop.m2, "some"))
        until("both again", lambda: shop.public(public_name("some")) == union)
        note = "federation.alpha.kubernetes.io/cluster-selector"
        shop.acme.kubectl("-n", SPACE, "annotate", "service", "some", f"{note}={v1}")
        until("left m2", lambda: absent(shop.m2, "some"))
        assert not absent(shop.m1, "some")


def test_drift_is_repaired_and_orphaned_copies_stay(shop: Sites, measure: Measure) -> None:
    """Cases 11, 17: what is ours comes back, what is foreign stays; orphaned copies lose the marks."""
    with services(shop, body("kept")):
        wait_for(shop, "kept")
        shop.m1.kubectl("-n", SPACE, "annotate", "service", "kept", "example.org/foreign=stays")
        change = [{"op": "replace", "path": "/spec/ports/0/port", "value": 81}]
        shop.m1.kubectl("-n", SPACE, "patch", "service", "kept", "--type=json", "-p", json.dumps(change))
        began = time.monotonic()
        until("repaired", lambda: [p["port"] for p in service(shop.m1, "kept")["spec"]["ports"]] == [80])
        measure("drift of a copy repaired, with kubectl's own time", time.monotonic() - began, "s")
        assert service(shop.m1, "kept")["metadata"]["annotations"]["example.org/foreign"] == "stays"
        shop.m1.kubectl("-n", SPACE, "delete", "service", "kept")
        until("recreated", lambda: not absent(shop.m1, "kept"))
        shop.acme.kubectl("-n", SPACE, "delete", "service", "kept", "--cascade=orphan", "--timeout=60s")
        for member in shop.members:
            assert FEDERATION_LABEL not in (service(member, "kept")["metadata"].get("labels") or {})
            member.kubectl("-n", SPACE, "delete", "service", "kept")
        until("no name is left", lambda: not shop.public(public_name("kept")))
