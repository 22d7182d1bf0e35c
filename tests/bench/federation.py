"""The federation's process with 20 members, each a process of its own, and planning for 200 members.

The Hub and its workers run in this process against a real kube-apiserver; members are the tests' fake API, which costs
much less than 20 real ones. Probes are simulated: what is measured is the way from a failed probe to the DNS provider.
One JSON line per value. SERVICES=100 SAMPLES=5 makes it short, FAKE_HUB=1 needs no bundle.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import platform
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from rancherctl.contract import FEDERATION_CONTROLLER  # noqa: E402
from rancherctl.environments.manifests.federation import cluster_kind  # noqa: E402
from rancherctl.errors import NotFoundError  # noqa: E402
from rancherctl.federation.cluster import CLUSTERS  # noqa: E402
from rancherctl.federation.inventory import MemoryInventory  # noqa: E402
from rancherctl.federation.model import (  # noqa: E402
    FederatedService,
    FederationSettings,
    Place,
    Shard,
    ShardAddress,
    Verdict,
)
from rancherctl.federation.ownership import ZoneView  # noqa: E402
from rancherctl.federation.plan import State  # noqa: E402
from rancherctl.federation.probe_results import ProbeLog  # noqa: E402
from rancherctl.federation.probe_targets import PERIOD, Target  # noqa: E402
from rancherctl.federation.providers.memory import MemoryProvider, MemoryZones  # noqa: E402
from rancherctl.federation.public_dns import PublicDns  # noqa: E402
from rancherctl.federation.records import Context, Memo, desired  # noqa: E402
from rancherctl.federation.zone_plan import zone_plan  # noqa: E402
from rancherctl.kube.client import NAMESPACES, SECRETS, SERVICES, Resource  # noqa: E402
from rancherctl.kube.rest import RestClient  # noqa: E402
from tests.fakes.federation_hub import HubProcess  # noqa: E402
from tests.fakes.member_api import cluster_json, secret_json  # noqa: E402
from tests.fakes.member_process import MemberPlace, Members, member_processes  # noqa: E402

MEMBERS = 20
COUNT = int(os.environ.get("SERVICES", "1000"))
SAMPLES = int(os.environ.get("SAMPLES", "100"))
CUTS = min(SAMPLES, MEMBERS)
SPACES = 10
GIVE_UP = 1200.0
ZONE = "acme.example"
CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False)
PLACES = [MemberPlace(f"m{i}", f"203.0.113.{i + 1}", f"r{i // 5}", f"z{i % 5}") for i in range(MEMBERS)]


def say(name: str, values: list[float], unit: str, share: float = 0.99) -> None:
    """One result: the median, and the worst beside it (or the ``share``)."""
    ordered = sorted(values)
    line = {"name": f"federation: {name}", "value": round(statistics.median(values), 2), "unit": unit}
    line["worst"] = round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2)
    load = round(os.getloadavg()[0], 1)
    machine = f"{os.cpu_count()} x {platform.machine()}, load {load}"
    print(json.dumps(line | {"machine": machine, "load": load}), flush=True)


def cpu() -> float:
    """CPU seconds of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def resident() -> float:
    """Resident memory of this process in MB."""
    text = Path("/proc/self/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def service(name: str) -> dict[str, Any]:
    """A Service whose endpoints somebody else keeps."""
    return {"metadata": {"name": name}, "spec": {"type": "LoadBalancer", "ports": [{"port": 80, "targetPort": 8080}]}}


def until(what: str, answer: Callable[..., Any], pause: float = 0.02) -> Any:
    """Ask until the answer is true."""
    deadline = time.monotonic() + GIVE_UP
    while time.monotonic() < deadline:
        with contextlib.suppress(NotFoundError):
            if found := answer():
                return found
        time.sleep(pause)
    raise SystemExit(f"{what}: not within {GIVE_UP:.0f} s")


@contextlib.contextmanager
def hub_api() -> Iterator[RestClient]:
    """The federation's API with the kind Cluster."""
    if os.environ.get("FAKE_HUB"):
        from tests.fakes.kube import FakeApi

        with contextlib.closing(FakeApi(bookmark_seconds=60)) as api, RestClient(api.url) as client:
            api.store.put("/api/v1/namespaces", "", {"metadata": {"name": "kube-system", "uid": "fed-uid"}})
            yield client
    else:
        from tests.lab.apiserver import running

        with running() as server, server.client() as client:
            client.create(CRDS, cluster_kind())
            until("kind Cluster", lambda: client.list(CLUSTERS) is not None)
            yield client


class Probes:
    """The leader's probes and the members' reports; ``dead`` are addresses that do not answer."""

    def __init__(self) -> None:
        self.dead: set[str] = set()
        self._ended = threading.Event()
        self._logs = {place.name: ProbeLog() for place in PLACES}

    def leader(self, found: Iterable[Target]) -> Mapping[str, bool | None]:
        """What the leader sees; satisfies ``prober.probe``."""
        return {target.key: target.address not in self.dead for target in found}

    def report(self, names: PublicDns) -> None:
        """Each member reports every PERIOD seconds, one after the other."""
        while not self._ended.is_set():
            for place in PLACES:
                if self._ended.wait(PERIOD / MEMBERS):
                    return
                log = self._logs[place.name]
                log.record(self.leader(names.targets(place.name)), time.monotonic())
                if place.address not in self.dead:
                    names.report(place.name, log.results(time.monotonic()))

    def stop(self) -> None:
        self._ended.set()


class Process(HubProcess):
    """The federation's process: the Hub, called as its controller process calls it."""

    def __init__(self, api: RestClient, probes: Probes) -> None:
        self.zones, self.names = MemoryZones(ZONE), list[PublicDns]()
        self._probes = probes
        self.provider = MemoryProvider(self.zones, ZONE)
        super().__init__(api, lambda uid: FederationSettings("acme", uid, ZONE, "memory"), names=self._names)
        self.__enter__()

    def _names(self, settings: FederationSettings) -> PublicDns:
        names = PublicDns(
            settings,
            self.provider,
            MemoryInventory(),
            gate=lambda: None,
            changed=self.hub.changed,
            clock=time.monotonic,
            probe_all=self._probes.leader,
        )
        self.names.append(names)
        threading.Thread(target=self._probes.report, args=(names,), daemon=True).start()
        return names

    def in_sync(self) -> int:
        """How many copies of Services are known to be in sync."""
        handles = list(self.hub.links.values())
        return sum(
            state.state is State.IN_SYNC
            for handle in handles
            for object_id, state in handle.worker.view().states.items()
            if object_id.kind == "Service"
        )

    def stop(self) -> None:
        self._probes.stop()
        self.__exit__()


def fill(api: RestClient, members: Members) -> None:
    """Services and members in the federation's API."""
    api.create(NAMESPACES, {"metadata": {"name": FEDERATION_CONTROLLER}})
    for i in range(SPACES):
        api.create(NAMESPACES, {"metadata": {"name": f"ns{i}"}})
    for i in range(COUNT):
        api.create(SERVICES, service(f"s{i}"), namespace=f"ns{i % SPACES}")
    for member in members.members:
        api.create(SECRETS, secret_json(member.name), namespace=FEDERATION_CONTROLLER)
        api.create(CLUSTERS, cluster_json(member.name, member.url, addresses=["203.0.113.0/24"]))


def propagation(api: RestClient, members: Members) -> None:
    """From the API's answer to the last of 20 members, one Service after the other."""
    last, every = list[float](), list[float]()
    for i in range(SAMPLES):
        members.send("wait", "ns0", f"new{i}", GIVE_UP)
        api.create(SERVICES, service(f"new{i}"), namespace="ns0")
        accepted = time.monotonic()
        found = [(at - accepted) * 1000 for at in members.answers()]
        every += found
        last.append(max(found))
        time.sleep(0.5)
    say(f"Service accepted → in a member, {MEMBERS} members and {COUNT} Services, p50 / p99", every, "ms")
    say(f"Service accepted → in all {MEMBERS} members, p50 / p99", last, "ms")


def repairs(members: Members) -> None:
    """A copy that was changed in its member is as before."""
    found = []
    for i in range(SAMPLES):
        member = members.members[i % MEMBERS]
        found.append(member.ask("drift", f"ns{i % SPACES}", f"s{i % COUNT}", GIVE_UP) * 1000)
        time.sleep(0.1)
    say("changed copy → repaired, p50 / p99", found, "ms")


def losses(process: Process, probes: Probes) -> None:
    """A member stops to answer: its address leaves the zone at the provider, in all names of all Services."""
    content, names = process.zones.sets[f"{ZONE}."], process.names[-1]
    watched = [(f"s{i}.ns{i % SPACES}.acme.svc.{ZONE}.", "A") for i in (0, COUNT - 1)]

    def published(address: str) -> bool:
        with process.zones.lock:
            return any(address in content[key].rdatas for key in watched if key in content)

    found = []
    for place in PLACES[:CUTS]:
        until("published", lambda address=place.address: published(address) and not names.publisher.state().pending)
        began = time.monotonic()
        probes.dead.add(place.address)
        until("withdrawn", lambda address=place.address: not published(address), 0.01)
        found.append(time.monotonic() - began)
        probes.dead.discard(place.address)
    say(f"dead member → out of all names at the provider, {CUTS} cuts, p50 / worst", found, "s", 1.0)


def quiet(process: Process) -> None:
    """Calls of the DNS provider, and CPU of the process, while nothing changes."""
    names = process.names[-1]
    until("all published", lambda: not names.withdrawn() and not names.publisher.state().pending)
    time.sleep(3 * PERIOD)  # until what has just returned is published
    calls, began, at = process.provider.calls, cpu(), time.monotonic()
    time.sleep(20)
    passed = time.monotonic() - at
    say("provider calls while nothing changes, in 20 s", [float(process.provider.calls - calls)], "")
    say("CPU while nothing changes, share of one core", [(cpu() - began) / passed * 100], "%")


def simulated() -> None:
    """All figures of 20 members."""
    before = resident()
    with member_processes(PLACES) as members, hub_api() as api:
        fill(api, members)
        probes = Probes()
        began, used = time.monotonic(), cpu()
        process = Process(api, probes)
        last = max(members.ask("count", COUNT, GIVE_UP))
        say(f"copies a second, {COUNT} Services in {MEMBERS} members", [COUNT * MEMBERS / (last - began)], "/s")
        until("in sync", lambda: process.in_sync() == COUNT * MEMBERS)
        say("the same, CPU of the process", [cpu() - used], "s")
        propagation(api, members)
        repairs(members)
        losses(process, probes)
        quiet(process)
        say("memory of the process (with its bench)", [resident()], "MB")
        say("memory of the bench before it", [before], "MB")
        process.stop()
        writes, total = sum(members.ask("writes")), COUNT + SAMPLES
        began, used = time.monotonic(), cpu()
        process = Process(api, Probes())
        until("ready", lambda: process.in_sync() == total * MEMBERS)
        say(f"restart with {total} x {MEMBERS} in sync → ready", [time.monotonic() - began], "s")
        say("the same, CPU of the process", [cpu() - used], "s")
        time.sleep(5)
        say("writes in members after a restart", [float(sum(members.ask("writes")) - writes)], "")
        process.stop()


def planned() -> None:
    """Public names of 200 members and 1,000 Services: 111,000 names, 400,000 addresses."""
    members, count = 200, 1000
    places = [Place(f"r{m // 20}", f"z{m % 20 // 2}") for m in range(members)]
    settings, context = FederationSettings("acme", "f00d", ZONE, "memory"), Context(tuple(dict.fromkeys(places)))

    def services() -> list[FederatedService]:
        return [
            FederatedService(f"ns{n % 50}", f"s{n}", f"u{n}", "2026-11-01T00:00:00Z", tuple(shards(n)))
            for n in range(count)
        ]

    def shards(n: int) -> Iterator[Shard]:
        for m, place in enumerate(places):
            found = [ShardAddress(f"203.0.{m}.{n % 2 + 1 + 2 * k}", place, (80,)) for k in range(2)]
            yield Shard(f"m{m}", place, tuple(found), ready=True)

    memo, have, owner = Memo(), ZoneView(), "acme/f00d"

    def plan(verdicts: Mapping[str, Verdict], found: list[FederatedService]) -> float:
        nonlocal have
        began = cpu()
        wish = desired(found, settings, verdicts, context, memo=memo)
        zone_plan(have, wish, owner)
        used = cpu() - began
        have = ZoneView(dict(wish.names))
        return used

    found, before = services(), resident()
    say(f"plan of {members} members x {count} Services, the first, CPU", [plan({}, found)], "s")
    say("the same, nothing has changed, CPU", [plan({}, services())], "s")
    say("the same, one address of a member is dead, CPU", [plan({"203.0.7.1": Verdict(True, "down")}, found)], "s")
    say("the same, memory beside the Services", [resident() - before], "MB")


def main() -> None:
    logging.disable(logging.CRITICAL)
    if sys.argv[1:] == ["plan"]:
        planned()
        return
    # In a process of its own, so that its memory is its own.
    subprocess.run([sys.executable, __file__, "plan"], check=True)
    simulated()


if __name__ == "__main__":
    main()
