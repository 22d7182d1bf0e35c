"""HTTPS on an environment of lab hosts: how long new sites and new certificates take, and whether any request fails.

One JSON line for each value. Latencies are from the moment in which the API has accepted an object until all hosts
answer as it says. The load is bounded (HTTP/1.1 and HTTP/2 over TLS, kept and new connections); a failed request is
counted, never retried. BENCH_INGRESSES (500), BENCH_REQUESTS (20,000), BENCH_CHANGES (1,000) and BENCH_ROUNDS (20)
change the size, BENCH_HOSTS (4) the number of hosts, BENCH_RATE (200) the requests of a soak client in a second at
most. BENCH_PARTS selects some of the measures (new, rotations, changes, soak, plain).

tests/bench/ingress_tls.py            creates its own lab and removes it
tests/bench/ingress_tls.py NAME       uses the one that a test run with RANCHERCTL_TEST_KEEP=NAME left
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rancherctl.contract import INGRESS_PREFIX
from rancherctl.kube.client import ENDPOINTSLICES, INGRESSES, SECRETS, SERVICES, Json, Resource
from rancherctl.kube.rest import RestClient
from rancherctl.lab.session import open_lab, running_lab
from tests.bench.environment import client, quantiles, say
from tests.bench.first_answers import certificate, last_moment, plain, secure
from tests.fakes import tls
from tests.fakes.tls_stream import TlsClients
from tests.lab import workloads as w
from tests.lab.support import Environment, make, until

SPACE = "benchtls"
INGRESS_COUNT = int(os.environ.get("BENCH_INGRESSES", "500"))
REQUESTS = int(os.environ.get("BENCH_REQUESTS", "20000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "20"))
CHANGES = int(os.environ.get("BENCH_CHANGES", "1000"))
RATE = float(os.environ.get("BENCH_RATE", "200"))
HOSTS = int(os.environ.get("BENCH_HOSTS", "4"))
PARTS = os.environ.get("BENCH_PARTS", "new rotations changes soak plain").split()
MANY_FAILURES = 100
QUIET = 10.0
"""Seconds after the last of many statuses: hosts and the controller have nothing left to do."""
AUTHORITY = tls.Authority()


def name_of(site: str) -> str:
    """The host name of a site."""
    return f"{site}.{SPACE}.example.org"


def reloads(env: Environment, since: float) -> list[str]:
    """The reason of each reload of HAProxy on all hosts since a moment, in seconds since 1970, and what led to it."""
    lines = f"journalctl -q -u rancherctl-agent -o cat --since=@{since:.0f}"
    read = f"{lines} | grep -F -B 2 'reloading HAProxy' | cut -c 1-600 || true"
    return [f"{host.name}: {line}" for host in env.lab.hosts() for line in env.ssh(host.name, read).splitlines()]


def new_sites(env: Environment, api: RestClient, addresses: Sequence[str]) -> None:
    """The secret is there, the Ingress comes."""
    taken = []
    for number in range(ROUNDS):
        site, pair = f"n{number}", AUTHORITY.issue(name_of(f"n{number}"))
        api.create(SECRETS, w.tls_secret(SPACE, site, pair), namespace=SPACE)
        time.sleep(0.1)  # the controller has read the secret by then
        scale = str(len(addresses))
        api.create(INGRESSES, w.ingress(SPACE, site, name_of(site), "web", scale=scale, secret=site), namespace=SPACE)
        began = time.monotonic()
        last = last_moment(site, addresses, secure(name_of(site), pair.serial))
        taken.append(max(0.0, last - began))
    quantiles(f"TLS Ingress accepted to HTTPS on {len(addresses)} hosts", taken)


def rotations(env: Environment, addresses: Sequence[str]) -> None:
    """A certificate is replaced under load."""
    start, taken = time.time(), []
    with TlsClients(addresses, name_of("n0")) as clients:
        clients.wait_for(50)
        for _ in range(ROUNDS):
            pair = AUTHORITY.issue(name_of("n0"))
            env.apply(w.tls_secret(SPACE, "n0", pair))
            began = time.monotonic()
            last = last_moment("n0", addresses, certificate(name_of("n0"), pair.serial))
            taken.append(max(0.0, last - began))
        clients.wait_for(50)
    quantiles(f"secret accepted to its certificate on {len(addresses)} hosts, under load", taken)
    say("failed requests during these rotations", len(clients.bad), "", requests=clients.good, bad=clients.bad[:3])
    found = reloads(env, start)
    say("reloads during these rotations", len(found), "", reasons=found[:5])


def settled(api: RestClient, count: int, addresses: int) -> bool:
    """Whether so many Ingresses have so many addresses each."""
    found = api.list(INGRESSES, namespace=SPACE).items
    complete = sum(len(one.get("status", {}).get("loadBalancer", {}).get("ingress", ())) == addresses for one in found)
    return complete >= count


def plain_sites(env: Environment, api: RestClient, addresses: Sequence[str]) -> None:
    """Many Ingresses are there and published, one more comes."""
    for number in range(INGRESS_COUNT):
        body = w.ingress(SPACE, f"m{number}", name_of(f"m{number}"), "web", scale=str(len(addresses)))
        api.create(INGRESSES, body, namespace=SPACE)
    began = time.monotonic()
    until("all are published", lambda: settled(api, INGRESS_COUNT, len(addresses)), timeout=600, pause=3.0)
    say(f"{INGRESS_COUNT} Ingresses created to the last status", time.monotonic() - began, "s")
    time.sleep(QUIET)
    taken = []
    for number in range(ROUNDS):
        site = f"p{number}"
        body = w.ingress(SPACE, site, name_of(site), "web", scale=str(len(addresses)))
        api.create(INGRESSES, body, namespace=SPACE)
        began = time.monotonic()
        taken.append(max(0.0, last_moment(site, addresses, plain(name_of(site))) - began))
        time.sleep(0.5)  # its status is written
    quantiles(f"Ingress accepted to 200 on {len(addresses)} hosts, {INGRESS_COUNT} others", taken)


def slice_of(addresses: Sequence[str]) -> dict[str, Any]:
    """Endpoints of the Service ``manual``, which selects no pods."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "manual-1", "namespace": SPACE, "labels": {"kubernetes.io/service-name": "manual"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
    }


