"""The watch cache with 10,000 pods: time and memory of the first list, cost of a burst, latency of a write.

The API is the tests' fake in a separate process, so CPU and memory here are the cache's alone. One JSON line per value.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

PODS = 10_000
BURST = 5_000
ROUNDS = 5


def pod(i: int, phase: str = "Running") -> dict[str, Any]:
    """A pod of about 5 kB, as a Deployment's pod looks in the API."""
    conditions = [
        {"type": t, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        for t in ("Initialized", "Ready", "ContainersReady")
    ]
    owner = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": f"web-{i // 10}",
        "uid": "0" * 36,
        "controller": True,
    }
    fields: dict[str, Any] = {
        f"f:part{n}": {"f:sub": {}, f'k:{{"type":"{n}"}}': {".": {}, "f:status": {}}} for n in range(40)
    }
    container = {
        "name": "web",
        "image": "registry.example/team/web:1.2.3",
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [{"name": f"VARIABLE_{n}", "value": f"value of variable {n}"} for n in range(12)],
        "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
    }
    return {
        "metadata": {
            "name": f"web-{i // 10}-{i:05}",
            "labels": {"app": f"web-{i // 10}", "pod-template-hash": "abcdef"},
            "ownerReferences": [owner],
            "managedFields": [{"manager": "kubelet", "operation": "Update", "fieldsV1": fields}],
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {
            "nodeName": f"h{i % 50}",
            "containers": [container],
            "volumes": [{"name": "token", "projected": {"sources": [{}, {}, {}]}}],
        },
        "status": {
            "phase": phase,
            "podIP": f"10.42.{i % 250}.{i // 250}",
            "podIPs": [{"ip": f"10.42.{i % 250}.{i // 250}"}],
            "conditions": conditions,
        },
    }


def serve(pipe: Connection) -> None:
    """The fake API's process: fill, then do what the pipe says."""
    from tests.fakes.kube import FakeApi

    api = FakeApi(bookmark_seconds=60)
    for i in range(PODS):
        api.store.put("/api/v1/pods", f"ns{i % 100}", pod(i))
    pipe.send(api.url)
    while (order := pipe.recv()) != "end":
        with api.store.changed:
            if order == "burst":
                for i in range(BURST):
                    api.store.put("/api/v1/pods", f"ns{i % 100}", pod(i, "Succeeded"), kind="MODIFIED")
            else:
                api.store.put("/api/v1/pods", "ns0", pod(order))
            pipe.send((api.store.version, time.monotonic()))


def resident() -> float:
    """Resident memory of this process in MB."""
    text = Path("/proc/self/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def cpu() -> float:
    """CPU seconds of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def say(name: str, values: list[float], unit: str) -> None:
    """One result: median and worst."""
    line = {"name": name, "value": round(statistics.median(values), 2), "worst": round(max(values), 2), "unit": unit}
    machine = f"{os.cpu_count()} x {platform.machine()}, load {os.getloadavg()[0]:.1f}"
    print(json.dumps(line | {"machine": machine, "versions": {"python": platform.python_version()}}), flush=True)


def main() -> None:
    from rancherctl.kube.cache import Cache
    from rancherctl.kube.rest import RestClient
    from rancherctl.kube.tables import PODS as TABLE

    near, far = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(far,), daemon=True)
    server.start()
    url = near.recv()
    lists, listed, memory, bursts, delays, snapshots = [], [], [], [], [], []
    for round_ in range(ROUNDS):
        gc.collect()
        before, cpu_before, began = resident(), cpu(), time.monotonic()
        changes: list[object] = []
        with RestClient(url) as client:
            cache = Cache(client, [TABLE], changes.append)
            cache.start()
            assert cache.wait(lambda s: s.healthy, 120)
            lists.append(cpu() - cpu_before)
            listed.append(time.monotonic() - began)
            memory.append(resident() - before)
            if round_ == 0:
                for i in range(50):
                    near.send(PODS + i)
                    version, sent = near.recv()
                    assert cache.wait(lambda s, v=version: int(s.table("pods").resource_version) >= v, 30)  # type: ignore[misc]
                    delays.append((time.monotonic() - sent) * 1000)
            changes.clear()
            cpu_before = cpu()
            near.send("burst")
            version, _ = near.recv()
            assert cache.wait(lambda s, v=version: int(s.table("pods").resource_version) >= v, 120)  # type: ignore[misc]
            bursts.append(cpu() - cpu_before)
            snapshots.append(float(len(changes)))
            cache.stop()
    near.send("end")
    server.join(10)
    say(f"watch cache: first list of {PODS} pods, CPU", lists, "s")
    say(f"watch cache: first list of {PODS} pods, wall", listed, "s")
    say(f"watch cache: memory of {PODS} pods, first list in a new process", memory[:1], "MB")
    say(f"watch cache: burst of {BURST} updates, CPU", bursts, "s")
    say(f"watch cache: snapshots in a burst of {BURST}", snapshots, "")
    say("watch cache: write to snapshot", delays, "ms")


if __name__ == "__main__":
    main()
