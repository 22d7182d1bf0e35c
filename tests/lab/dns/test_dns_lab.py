"""DNS on real hosts: the seed example, both addresses, pods, kills, a reboot with the API away, the tools."""

from __future__ import annotations

import itertools
import json
import random
import socket
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from rancherctl.kube.client import SERVICES
from rancherctl.kube.rest import RestClient
from tests.lab.measures import Measure
from tests.lab.support import GIVE_UP, Environment, until

ADDRESSES = ("169.254.20.10", "10.43.0.10")
UNIT = "rancherctl-dns.service"
WATCH = Path(__file__).with_name("dns_watch.py").read_text()


def dig(
    env: Environment, host: str, name: str, kind: str = "A", *, server: str = ADDRESSES[1], options: str = "+short"
) -> list[str]:
    return sorted(env.ssh(host, f"dig {options} +time=10 +tries=2 @{server} {name} {kind}").splitlines())


def answers(env: Environment, host: str, server: str, wanted: Mapping[str, list[str]]) -> None:
    """Wait until one server gives all expected answers, one round trip per attempt."""
    script = "; ".join(f"dig +short +time=10 +tries=2 @{server} {question}; echo =" for question in wanted)

    def look() -> bool:
        found = [sorted(part.split("\n")[:-1]) for part in env.ssh(host, script).split("=\n")[:-1]]
        assert found == list(wanted.values())
        return True

    until(f"{server} on {host}", look)


def hosts(env: Environment) -> list[str]:
    return [host.name for host in env.lab.hosts()]


def service(name: str, address: str = "", **spec: object) -> dict[str, object]:
    body = {"ports": [{"name": "http", "port": 80}], **({"clusterIP": address} if address else {}), **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": body}


_ADDRESSES = itertools.cycle(f"10.43.0.{n}" for n in range(20, 256))
for _ in range(
    random.randrange(236)
):  # a second run in a kept environment must not meet the first one's: namespaces end slowly
    next(_ADDRESSES)


def fresh() -> str:
    """An unused cluster address: the API assigns none of the first 256 by itself, and a run uses each once."""
    return next(_ADDRESSES)


class Watch:
    """Queries hosts from before a change until a name has the expected answer; ``times`` are wall clock times."""

    def __init__(
        self,
        env: Environment,
        names: Sequence[str],
        name: str,
        wanted: str,
        *,
        server: str = ADDRESSES[0],
        seconds: float = GIVE_UP,
    ) -> None:
        config = str(env.lab.hosts()[0].ssh_config)
        words = ["python3", "-", server, name, "A", f"'{wanted}'", str(seconds)]
        self._seconds = seconds
        self._all = []
        for host in names:
            # Unbuffered: what the first readline left over would be lost to communicate.
            process = subprocess.Popen(
                ["ssh", "-F", config, host, *words],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            assert process.stdin
            process.stdin.write(WATCH.encode())
            process.stdin.close()
            process.stdin = None
            self._all.append(process)
        for process in self._all:
            assert process.stdout
            first = process.stdout.readline()
            if first != b"ready\n":
                raise AssertionError(f"the watch did not start: {self._end()}")

    def times(self) -> list[float]:
        """One wall clock for each host."""
        try:
            said = [process.communicate(timeout=self._seconds + 60) for process in self._all]
        finally:
            self._end()
        assert all(process.returncode == 0 for process in self._all), [stderr.decode() for _, stderr in said]
        return [float(stdout) for stdout, _ in said]

    def _end(self) -> list[str]:
        for process in self._all:
            process.kill()
        return [
            process.communicate()[1].decode()
            for process in self._all
            if not process.stdout or not process.stdout.closed
        ]


def create(env: Environment, namespace: str, *objects: Mapping[str, object]) -> float:
    """Create objects; the wall clock just before."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
    began = time.time()
    env.kubectl("-n", namespace, "create", "-f", "-", stdin=text)
    return began


STATEFUL = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: mdb}
spec:
  serviceName: mongodb
  replicas: 2
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: mdb}}
  template:
    metadata: {labels: {app: mdb}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: mdb
        image: rancherctl.io/testweb:1.0
        imagePullPolicy: IfNotPresent
        args: [serve, -linger, 0s]
        ports: [{name: http, containerPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: mongodb}
spec: {selector: {app: mdb}, ports: [{name: http, port: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: every}
spec: {clusterIP: None, selector: {app: mdb}, ports: [{name: http, port: 8080}]}
"""


@pytest.fixture
def stateful(shared: Environment, namespace: str) -> dict[str, str]:
    """Pod name → address of the seed example in the test's namespace."""
    shared.kubectl("-n", namespace, "apply", "-f", "-", stdin=STATEFUL)
    shared.kubectl("-n", namespace, "rollout", "status", "statefulset/mdb", "--timeout=240s", timeout=250)
    return {p["metadata"]["name"]: p["status"]["podIP"] for p in shared.get("pods", "-n", namespace)["items"]}


def test_seed_example_on_every_host_at_both_addresses(
    shared: Environment, namespace: str, stateful: dict[str, str]
) -> None:
    cluster = shared.get("service", "mongodb", "-n", namespace)["spec"]["clusterIP"]
    zone = f"{namespace}.svc.cluster.local"
    wanted = {
        f"mongodb.{zone} A": [cluster],
        f"mdb-0.mongodb.{zone} A": [stateful["mdb-0"]],
        f"mdb-1.mongodb.{zone} A": [stateful["mdb-1"]],
        f"every.{zone} A": sorted(stateful.values()),
        f"_http._tcp.mongodb.{zone} SRV": [f"0 100 8080 mongodb.{zone}."],
        f"-x {cluster}": [f"mongodb.{zone}."],
        f"mongodb.{zone} AAAA": [],
    }
    for host in hosts(shared):
        for server in ADDRESSES:
            answers(shared, host, server, wanted)


def test_endpoints_outside_the_networks_have_reverse_names(shared: Environment, namespace: str) -> None:
    """The API server's endpoint is a host's address; a hand-made slice may have any, here IPv6."""
    host = shared.get("endpoints", "kubernetes", "-n", "default")["subsets"][0]["addresses"][0]["ip"]
    slice_ = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "outside-v6", "labels": {"kubernetes.io/service-name": "outside"}},
        "addressType": "IPv6",
        "ports": [{"name": "http", "port": 80}],
        "endpoints": [{"addresses": ["2001:db8::7"], "conditions": {"ready": True}}],
    }
    create(shared, namespace, service("outside", clusterIP="None"), slice_)
    wanted = {
        f"-x {host}": [f"{host.replace('.', '-')}.kubernetes.default.svc.cluster.local."],
        "-x 2001:db8::7": [f"2001-db8--7.outside.{namespace}.svc.cluster.local."],
    }
    for name in hosts(shared):
        answers(shared, name, ADDRESSES[1], wanted)


