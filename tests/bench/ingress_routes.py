"""One host with thousands of Ingresses: latency of a new route, an endpoint change and a first load; memory."""

from __future__ import annotations

import http.client
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rancherctl.ingress.role.config import LbConfig
from rancherctl.ingress.role.reconcile import LbRole
from rancherctl.ingress.translate import endpoints
from rancherctl.kube.snapshot import Snapshot, Table
from tests.fakes import ingress as fake

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
ROUNDS = 30
SYSTEM_PORTS = 20_000


def emit(name: str, values: list[float], unit: str) -> None:
    """One JSON line: median and worst."""
    version = subprocess.run(["haproxy", "-v"], capture_output=True, text=True, check=True).stdout.split()[2]
    machine = f"{os.cpu_count()} x {platform.machine()}, load {os.getloadavg()[0]:.1f}"
    line = {
        "name": f"{name} ({COUNT} ingresses)",
        "value": round(statistics.median(values), 1),
        "worst": round(max(values), 1),
        "unit": unit,
    }
    print(
        json.dumps(line | {"machine": machine, "versions": {"haproxy": version, "python": platform.python_version()}}),
        flush=True,
    )


class Apart:
    """A web server in a separate process: HAProxy checks thousands of servers, at no cost to the measured process."""

    def __init__(self) -> None:
        self.endpoint = ("127.0.0.1", fake.free_port())
        self._folder = tempfile.TemporaryDirectory()
        config = Path(self._folder.name) / "pod.cfg"
        head = "global\n  maxconn 4000\ndefaults\n  mode http\n  timeout client 9s\n"
        config.write_text(
            f"{head}frontend pod\n  bind 127.0.0.1:{self.endpoint[1]}\n  http-request return status 200\n"
        )
        self._process = subprocess.Popen(["haproxy", "-db", "-f", str(config)], stderr=subprocess.DEVNULL)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()


def one(number: int) -> Any:
    """Its own host, two paths, two services."""
    rules = [
        (f"h{number}.example.com", "Prefix", "/", f"s{number}:80"),
        (f"h{number}.example.com", "Exact", "/api", f"s{number + 1}:80"),
    ]
    return fake.ingress(f"i{number}", rules, version=str(number + 1))


def changed(snapshot: Snapshot, table: str, items: dict[str, Any]) -> Snapshot:
    """The snapshot with some objects replaced, as the watch cache makes it."""
    old = snapshot.table(table)
    new = Table({**old.items, **items}, synced=True, healthy=True)
    return replace(snapshot, tables={**snapshot.tables, table: new}, number=snapshot.number + 1)


def main() -> None:
    setattr(endpoints, "routable", lambda address: True)  # noqa: B010  # a module of the product
    with tempfile.TemporaryDirectory() as folder:
        haproxy = fake.Haproxy(Path(folder))
        haproxy.paths = replace(haproxy.paths, descriptors=SYSTEM_PORTS)
        role = LbRole(LbConfig("h1", haproxy.listeners, paths=haproxy.paths), driver=haproxy.driver())
        pods = [Apart() for _ in range(2)]
        numbers = range(COUNT + ROUNDS + 1)
        slices = [fake.endpoint_slice(f"s{n}", [pods[n % 2].endpoint]) for n in numbers]
        snapshot = fake.snapshot([one(n) for n in range(COUNT)], [fake.service(f"s{n}") for n in numbers], slices)
        try:
            measure(role, haproxy, snapshot, pods)
        finally:
            haproxy.stop()
            for pod in pods:
                pod.close()


def measure(role: LbRole, haproxy: fake.Haproxy, snapshot: Snapshot, pods: list[Apart]) -> None:
    began = time.perf_counter()
    role.reconcile(snapshot)
    emit("first load", [(time.perf_counter() - began) * 1000], "ms")
    first, whole, idle, flaps = [], [], [], []
    for n in range(COUNT, COUNT + ROUNDS):
        item = one(n)
        snapshot = changed(snapshot, "ingresses", {item.meta.key: item})
        began = time.perf_counter()
        told: list[float] = []
        run = role.driver.socket.run

        def timed(commands: Any, run: Any = run, told: list[float] = told, began: float = began) -> int:
            done = run(commands)
            told.append((time.perf_counter() - began) * 1000)
            return int(done)

        role.driver.socket.run = timed  # type: ignore[method-assign]
        role.reconcile(snapshot)
        role.driver.socket.run = run  # type: ignore[method-assign]
        whole.append((time.perf_counter() - began) * 1000)
        first += told
        connection = http.client.HTTPConnection("127.0.0.1", haproxy.port, timeout=10)
        connection.request("GET", "/", headers={"Host": f"h{n}.example.com"})
        assert connection.getresponse().status == 200
        connection.close()
    for n in range(ROUNDS):
        flap = fake.endpoint_slice(f"s{n}", [pods[(n + 1) % 2].endpoint])
        old = fake.endpoint_slice(f"s{n}", [pods[n % 2].endpoint])
        snapshot = changed(snapshot, "endpointslices", {old.meta.key: replace(flap, meta=old.meta)})
        began = time.perf_counter()
        role.reconcile(snapshot)
        flaps.append((time.perf_counter() - began) * 1000)
        began = time.perf_counter()
        role.reconcile(snapshot)
        idle.append((time.perf_counter() - began) * 1000)
    emit("new route live in HAProxy", first, "ms")
    emit("new route proven and written", whole, "ms")
    emit("endpoint change proven and written", flaps, "ms")
    emit("nothing changed", idle, "ms")
    emit("reloads after the first", [float(role.driver.counters.reloads - 1)], "")
    emit("memory of the role with its test data", [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024], "MB")
    pid = role.driver.info().pid
    status = Path(f"/proc/{pid}/status").read_text()
    emit("memory of HAProxy", [int(status.split("VmRSS:")[1].split()[0]) / 1024], "MB")


main()
