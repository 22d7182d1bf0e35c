"""The pod network on one subnet: connections between pods, Services and hosts, and its repair."""

import json
import time

import pytest

from tests.lab import workloads as w
from tests.lab.measures import Measure
from tests.lab.support import Environment, until


@pytest.fixture(scope="module")
def pods(shared: Environment, space: str) -> dict[str, str]:
    """Ready pods a and b on h2, c on h3; name → address."""
    shared.apply(w.pod(space, "a", "h2"), w.pod(space, "b", "h2"), w.pod(space, "c", "h3"))
    shared.apply(w.service(space, "b"), w.service(space, "c"))
    w.ready(shared, space, "pod", "a", "b", "c")
    return {name: w.pod_ip(shared, space, name) for name in ("a", "b", "c")}


def get(env: Environment, space: str, pod: str, url: str, *flags: str) -> str:
    """An HTTP GET from inside a pod."""
    return env.kubectl("exec", "-n", space, pod, "--", "/testweb", "get", "-timeout", "10s", *flags, url)


def in_pod(env: Environment, host: str, address: str, script: str) -> str:
    """Run a shell script with the host's programs in the network namespace of the pod with ``address``."""
    find = f"for n in /run/netns/*; do nsenter --net=$n ip -4 -o addr | grep -q ' {address}/' && break; done"
    return env.ssh(host, f"{find}; nsenter --net=$n sh -c '{script}'", timeout=900.0).strip()


def test_pods_reach_pods_and_services(shared: Environment, space: str, pods: dict[str, str]) -> None:
    """pod → pod and pod → Service on one host and across hosts, host → pod with 1 MB; peers see the pod's own address.

    With bridge-nf-call-iptables off, as on stock hosts: calls to a ClusterIP whose endpoint is on the caller's host
    go through 20 times of 20.
    """
    shared.ssh("h2", "for f in /proc/sys/net/bridge/bridge-nf-call-iptables; do [ ! -e $f ] || echo 0 > $f; done")
    services = [w.cluster_ip(shared, space, name) for name in ("b", "c")]
    for service in services:
        until("the Service has its rules", lambda s=service: get(shared, space, "a", f"http://{s}/"))
    for name in ("b", "c"):
        assert f'"remote":"{pods["a"]}:' in get(shared, space, "a", f"http://{pods[name]}:8080/").replace(" ", "")
    calls = "; ".join(
        f'for i in $(seq 20); do curl -s -m 20 -o /dev/null -w "%{{http_code}} " http://{s}/; done' for s in services
    )
    assert in_pod(shared, "h2", pods["a"], calls).split() == ["200"] * 40
    for host in ("h1", "h2", "h3", "h4"):
        calls = "; ".join(f"curl -s -m 20 http://{a}:8080/body?size=1048576 | wc -c" for a in pods.values())
        assert shared.ssh(host, calls).split() == ["1048576"] * 3, host


BREAKS = {
    "networkctl reconfigure host0": "networkctl reconfigure host0",
    "all own routes deleted": "ip route flush proto 173",
    "nft flush ruleset": "nft flush ruleset",
    "DNS addresses removed": "ip addr del 169.254.20.10/32 dev lo; ip addr del 10.43.0.10/32 dev lo",
}
COMPLETE = (
    "[ $(ip -4 route show proto 173 | wc -l) = 3 ] && nft list table inet rancherctl_network >/dev/null 2>&1 "
    "&& ip -4 addr show dev lo | grep -q 169.254.20.10 && ip -4 addr show dev lo | grep -q 10.43.0.10"
)


def repairs(env: Environment, host: str) -> int:
    """How often the agent of a host has repaired its network, according to its report."""
    report = json.loads(env.get("configmap", f"report-{host}", "-n", "rancherctl-system")["data"]["report"])
    return int(report["sections"]["network"]["changes"])


@pytest.mark.parametrize("what", BREAKS)
def test_foreign_changes_are_repaired(
    shared: Environment, space: str, pods: dict[str, str], what: str, measure: Measure
) -> None:
    """Routes, addresses and both nft tables are restored, and existing pods reach Services again."""
    until("h3 is complete", lambda: shared.ssh("h3", f"{COMPLETE} && echo yes"))
    before = repairs(shared, "h3")
    # One script on the host: a round trip by ssh would be longer than the repair. 3000 turns take at least a minute.
    script = f"""
    {BREAKS[what]}
    begin=$(date +%s%N); n=0
    until {{ {COMPLETE}; }}; do n=$((n+1)); [ $n -lt 3000 ] || {{ echo never; exit 0; }}; sleep 0.02; done
    echo $(( ($(date +%s%N) - begin) / 1000000 ))
    """
    took = shared.ssh("h3", script, timeout=600.0).split()[-1]
    assert took != "never", shared.ssh(
        "h3", "ip -4 route; nft list tables; ip -4 addr show dev lo; journalctl -q -u rancherctl-agent -n 20 -o cat"
    )
    measure(f"{what}, repaired", int(took) / 1000, "s")
    until("the agent reports the repair", lambda: repairs(shared, "h3") > before)
    service = w.cluster_ip(shared, space, "b")
    # kube-proxy itself would write its rules again within the hour, so the agent restarts it. A pod that existed before
    # shows the effect.
    began = time.monotonic()
    until("pod to Service", lambda: get(shared, space, "c", f"http://{service}/"), pause=0.2)
    measure(f"{what}, pod to Service again", time.monotonic() - began, "s")
    dig = f"dig +short +time=10 +tries=2 @10.43.0.10 b.{space}.svc.cluster.local"
    until("the Service's name", lambda: shared.ssh("h3", dig).strip() == service)


def test_a_network_policy_gets_an_event_that_it_has_no_effect(shared: Environment, space: str) -> None:
    """By an Event on the policy itself, and by `env status`."""
    meta = {"name": "deny", "namespace": space}
    shared.apply(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": meta,
            "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
        }
    )
    events = (
        "get",
        "events",
        "-n",
        space,
        "--field-selector",
        "involvedObject.kind=NetworkPolicy,involvedObject.name=deny",
    )
    until("the Event", lambda: "NotEnforced" in shared.kubectl(*events, "-o", "jsonpath={.items[*].reason}"))
    assert "has no effect" in shared.kubectl("describe", "networkpolicy", "deny", "-n", space) + shared.kubectl(*events)
    assert "NetworkPolicies are not enforced in routed mode" in shared.rancherctl("env", "status", shared.name).stdout