def test_pods_query_their_own_host(shared: Environment, namespace: str, stateful: dict[str, str]) -> None:
    def resolve(pod: str, name: str) -> list[str]:
        return shared.kubectl("-n", namespace, "exec", pod, "--", "/testweb", "resolve", name).split()

    for pod in stateful:
        for name in (f"mdb-0.mongodb.{namespace}.svc.cluster.local", "mdb-1.mongodb"):
            until(f"{name} in {pod}", lambda p=pod, n=name: resolve(p, n) == [stateful[n[:5]]])


def admin(env: Environment) -> RestClient:
    """The API with the administrator's key, in this process: kubectl alone takes longer than what is measured."""
    pem = {
        word: env.ssh("h1", f"cat /etc/rancherctl/pki/{word}").encode() for word in ("ca.crt", "admin.crt", "admin.key")
    }
    return RestClient(
        f"https://{env.lab.host('h1').address}:6443", ca=pem["ca.crt"], cert=pem["admin.crt"], key=pem["admin.key"]
    )


def test_a_new_service_is_answered_on_all_hosts_at_once(shared: Environment, namespace: str, measure: Measure) -> None:
    lags = []
    with admin(shared) as client:
        for number in range(15):
            address = fresh()
            watch = Watch(shared, hosts(shared), f"new-{number}.{namespace}.svc.cluster.local", address)
            client.create(SERVICES, service(f"new-{number}", address), namespace=namespace)
            created = time.time()
            lags.append(max(watch.times()) - created)
    measure(
        f"dns: the API has answered a create → all {len(hosts(shared))} hosts answer the name, median",
        statistics.median(lags),
        "s",
    )
    measure("dns: the same, worst", max(lags), "s")


def test_a_deleted_service_is_nxdomain(shared: Environment, namespace: str) -> None:
    address = fresh()
    create(shared, namespace, service("short", address))
    name = f"short.{namespace}.svc.cluster.local"
    Watch(shared, hosts(shared), name, address).times()
    watch = Watch(shared, hosts(shared), name, "")
    shared.kubectl("-n", namespace, "delete", "service", "short")
    watch.times()
    assert any("NXDOMAIN" in line for line in dig(shared, "h2", name, options="+noall +comments"))


def test_a_killed_server_answers_all_names_again(shared: Environment, namespace: str, measure: Measure) -> None:
    address = fresh()
    create(shared, namespace, service("kept", address))
    name = f"kept.{namespace}.svc.cluster.local"
    Watch(shared, ["h2"], name, address).times()
    began = time.time()
    shared.ssh("h2", "systemctl kill -s KILL rancherctl-dns.service")
    (seen,) = Watch(shared, ["h2"], name, address).times()
    measure("dns: kill -9 of the server → answers again (with ssh)", seen - began, "s")