def mixed_changes(env: Environment, api: RestClient, count: int) -> None:
    """Routes, endpoints, certificates and values of options in random order, as fast as the API takes them."""
    choose, start = random.Random(5), time.time()

    def apply(resource: Resource, body: Json) -> None:
        api.apply(resource, body, manager="bench")

    def rotate() -> None:
        site = f"n{choose.randrange(ROUNDS)}"
        apply(SECRETS, w.tls_secret(SPACE, site, AUTHORITY.issue(name_of(site))))

    def set_value() -> None:
        site = f"n{choose.randrange(ROUNDS)}"
        notes = {f"{INGRESS_PREFIX}timeout-read": f"{choose.randrange(10, 90)}s"}
        apply(INGRESSES, w.ingress(SPACE, site, name_of(site), "web", scale="2", secret=site, annotations=notes))

    def route() -> None:
        site = f"x{choose.randrange(20)}"
        apply(INGRESSES, w.ingress(SPACE, site, name_of(site), "web", scale="2", path=f"/p{choose.randrange(9)}"))

    def endpoint() -> None:
        apply(ENDPOINTSLICES, slice_of([f"10.255.0.{choose.randrange(1, 250)}" for _ in range(2)]))

    apply(SERVICES, w.service(SPACE, "manual"))
    apply(INGRESSES, w.ingress(SPACE, "manual", name_of("manual"), "manual", scale="2"))
    actions: list[Callable[[], None]] = [rotate, set_value, route, endpoint]
    for _ in range(count):
        choose.choice(actions)()
    time.sleep(3.0)
    found = reloads(env, start)
    say(f"reloads for {count} mixed changes", sum("reloading" in line for line in found), "", reasons=found[:20])


def soak(env: Environment) -> None:
    """Requests while routes and certificates change and HAProxy is reloaded."""
    env.apply(w.tls_secret(SPACE, "n0", AUTHORITY.issue(name_of("n0"))))
    env.apply(w.ingress(SPACE, "n0", name_of("n0"), "web", scale="2", secret="n0"))
    addresses = w.published(env, SPACE, "n0", 2)
    hosts = [env.host_of(address) for address in addresses]
    began = time.monotonic()
    with TlsClients(addresses, name_of("n0"), rate=RATE, per_connection=100) as clients:
        for turn in range(20):
            env.apply(w.ingress(SPACE, "edited", name_of("edited"), "web", scale="2", path=f"/e{turn}"))
            env.apply(w.tls_secret(SPACE, "n0", AUTHORITY.issue(name_of("n0"))))
            env.ssh(hosts[turn % len(hosts)], "systemctl reload rancherctl-ingress")
            clients.wait_for(max(1, REQUESTS // 20), failures=MANY_FAILURES)
    rate = round(clients.good / (time.monotonic() - began))
    title = "failed requests: 20 edits, 20 rotations, 20 reloads"
    say(title, len(clients.bad), "", requests=clients.good, requests_per_second=rate)
    if clients.bad:
        print(json.dumps({"bad": clients.bad[:30]}), file=sys.stderr)


def everything(env: Environment) -> None:
    """All measures on an environment that is there."""
    env.kubectl("create", "namespace", SPACE)
    try:
        w.web(env, SPACE, 2)
        env.apply(w.ingress(SPACE, "warm", name_of("warm"), "web", scale="2"))
        w.published(env, SPACE, "warm", 2)
        every = [host.address for host in env.lab.hosts()]
        with client(env) as api:
            measures: dict[str, Callable[[], None]] = {
                "new": lambda: new_sites(env, api, every),
                "rotations": lambda: rotations(env, every),
                "changes": lambda: mixed_changes(env, api, CHANGES),
                "soak": lambda: soak(env),
                "plain": lambda: plain_sites(env, api, every),
            }
            for name, measure in measures.items():
                if name in PARTS:
                    measure()
    finally:
        env.kubectl("delete", "namespace", SPACE, "--wait=false")


def main() -> None:
    if len(sys.argv) > 1:
        everything(make(sys.argv[1], open_lab(sys.argv[1]), Path("/var/tmp", f"rancherctl-{sys.argv[1]}")))
        return
    name = f"s{os.getpid()}"
    with tempfile.TemporaryDirectory() as folder, running_lab(name, HOSTS) as lab:
        env = make(name, lab, Path(folder))
        env.ok("env", "create", "-f", str(env.file))
        everything(env)


if __name__ == "__main__":
    main()
