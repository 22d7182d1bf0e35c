"""Services of type LoadBalancer on lab hosts: until they are reachable, follow their endpoints, and survive losses.

One JSON line for each value. Times begin when the API has accepted an object, or when a host is about to be powered
off. Statuses are watched; an address is tried from the moment the status has it. BENCH_ROUNDS (40) is the number of
Services and of moved endpoints, BENCH_LOSSES (20) of hosts powered off, BENCH_DRAINS (3) of hosts drained under load.

tests/bench/services.py            creates its own lab and removes it
tests/bench/services.py NAME       uses the one that a test run with RANCHERCTL_TEST_KEEP=NAME left
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rancherctl.contract import SERVICE_CLASS
from rancherctl.errors import RancherctlError
from rancherctl.kube.client import ENDPOINTSLICES, SERVICES, Json
from rancherctl.kube.http.stream import WatchStream
from rancherctl.kube.rest import RestClient
from rancherctl.lab.session import open_lab, running_lab
from tests.bench.environment import HOSTS, PAUSE, client, quantiles, say
from tests.lab import workloads as w
from tests.lab.support import GIVE_UP, Environment, all_hosts_take_part, make, until
from tests.lab.traffic import Sample, Traffic, failed

SPACE = "benchservices"
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "40"))
LOSSES = int(os.environ.get("BENCH_LOSSES", "20"))
DRAINS = int(os.environ.get("BENCH_DRAINS", "3"))
REST = 1.5
"""Seconds after which kube-proxy of all hosts has nothing left to do for a Service."""
LATE = 3.0
"""Seconds that clients with an older DNS answer go on after an address has left the status."""
SYNCS = "kubeproxy_sync_proxy_rules_duration_seconds"
Seen = tuple[float, frozenset[str]]


class Statuses:
    """A watch of the Services: ``history`` has the addresses of each with the moment they were seen."""

    def __init__(self, api: RestClient) -> None:
        self._api = api
        self.history: dict[str, list[Seen]] = {}
        self._changed = threading.Condition()
        self._ended = threading.Event()
        self._stream: WatchStream | None = None
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._stream:
            self._stream.close()
        self._thread.join(60.0)

    def _follow(self) -> None:
        while not self._ended.is_set():
            try:
                page = self._api.list(SERVICES, namespace=SPACE)
                self._note(page.items)
                self._stream = self._api.watch_batches(
                    SERVICES, namespace=SPACE, resource_version=page.resource_version
                )
                for batch in self._stream:
                    self._note(event.object for event in batch if event.type != "BOOKMARK")
            except RancherctlError as error:
                if not self._ended.wait(0.2):
                    print(f"watch: {error}", file=sys.stderr)

    def _note(self, services: Iterable[Json]) -> None:
        with self._changed:
            for service in services:
                entries = service.get("status", {}).get("loadBalancer", {}).get("ingress", [])
                found = time.monotonic(), frozenset(str(entry["ip"]) for entry in entries)
                self.history.setdefault(service["metadata"]["name"], []).append(found)
            self._changed.notify_all()

    def now(self, name: str) -> tuple[str, ...]:
        """The addresses published now."""
        return tuple(sorted(self.history[name][-1][1])) if name in self.history else ()

    def wait(self, name: str, condition: Callable[..., bool], since: float = 0.0) -> Seen:
        """The first entry from ``since`` on that fulfils the condition."""

        def first() -> Seen | None:
            return next((s for s in self.history.get(name, ()) if s[0] >= since and condition(s[1])), None)

        with self._changed:
            found = self._changed.wait_for(first, GIVE_UP)
        if found is None:
            raise SystemExit(f"{name}: not within {GIVE_UP:.0f} s; history: {self.history.get(name)}")
        return found


def load_balancer(name: str, port: int, *, scale: int, **spec: Any) -> Json:
    """A Service of our class for the pod on the first host; with ``selector=None`` it has slices written by others."""
    body = w.service(SPACE, name, "first", port=port)
    body["metadata"]["annotations"] = {"scale": str(scale)}
    body["spec"] |= {"type": "LoadBalancer", "loadBalancerClass": SERVICE_CLASS, **spec}
    return body


def accepted(address: str, port: int) -> float:
    """The moment in which a TCP connection is accepted."""
    deadline = time.monotonic() + GIVE_UP
    while time.monotonic() < deadline:
        try:
            with socket.create_connection((address, port), 1.0):
                return time.monotonic()
        except OSError:
            time.sleep(PAUSE)
    raise SystemExit(f"{address}:{port}: no connection within {GIVE_UP:.0f} s")


def all_accept(addresses: Iterable[str], port: int) -> float:
    """The moment in which the last of these addresses accepts a connection."""
    with ThreadPoolExecutor() as pool:
        return max(pool.map(lambda address: accepted(address, port), addresses))


def syncs(env: Environment) -> tuple[float, float]:
    """Number and total seconds of kube-proxy's syncs on all hosts."""
    count = total = 0.0
    for host in env.lab.hosts():
        metrics = env.ssh(host.name, f"curl -sS --max-time 5 http://127.0.0.1:10249/metrics | grep ^{SYNCS}_[sc]")
        for line in metrics.splitlines():
            name, _, value = line.rpartition(" ")
            if name.startswith(f"{SYNCS}_count"):
                count += float(value)
            else:
                total += float(value)
    return count, total