def test_a_dead_agent_does_not_stop_answers(shared: Environment, namespace: str) -> None:
    address, second = fresh(), fresh()
    create(shared, namespace, service("calm", address))
    name = f"calm.{namespace}.svc.cluster.local"
    Watch(shared, ["h2"], name, address).times()
    shared.ssh("h2", "systemctl stop rancherctl-agent.service")
    try:
        assert dig(shared, "h2", name) == [address]
    finally:
        shared.ssh("h2", "systemctl start rancherctl-agent.service")
    create(shared, namespace, service("later", second))
    Watch(shared, ["h2"], f"later.{namespace}.svc.cluster.local", second).times()


DAMAGE = {
    "journal": "head -c 64 /dev/urandom | "
    "dd of=/var/lib/rancherctl/dns/cluster.local.zone.jnl conv=notrunc status=none",
    "zone": ": > /var/lib/rancherctl/dns/cluster.local.zone",
}


@pytest.mark.parametrize("what", sorted(DAMAGE))
def test_damaged_files_are_repaired(shared: Environment, namespace: str, measure: Measure, what: str) -> None:
    address = fresh()
    create(shared, namespace, service("whole", address))
    name = f"whole.{namespace}.svc.cluster.local"
    Watch(shared, ["h3"], name, address).times()
    began = time.time()
    # Stop the server first: it rewrites its files when it ends.
    shared.ssh(
        "h3",
        f"systemctl kill -s KILL {UNIT}; systemctl stop {UNIT}; {DAMAGE[what]}; systemctl start {UNIT}",
    )
    (seen,) = Watch(shared, ["h3"], name, address).times()
    measure(f"dns: {what} damaged → answers again (with ssh)", seen - began, "s")
    until("status", lambda: _status(shared)["h3"]["loaded"])


def _status(env: Environment) -> dict[str, dict[str, Any]]:
    return {row["host"]: row for row in json.loads(env.ok("dns", "status", "-o", "json"))["items"]}


@pytest.mark.slow  # make test-all also reboots a worker while the control plane is off
def test_reboot_with_the_api_away(shared: Environment, namespace: str, measure: Measure) -> None:
    address, second = fresh(), fresh()
    create(shared, namespace, service("lasting", address))
    name = f"lasting.{namespace}.svc.cluster.local"
    Watch(shared, hosts(shared), name, address).times()
    # Kill it first: on SIGTERM it waits half a minute for its clients.
    shared.ssh(
        "h1",
        "systemctl kill -s KILL rancherctl-kube-apiserver.service; systemctl stop rancherctl-kube-apiserver.service",
    )
    try:
        assert dig(shared, "h3", name) == [address]
        shared.lab.reboot("h3")
        for server in ADDRESSES:
            Watch(shared, ["h3"], name, address, server=server).times()
        until(
            "both run", lambda: shared.ssh("h3", "systemctl is-active rancherctl-agent.service rancherctl-dns.service")
        )
    finally:
        shared.ssh("h1", "systemctl start rancherctl-kube-apiserver.service", timeout=300)
    until("the API", lambda: shared.kubectl("get", "--raw", "/readyz") == "ok")
    create(shared, namespace, service("after", second))
    Watch(shared, hosts(shared), f"after.{namespace}.svc.cluster.local", second).times()
    assert dig(shared, "h3", name) == [address]


def test_a_thousand_endpoints_are_answered_completely(shared: Environment, namespace: str, measure: Measure) -> None:
    addresses = [f"10.42.{200 + n // 250}.{n % 250}" for n in range(1000)]
    slices: list[dict[str, object]] = [
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": f"big-{part}", "labels": {"kubernetes.io/service-name": "big"}},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": 80}],
            "endpoints": [{"addresses": [a]} for a in addresses[part * 500 : part * 500 + 500]],
        }
        for part in range(2)
    ]
    name = f"big.{namespace}.svc.cluster.local"
    watch = Watch(shared, ["h2"], f"{addresses[-1].replace('.', '-')}.{name}", addresses[-1])
    create(shared, namespace, service("big", clusterIP="None"))
    began = create(shared, namespace, *slices)
    (seen,) = watch.times()
    measure("dns: two slices of 500 endpoints: kubectl create began → last answered", seen - began, "s")
    # a set that fills a message of its own may come a moment after names of its pods
    answers(shared, "h2", ADDRESSES[1], {name: sorted(addresses)})


