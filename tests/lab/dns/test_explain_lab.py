"""``dns explain`` on real hosts: each reason, makers of records, resolvers of pods, hosts that differ."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.lab.dns.test_dns_lab import service
from tests.lab.support import Environment, until

PG = [{"name": "pg", "port": 5432}]
PODS = """
apiVersion: v1
kind: Pod
metadata: {name: NAME}
spec:
  terminationGracePeriodSeconds: 1
  nodeName: h2
  SPEC
  containers:
  - name: web
    image: rancherctl.io/testweb:1.0
    imagePullPolicy: IfNotPresent
    args: [serve, -linger, 0s, -listen, ":PORT"]
"""
SPECS = {
    "usual": "",
    "absolute": 'dnsConfig: {options: [{name: ndots, value: "1"}]}',
    "own": "dnsPolicy: None\n  dnsConfig: {nameservers: [192.0.2.53], searches: [corp.example]}",
    "host": "hostNetwork: true",
}


def slices(owner: str, endpoints: list[dict[str, Any]]) -> dict[str, object]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{owner}-a", "labels": {"kubernetes.io/service-name": owner}},
        "addressType": "IPv4",
        "ports": [{"name": "pg", "port": 5432}],
        "endpoints": endpoints,
    }


def ready(address: str, hostname: str, *, is_ready: bool) -> dict[str, Any]:
    return {"addresses": [address], "hostname": hostname, "conditions": {"ready": is_ready}}


@pytest.fixture(scope="module")
def shop(shared: Environment, space: str) -> str:
    """A namespace with Services of every kind; the last one is served everywhere."""
    items = [
        service("web"),
        service("db", clusterIP="None", ports=PG),
        slices("db", [ready("10.42.200.6", "db-0", is_ready=False), ready("10.42.200.7", "db-1", is_ready=True)]),
        service("cold", clusterIP="None", ports=PG),
        slices("cold", [ready("10.42.200.8", "cold-0", is_ready=False)]),
        service("empty", clusterIP="None", selector={"app": "empty"}),
        service("ext", type="ExternalName", externalName=f"missing.{space}.svc.cluster.local", ports=None),
        service("last"),
    ]
    shared.kubectl(
        "-n", space, "create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    )
    until("the last Service everywhere", lambda: explain(shared, f"last.{space}")["resolved"])
    return space


def explain(env: Environment, *words: str, code: int | None = None) -> dict[str, Any]:
    done = env.rancherctl("dns", "explain", *words, "-o", "json")
    assert code is None or done.returncode == code, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


REASONS = [
    ("cold.NS", "NotReady", "10.42.200.8 in EndpointSlice NS/cold-a"),
    ("db-0.db.NS", "NotReady", "Service NS/db has no ready endpoint"),
    ("empty.NS", "NoEndpoints", "no pod with an address matches its selector"),
    ("db-9.db.NS", "NoSuchEndpoint", "Service NS/db has no endpoint db-9"),
    ("_pgg._tcp.db.NS", "WrongPort", "no port pgg with protocol tcp"),
    ("_pg._udp.db.NS", "WrongPort", "no port pg with protocol udp"),
    ("last", "OtherNamespace", "namespace default has no Service last"),
    ("last2.NS", "NoSuchService", "namespace NS has no Service last2"),
    ("last.NSx", "NoSuchNamespace", "namespace NSx does not exist"),
    ("ext.NS", "ExternalNameTarget", "which does not resolve"),
    ("web.NS.fed", "FederationName", "Service NS/web in a federation fed"),
    ("web.NS.svc.clusterset.local", "MultiCluster", "clusterset.local"),
    ("web.NS.svc.k8s.corp", "OtherDomain", "is cluster.local, not k8s.corp"),
]
"""Name, code of the reason, and a part of its text; NS is the namespace of the test."""


@pytest.fixture(scope="module")
def unresolved(shared: Environment, shop: str) -> dict[str, dict[str, Any]]:
    """The explanations of all names of REASONS, asked for at the same time: most of it is waiting for an upstream."""
    with ThreadPoolExecutor(5) as pool:
        found = pool.map(lambda name: explain(shared, name.replace("NS", shop)), [name for name, _, _ in REASONS])
        return dict(zip([name for name, _, _ in REASONS], found, strict=True))


@pytest.mark.parametrize(("name", "code", "text"), REASONS)
def test_each_reason_on_every_host(
    shared: Environment, shop: str, unresolved: dict[str, dict[str, Any]], name: str, code: str, text: str
) -> None:
    found = unresolved[name]
    assert not found["resolved"]
    assert code in [reason["code"] for reason in found["reasons"]], found["reasons"]
    assert any(text.replace("NS", shop) in reason["text"] for reason in found["reasons"]), found["reasons"]
    assert {row["hosts"] for row in found["asked"]} == {len(shared.lab.hosts())}


def test_a_name_that_resolves_names_its_makers(shared: Environment, shop: str) -> None:
    found = explain(shared, "db", "-n", shop, code=0)
    assert found["result"]["data"] == ["10.42.200.7"]
    assert {(row["agreeing"], row["hosts"]) for row in found["asked"]} == {(4, 4)}
    assert [(r["object"], r["slice"], r["address"], r["answered"]) for r in found["records"]] == [
        (f"Service {shop}/db", f"{shop}/db-a", "10.42.200.6", False),
        (f"Service {shop}/db", f"{shop}/db-a", "10.42.200.7", True),
    ]
    reverse = explain(shared, "10.42.200.7", code=0)
    assert reverse["result"]["data"] == [f"db-1.db.{shop}.svc.cluster.local."]
    said = shared.rancherctl("dns", "explain", f"last2.{shop}")
    assert (said.returncode, 'did you mean "last"?' in said.stderr) == (3, True), said.stderr


def test_pods_ask_with_their_own_resolv_conf(shared: Environment, shop: str) -> None:
    shared.kubectl(
        "-n",
        shop,
        "create",
        "-f",
        "-",
        stdin="---".join(
            PODS.replace("NAME", name).replace("SPEC", spec).replace("PORT", str(18080 + number))
            for number, (name, spec) in enumerate(SPECS.items())
        ),
    )
    shared.kubectl(
        "-n", shop, "wait", "--for=condition=Ready", *(f"pod/{name}" for name in SPECS), "--timeout=240s", timeout=250
    )
    usual = explain(shared, "last", "--from-pod", f"{shop}/usual", code=0)
    assert usual["resolver"]["search"][0] == f"{shop}.svc.cluster.local"
    assert (usual["resolver"]["nameservers"], usual["resolver"]["ndots"]) == (["169.254.20.10"], 5)
    absolute = explain(shared, f"last.{shop}", "--from-pod", f"{shop}/absolute")
    assert absolute["asked"][0]["name"] == f"last.{shop}."
    assert absolute["resolved"]
    own = explain(shared, f"last.{shop}", "--from-pod", f"{shop}/own")
    assert own["resolver"]["search"] == ["corp.example"]
    assert own["reasons"][0]["code"] == "OtherNameServers"
    on_host = explain(shared, f"last.{shop}.svc.cluster.local", "--from-pod", f"{shop}/host")
    assert on_host["pod"]["dnsPolicy"] == "ClusterFirst"
    assert f"{shop}.svc.cluster.local" not in on_host["resolver"]["search"]


def test_a_host_that_lags_differs_and_the_reason_is_found(shared: Environment, shop: str) -> None:
    shared.ssh("h2", "systemctl stop rancherctl-agent.service")
    try:
        shared.kubectl("-n", shop, "create", "-f", "-", stdin=json.dumps(service("newest")))
        asked = ("newest", "-n", shop)
        until("all others", lambda: explain(shared, *asked)["asked"][0]["agreeing"] == 3)
        done = shared.rancherctl("dns", "explain", *asked)
        assert done.returncode == 5
        assert "3/4; h2: NXDOMAIN" in done.stdout
    finally:
        shared.ssh("h2", "systemctl start rancherctl-agent.service")
    until("h2, too", lambda: explain(shared, *asked)["asked"][0]["agreeing"] == 4)
