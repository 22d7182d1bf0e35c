"""A federation of two real environments: Services travel, statuses come back, members leave and are lost."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from rancherctl.contract import FEDERATION_LABEL
from tests.lab import workloads as w
from tests.lab.federation.sites import Sites
from tests.lab.measures import Measure
from tests.lab.support import Environment, until

SPACE = "shop"
PROPAGATED = "condition=federation.rancherctl.io/Propagated"


@pytest.fixture(scope="module")
def shop(sites: Sites) -> Iterator[Sites]:
    """A namespace of the federation and of its members, with pods of ``web`` in both members."""
    sites.acme.kubectl("create", "namespace", SPACE)
    for member in sites.members:
        member.kubectl("create", "namespace", SPACE)
        member.kubectl("label", "namespace", SPACE, f"{FEDERATION_LABEL}=acme")
        member.apply(w.deployment(SPACE, "web", 1))
        w.ready(member, SPACE, "deployment", "web")
    yield sites
    sites.acme.kubectl("delete", "namespace", SPACE, "--wait=false")


def create(sites: Sites, name: str, *words: str) -> None:
    """A Service of type LoadBalancer for the pods of ``web``, made with plain kubectl."""
    sites.acme.kubectl("-n", SPACE, "create", "service", "loadbalancer", name, f"--tcp=80:{w.PORT}", *words)
    sites.acme.kubectl("-n", SPACE, "patch", "service", name, "-p", json.dumps({"spec": {"selector": {"app": "web"}}}))


def remove(sites: Sites, name: str) -> None:
    sites.acme.kubectl("-n", SPACE, "delete", "service", name, "--timeout=60s")


def service(env: Environment, name: str) -> dict[str, Any]:
    return env.get("service", name, "-n", SPACE)


def addresses(env: Environment, name: str) -> list[str]:
    found = service(env, name)["status"]["loadBalancer"].get("ingress") or []
    return [entry["ip"] for entry in found]


def condition(sites: Sites, name: str, kind: str) -> dict[str, Any]:
    found = service(sites.acme, name)["status"].get("conditions") or []
    return next((c for c in found if c["type"].endswith(f"/{kind}")), {})


def absent(env: Environment, name: str) -> bool:
    return not env.kubectl("-n", SPACE, "get", "service", name, "--ignore-not-found", "-o", "name").strip()


def test_a_service_is_served_by_both_members_and_has_their_addresses(shop: Sites, measure: Measure) -> None:
    """Cases 1, 8, 9: own values in both members; the union of addresses, which the federation's host reaches."""
    begin = time.monotonic()
    create(shop, "web")
    shop.acme.kubectl("-n", SPACE, "wait", f"--for={PROPAGATED}", "service/web", "--timeout=60s")
    measure(
        "federated Service in sync in two members, with kubectl's own time", (time.monotonic() - begin) * 1000, "ms"
    )
    here, *there = (service(env, "web")["spec"] for env in (shop.acme, *shop.members))
    for spec in there:
        assert [p["port"] for p in spec["ports"]] == [80]
        assert spec["selector"] == {"app": "web"}
    assert len({spec["clusterIP"] for spec in (here, *there)}) == 3
    union = sorted(a for member in shop.members for a in until("address", lambda m=member: addresses(m, "web")))
    assert until("union", lambda: addresses(shop.acme, "web") == union)
    until("healthy", lambda: condition(shop, "web", "Healthy").get("status") == "True")
    for address in union:
        assert "200" in shop.acme.ssh("h4", f"curl -s -m 5 -o /dev/null -w '%{{http_code}}' http://{address}/healthz")
    listed = json.loads(shop.acme.ok("federation", "services", "-o", "json"))["items"]
    row = next(item for item in listed if item["name"] == "web")
    assert (row["members"], row["of"], row["healthy"]) == (2, 2, True)
    remove(shop, "web")
    for member in shop.members:
        until("copy gone", lambda m=member: absent(m, "web"))


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