def test_external_names_go_to_the_hosts_resolvers(shared: Environment) -> None:
    """A resolver appears on h1 and h2's resolv.conf names it: no restart, no apply."""
    address = shared.lab.host("h1").address
    script = (Path(__file__).with_name("dns_upstream.py")).read_text()
    shared.ssh(
        "h1",
        f"cat > /run/dns_upstream.py <<'END'\n{script}\nEND\n"
        f"systemd-run --collect --unit=test-upstream python3 /run/dns_upstream.py {address} 192.0.2.99",
    )
    pid = shared.ssh("h2", f"systemctl show -P MainPID {UNIT}")
    shared.ssh("h2", f"cp /etc/resolv.conf /run/resolv.conf.test; printf 'nameserver {address}\\n' > /etc/resolv.conf")
    try:
        until("the new upstream", lambda: dig(shared, "h2", "www.example.com") == ["192.0.2.99"])
        assert shared.ssh("h2", f"systemctl show -P MainPID {UNIT}") == pid
        shared.ssh("h1", "systemctl stop test-upstream.service")
        until("its death", lambda: _upstreams(shared)["dead"] == [address])
        assert dig(shared, "h2", "kubernetes.default.svc.cluster.local") == ["10.43.0.1"]
    finally:
        shared.ssh("h2", "cat /run/resolv.conf.test > /etc/resolv.conf")
        shared.ssh("h1", "systemctl stop test-upstream.service || true; rm -f /run/dns_upstream.py")


def _upstreams(env: Environment) -> dict[str, list[str]]:
    found: dict[str, list[str]] = json.loads(env.ssh("h2", "cat /run/rancherctl/dns.json"))["upstreams"]
    return found


def test_foreign_clients_are_refused(shared: Environment) -> None:
    """From the machine outside: neither answers nor zones."""
    address = shared.lab.host("h2").address
    for port in (53, 10530, 10531):
        with socket.socket() as sock:
            sock.settimeout(5)
            assert sock.connect_ex((address, port)) != 0, port
    assert not any("IN\tA" in line for line in dig(shared, "h2", "cluster.local", "AXFR", options="+tcp"))


def test_lookup_ls_and_status_agree_with_the_api(shared: Environment, namespace: str, stateful: dict[str, str]) -> None:
    zone = f"{namespace}.svc.cluster.local"
    until(
        "the name everywhere",
        lambda: shared.ok("dns", "lookup", f"mdb-0.mongodb.{namespace}.svc") == f"{stateful['mdb-0']}\n",
    )
    until("the other everywhere", lambda: len(shared.ok("dns", "lookup", f"every.{zone}").split()) == 2)
    rows = json.loads(shared.ok("dns", "lookup", f"every.{zone}", "--all-hosts", "-o", "json"))["items"]
    assert {(row["host"], row["server"], row["agrees"]) for row in rows} == {
        (h, a, True) for h in hosts(shared) for a in ADDRESSES
    }
    cluster = shared.get("service", "mongodb", "-n", namespace)["spec"]["clusterIP"]
    assert shared.ok("dns", "lookup", f"mongodb.{namespace}") == f"{cluster}\n"
    assert shared.ok("dns", "lookup", "mongodb", "--from-pod", f"{namespace}/mdb-0") == f"{cluster}\n"
    assert shared.rancherctl("dns", "lookup", f"nope.{zone}").returncode == 3
    assert shared.rancherctl("dns", "lookup", "a..b").returncode == 2
    assert shared.rancherctl("dns", "lookup", zone, "--from-host", "missing").returncode == 3
    found = json.loads(shared.ok("dns", "ls", f"mongodb.{namespace}", "-o", "json"))["items"]
    assert {(r["name"], r["type"]) for r in found} >= {
        (f"mongodb.{zone}.", "A"),
        (f"mdb-0.mongodb.{zone}.", "A"),
        (f"mdb-1.mongodb.{zone}.", "A"),
    }
    # Namespaces of earlier tests still end: hosts agree when they have seen the same.
    until("all hosts have the same, and all of it", lambda: _agreed(shared))


def _agreed(env: Environment) -> bool:
    status = _status(env)
    assert set(status) == set(hosts(env))
    assert all(row["loaded"] and row["synced"] for row in status.values()), status
    others = [p for row in status.values() for p in row["problems"] if not p.startswith("upstream ")]
    assert others == [], "lab hosts have no resolver"
    return len({row["hash"] for row in status.values()}) == 1


def test_a_host_that_lags_is_named(shared: Environment, namespace: str) -> None:
    address = fresh()
    shared.ssh("h2", "systemctl stop rancherctl-agent.service")
    try:
        create(shared, namespace, service("fresh", address))
        name = f"fresh.{namespace}.svc.cluster.local"
        Watch(shared, ["h1", "h3"], name, address).times()
        done = shared.rancherctl("dns", "lookup", name)
        assert done.returncode == 5
        assert "h2" in done.stderr
    finally:
        shared.ssh("h2", "systemctl start rancherctl-agent.service")
