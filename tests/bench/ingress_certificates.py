"""One host with thousands of Ingresses and certificates: start, memory, changes, a reload under load.

Elapsed times on a shared machine say little: rows also have the CPU of this process (the agent's part) and of
its children, and the load. COUNT may be given.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rancherctl.ingress.translate import endpoints
from tests.fakes.many_sites import ManySites, timed_commands
from tests.fakes.request_stream import Clients

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
ROUNDS = 20


def emit(name: str, values: Sequence[float], unit: str, **more: object) -> None:
    """One JSON line: median and worst."""
    version = subprocess.run(["haproxy", "-v"], capture_output=True, text=True, check=True).stdout.split()[2]
    row = {
        "name": f"{name} ({COUNT} certificates)",
        "value": round(statistics.median(values), 2),
        "worst": round(max(values), 2),
        "unit": unit,
        "machine": f"{os.cpu_count()} x {platform.machine()}, load {os.getloadavg()[0]:.1f}",
        "versions": {"haproxy": version, "python": platform.python_version()},
    }
    print(json.dumps(row | more), flush=True)


def measured(action: Callable[..., object]) -> tuple[float, float, float]:
    """Elapsed seconds, CPU seconds of this thread, CPU seconds of children that ended."""
    before, began, own = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter(), time.thread_time()
    action()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    children = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, time.thread_time() - own, children


def cpu_of(pid: int) -> float:
    """CPU seconds of a process, with its children that ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    setattr(endpoints, "routable", lambda address: True)  # noqa: B010  # a module of the product
    with tempfile.TemporaryDirectory(prefix="rancherctl-certificates-") as folder:
        sites = ManySites(Path(folder), COUNT)
        try:
            measure(sites)
        finally:
            sites.close()


def measure(sites: ManySites) -> None:
    """Print all values."""
    copies = sites.snapshot.table("secretcopies").items
    sites.change("secretcopies", gone=tuple(copies))
    sites.follow()
    without = sites.worker_memory()
    sites.haproxy.stop()
    for path in Path(sites.haproxy.paths.data).glob("*.*"):
        path.unlink()
    sites.change("secretcopies", *copies.values())
    sites.new_role()
    elapsed, own, children = measured(sites.follow)
    assert sites.haproxy.process is not None
    extra = {"agent_cpu_s": round(own, 2), "test_cpu_s": round(children, 2)}
    loading = round(cpu_of(sites.haproxy.process.pid), 2)
    emit("first start without a state", [elapsed], "s", **extra, haproxy_cpu_s=loading)
    emit("memory of the worker for certificates", [sites.worker_memory() - without], "MB")
    emit("memory of the worker", [sites.worker_memory()], "MB")
    reloads = sites.role.driver.counters.reloads
    changes = {
        "certificate replaced": lambda n: sites.rotate(n, n + 2),
        "Ingress and certificate added": lambda n: sites.add(COUNT + n),
        "Ingress and certificate removed": lambda n: sites.remove(COUNT + n),
    }
    for name, change in changes.items():
        whole, commands, agent = [], [], []
        for number in range(ROUNDS):
            change(number)
            spent: list[float] = []
            elapsed, own, _ = measured(
                lambda spent=spent: spent.append(timed_commands(sites.role, sites.follow, time.perf_counter))
            )
            whole.append(elapsed * 1000)
            agent.append(own * 1000)
            commands.append(spent[0] * 1000)
        cpu = round(statistics.median(agent), 1)
        emit(f"{name}: commands of HAProxy", commands, "ms", best=round(min(commands), 2))
        emit(f"{name}: applied, verified and written", whole, "ms", agent_cpu_ms=cpu, best=round(min(whole), 1))
    emit("reloads for these changes", [sites.role.driver.counters.reloads - reloads], "")
    elapsed, own, _ = measured(sites.follow)
    emit("nothing changed", [elapsed * 1000], "ms", agent_cpu_ms=round(own * 1000, 1))
    with Clients(sites.haproxy, host="h7.example.com", path="/", status=308) as clients:
        clients.wait_for(50)
        before = cpu_of(sites.haproxy.process.pid)
        elapsed, own, children = measured(lambda: sites.role.health.reload("bench"))
        loading = round(cpu_of(sites.haproxy.process.pid) - before, 2)
        clients.wait_for(50)
    extra = {"agent_cpu_s": round(own, 2), "test_cpu_s": round(children, 2), "failed_requests": len(clients.bad)}
    emit("forced reload, no change is made meanwhile", [elapsed], "s", **extra, haproxy_cpu_s=loading)
    elapsed, own, _ = measured(lambda: (sites.new_role(), sites.follow()))
    emit("restart of the agent, until its report", [elapsed], "s", agent_cpu_s=round(own, 2))


if __name__ == "__main__":
    main()