def test_a_selector_moves_a_service_and_a_member_without_pods_is_not_healthy(shop: Sites) -> None:
    """Case 13: the copy leaves the member that is no longer selected, and comes back."""
    create(shop, "some")
    shop.acme.kubectl("-n", SPACE, "wait", f"--for={PROPAGATED}", "service/some", "--timeout=60s")
    note = "federation.rancherctl.io/cluster-selector"
    shop.acme.kubectl("-n", SPACE, "annotate", "service", "some", f"{note}=env=prod")
    until("left m2", lambda: absent(shop.m2, "some"))
    assert not absent(shop.m1, "some")
    shop.acme.kubectl("-n", SPACE, "annotate", "service", "some", f"{note}-")
    until("back in m2", lambda: not absent(shop.m2, "some"))
    remove(shop, "some")


def test_a_deleted_copy_comes_back_and_orphaned_copies_stay(shop: Sites) -> None:
    """Cases 11, 17: drift is repaired; ``--cascade=orphan`` leaves the copies without marks."""
    create(shop, "kept")
    shop.acme.kubectl("-n", SPACE, "wait", f"--for={PROPAGATED}", "service/kept", "--timeout=60s")
    shop.m1.kubectl("-n", SPACE, "delete", "service", "kept")
    until("recreated", lambda: not absent(shop.m1, "kept"))
    shop.acme.kubectl("-n", SPACE, "delete", "service", "kept", "--cascade=orphan", "--timeout=60s")
    for member in shop.members:
        assert FEDERATION_LABEL not in (service(member, "kept")["metadata"].get("labels") or {})
        member.kubectl("-n", SPACE, "delete", "service", "kept")


def test_a_member_without_its_api_keeps_its_copies_and_addresses(shop: Sites) -> None:
    """Case 44 (shortened) and 18: the API of a member is down; a deletion is not held, and is done when it returns."""
    create(shop, "down")
    until("union", lambda: len(addresses(shop.acme, "down")) == 2)
    before = addresses(shop.acme, "down")
    shop.m2.ssh("h3", "systemctl stop rancherctl-kube-apiserver")
    try:
        until("noticed", lambda: shop.acme.rancherctl("federation", "status").returncode == 6)
        assert addresses(shop.acme, "down") == before
        create(shop, "later")
        until("in m1", lambda: not absent(shop.m1, "later"))
        remove(shop, "down")
        pending = shop.acme.get("configmap", "pending-m2", "-n", "rancherctl-federation")["data"]
        assert f"Service.{SPACE}.down" in pending
    finally:
        shop.m2.ssh("h3", "systemctl start rancherctl-kube-apiserver")
    until("deleted there", lambda: absent(shop.m2, "down"))
    until("later there", lambda: not absent(shop.m2, "later"))
    until("members ready", lambda: shop.acme.rancherctl("federation", "status").returncode == 0)
    remove(shop, "later")


def test_a_member_leaves_and_joins_again(shop: Sites) -> None:
    """Cases 29, 36, 37: names, copies, credential and accounts go in order, with a proof; a join is repeatable."""
    create(shop, "all")
    until("union", lambda: len(addresses(shop.acme, "all")) == 2)
    assert shop.acme.rancherctl("federation", "leave", "m2").returncode == 2
    refused = shop.acme.rancherctl("env", "rm", "m2", "--confirm", "m2")
    assert refused.returncode == 5
    assert "is a member of the federation acme" in refused.stderr
    done = shop.acme.rancherctl("federation", "leave", "m2", "--services", "delete")
    assert done.returncode == 0, done.stderr
    assert "NO:" not in done.stderr
    assert absent(shop.m2, "all")
    until("one address", lambda: addresses(shop.acme, "all") == addresses(shop.m1, "all"))
    assert FEDERATION_LABEL not in shop.m2.get("namespace", SPACE)["metadata"]["labels"]
    shop.m2.kubectl("label", "namespace", SPACE, f"{FEDERATION_LABEL}=acme")
    shop.acme.ok("federation", "join", "acme", "--env", "m2")
    again = shop.acme.rancherctl("federation", "join", "acme", "--env", "m2")
    assert "already a member" in again.stderr
    until("union again", lambda: len(addresses(shop.acme, "all")) == 2)
    remove(shop, "all")