def created(env: Environment, api: RestClient, statuses: Statuses, rest: float, first_port: int) -> None:
    """Service accepted → a TCP connection on both addresses, and where the time goes.

    ``rest``: seconds between two Services; kube-proxy of each host goes on working after an address is reachable.
    """
    seen_after, proxied_after, taken = [], [], []
    way = "hosts at rest" if rest else "without a pause"
    before = syncs(env)
    for number in range(ROUNDS):
        name, port = f"s{first_port + number}", first_port + number
        time.sleep(rest)
        api.create(SERVICES, load_balancer(name, port, scale=2), namespace=SPACE)
        began = time.monotonic()
        seen, addresses = statuses.wait(name, lambda found: len(found) == 2)
        last = all_accept(addresses, port)
        seen_after.append(max(0.0, seen - began))
        proxied_after.append(last - seen)
        taken.append(last - began)
    quantiles(f"Service accepted to TCP on both addresses, {way}", taken)
    quantiles("  of which: to both addresses in the status", seen_after)
    quantiles("  of which: from the status to TCP on both", proxied_after)
    count, total = (new - old for new, old in zip(syncs(env), before, strict=True))
    say("  kube-proxy, mean sync", total / max(count, 1) * 1000, "ms", syncs=count, services=ROUNDS)
    for number in range(ROUNDS):
        api.delete(SERVICES, f"s{first_port + number}", namespace=SPACE)


def moved(env: Environment, api: RestClient, statuses: Statuses, hosts: Sequence[str]) -> None:
    """The only endpoint of a Service with policy Local moves between two hosts; each has a pod."""
    address = {host.name: host.address for host in env.lab.hosts()}
    pods = [(host, w.pod_ip(env, SPACE, name)) for host, name in zip(hosts, ("first", "second"), strict=True)]
    body = load_balancer("local", 8190, scale=1, externalTrafficPolicy="Local", selector=None)

    def part(turn: int) -> Json:
        host, ip = pods[turn % 2]
        return {
            "metadata": {
                "name": "local-1",
                "namespace": SPACE,
                "labels": {"kubernetes.io/service-name": "local"},
            },
            "addressType": "IPv4",
            "endpoints": [{"addresses": [ip], "nodeName": host, "conditions": {"ready": True}}],
            "ports": [{"name": "http", "protocol": "TCP", "port": w.PORT}],
        }

    api.create(SERVICES, body, namespace=SPACE)
    api.create(ENDPOINTSLICES, part(0), namespace=SPACE)
    statuses.wait("local", lambda found: found == {address[hosts[0]]})
    right, taken = [], []
    for turn in range(1, ROUNDS + 1):
        to = address[hosts[turn % 2]]
        sent = time.monotonic()
        api.patch(ENDPOINTSLICES, "local-1", {"endpoints": part(turn)["endpoints"]}, namespace=SPACE)
        began = time.monotonic()
        seen, _ = statuses.wait("local", lambda found, to=to: found == {to}, since=sent)
        right.append(max(0.0, seen - began))
        taken.append(accepted(to, 8190) - began)
    quantiles("Local endpoint moved to status right", right)
    quantiles("Local endpoint moved to TCP on the new address", taken)
    api.delete(SERVICES, "local", namespace=SPACE)


