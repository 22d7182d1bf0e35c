"""The seed example: an Ingress with scale 2 on two hosts, and names of Services and StatefulSet pods on every host."""

import json

import pytest

from tests.lab import workloads as w
from tests.lab.support import Environment, curl, until

DNS = ("169.254.20.10", "10.43.0.10")


def dig(env: Environment, host: str, server: str, name: str, kind: str = "A") -> list[str]:
    """Answers of one server, asked on a host; [] for none."""
    return sorted(env.ssh(host, f"dig +short +time=10 +tries=2 @{server} {name} {kind} || true").split())


@pytest.fixture(scope="module")
def sample(shared: Environment, space: str) -> str:
    """The sample of the documentation, in a namespace of its own; gives that."""
    shared.apply(
        w.service(space, "mongodb", "mdb", port=27017),
        w.service(space, "mdb-headless", "mdb", headless=True),
        w.stateful_set(space, "mdb", "mongodb", 2),
        w.deployment(space, "web", 2),
        w.service(space, "web"),
        w.ingress(space, "scalelb", "foo.bar.com", "web", scale="2", path="/foo"),
    )
    w.ready(shared, space, "deployment", "web")
    w.ready(shared, space, "statefulset", "mdb")
    return space


def test_scale_two_answers_on_two_hosts(shared: Environment, sample: str) -> None:
    """`scale: "2"`: the status has two hosts' addresses, both answer from a pod; the others do not listen."""
    addresses = w.published(shared, sample, "scalelb", 2)
    hosts = {shared.host_of(a) for a in addresses}
    assert len(hosts) == 2
    assert addresses == sorted(addresses)
    pods = set(w.pods(shared, sample, "web"))
    for address in addresses:
        code, body = curl(address, "foo.bar.com", "/foo")
        seen = json.loads(body)
        assert (code, seen["host"], seen["path"]) == (200, "foo.bar.com", "/foo")
        assert seen["pod"] in pods
        assert curl(address, "foo.bar.com", "/other")[0] == 404
        assert curl(address, "other.bar.com", "/foo")[0] == 404
    for reach in shared.lab.hosts():
        if reach.name not in hosts:
            at = reach.address
            # An earlier test's namespace may still be ending there.
            until(
                f"{reach.name} has nothing placed and does not listen",
                lambda a=at: curl(a, "foo.bar.com", "/foo")[0] == 0,
            )
    table = shared.kubectl("get", "ingress", "scalelb", "-n", sample)
    assert all(a in table for a in addresses)


def test_names_answer_on_every_host_at_both_addresses(shared: Environment, sample: str) -> None:
    """On each host, at both addresses: mongodb is 10.43.x.x, mdb-0.mongodb that pod, the headless Service all pods."""
    zone = f"{sample}.svc.cluster.local"
    service = w.cluster_ip(shared, sample, "mongodb")
    assert service.startswith("10.43.")
    pods = {name: p["status"]["podIP"] for name, p in w.pods(shared, sample, "mdb").items()}
    want = {f"mongodb.{zone}": [service], f"mdb-headless.{zone}": sorted(pods.values())}
    want |= {f"{name}.mongodb.{zone}": [ip] for name, ip in pods.items()}
    assert len(pods) == 2
    for reach in shared.lab.hosts():
        for server in DNS:
            for name, addresses in want.items():
                until(
                    f"{name} at {server} on {reach.name} = {addresses}",
                    lambda s=server, n=name, h=reach.name, a=addresses: dig(shared, h, s, n) == a,
                )
    assert dig(shared, "h2", DNS[0], f"absent.{zone}") == []
    reverse = ".".join(reversed(service.split("."))) + ".in-addr.arpa"
    until("the reverse name", lambda: dig(shared, "h3", DNS[1], reverse, "PTR") == [f"mongodb.{zone}."])


def test_names_answer_from_a_pod(shared: Environment, sample: str) -> None:
    """A pod resolves short names, full names and a pod's name by its resolv.conf, and reaches the Service by name."""
    pod = next(iter(w.pods(shared, sample, "web")))
    inside = ("exec", "-n", sample, pod, "--", "/testweb")
    service = w.cluster_ip(shared, sample, "mongodb")
    member = w.pod_ip(shared, sample, "mdb-1")
    wanted = dict.fromkeys(("mongodb", f"mongodb.{sample}", f"mongodb.{sample}.svc.cluster.local"), service)
    for name, address in {**wanted, f"mdb-1.mongodb.{sample}.svc.cluster.local": member}.items():
        until(f"{name} in a pod", lambda n=name, a=address: shared.kubectl(*inside, "resolve", n).split() == [a])
    seen = json.loads(
        until("the Service answers", lambda: shared.kubectl(*inside, "get", "http://mongodb:27017/hello"))
    )
    assert seen["pod"] in {"mdb-0", "mdb-1"}