def drained(env: Environment, statuses: Statuses) -> None:
    """`env host-drain` while clients follow the status, and others use older DNS answers a while longer."""
    current, older, taken = list[Sample](), list[Sample](), []
    for _ in range(DRAINS):
        until("one address", lambda: len(statuses.now("kept")) == 1)
        (old,) = statuses.now("kept")
        name = env.host_of(old)
        before = time.monotonic()

        def late(old: str = old, before: float = before) -> list[str]:
            left = [at for at, found in statuses.history["kept"] if at > before and old not in found]
            return [old] if not left or time.monotonic() < left[0] + LATE else []

        with ExitStack() as stack:
            loads = [
                stack.enter_context(Traffic(source, "x", port=8191)) for source in (lambda: statuses.now("kept"), late)
            ]
            for load in loads:
                load.wait_for(20)
            began = time.monotonic()
            env.ok("env", "host-drain", name, "--dns", "6s", "--limit", "2m")
            taken.append(time.monotonic() - began)
            loads[0].wait_for(20)
        current += loads[0].samples()
        older += loads[1].samples()
        env.ok("env", "host-undrain", name)
    for clients, samples in (("that follow the status", current), ("with older DNS answers", older)):
        bad = [f"{sample.to}: {sample.error}" for sample in failed(samples)]
        what = f"failed requests during env host-drain, clients {clients}"
        say(what, len(bad), "", drains=DRAINS, requests=len(samples), bad=bad[:3])
    say("env host-drain --dns 6s, slowest", max(taken), "s")


def lost(env: Environment, statuses: Statuses) -> None:
    """A published host loses power: its address leaves the status, another one is published and accepts."""
    control = env.lab.hosts()[0].address  # has the API and the pod
    gone_after, replaced_after, reachable_after = [], [], []
    for _ in range(LOSSES):
        until("two addresses", lambda: len(statuses.now("pair")) == 2)
        before = frozenset(statuses.now("pair"))
        victim = max(before - {control})
        host = env.host_of(victim)
        began = time.monotonic()
        env.lab.stop(host)
        gone, _ = statuses.wait("pair", lambda found, v=victim: v not in found, since=began)
        replaced, addresses = statuses.wait(
            "pair", lambda found, v=victim: v not in found and len(found) == 2, since=began
        )
        reachable = all_accept(addresses - before, 8192)
        gone_after.append(gone - began)
        replaced_after.append(replaced - began)
        reachable_after.append(reachable - began)
        print(f"lost {host}: {gone_after[-1]:.1f} {replaced_after[-1]:.1f} {reachable_after[-1]:.1f}", file=sys.stderr)
        env.lab.start(host)
        until("all hosts take part", lambda: all_hosts_take_part(env), timeout=240, pause=0.5)
    quantiles("host powered off: its address out of the status", gone_after)
    quantiles("host powered off: replacement in the status", replaced_after)
    quantiles("host powered off: replacement accepts TCP", reachable_after)


def everything(env: Environment) -> None:
    """All measures on an environment that is there."""
    hosts = [host.name for host in env.lab.hosts()]
    env.kubectl("create", "namespace", SPACE)
    try:
        env.apply(w.pod(SPACE, "first", hosts[0]), w.pod(SPACE, "second", hosts[-1]))
        w.ready(env, SPACE, "pod", "first", "second")
        with client(env) as api, Statuses(api) as statuses:
            kept, pair = load_balancer("kept", 8191, scale=1), load_balancer("pair", 8192, scale=2)
            for body in (kept, pair):
                api.create(SERVICES, body, namespace=SPACE)
            statuses.wait("pair", lambda found: len(found) == 2)
            all_accept(statuses.wait("kept", lambda found: len(found) == 1)[1], 8191)
            created(env, api, statuses, REST, 8200)
            created(env, api, statuses, 0.0, 8300)
            moved(env, api, statuses, (hosts[0], hosts[-1]))
            drained(env, statuses)
            lost(env, statuses)
    finally:
        env.kubectl("delete", "namespace", SPACE, "--wait=false")


def main() -> None:
    if len(sys.argv) > 1:
        everything(make(sys.argv[1], open_lab(sys.argv[1]), Path("/var/tmp", f"rancherctl-{sys.argv[1]}")))
        return
    name = f"v{os.getpid()}"
    with tempfile.TemporaryDirectory() as folder, running_lab(name, HOSTS) as lab:
        env = make(name, lab, Path(folder))
        env.ok("env", "create", "-f", str(env.file))
        everything(env)


if __name__ == "__main__":
    main()
