"""DNS of one host without a cluster: a real named and the dns role fed with tables; latency and cost of a change.

One JSON line per value. A change is measured from the table's new snapshot to the first correct answer over UDP on
loopback.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import dns.exception  # noqa: E402
import dns.message  # noqa: E402
import dns.query  # noqa: E402
import dns.rcode  # noqa: E402

from rancherctl.dns.reconcile import DnsRole  # noqa: E402
from tests.fakes.dns_tables import World, endpoint, endpoint_slice, service  # noqa: E402
from tests.fakes.named import Named  # noqa: E402

SERVICES = 10_000
MACHINE = f"{os.cpu_count()} x {platform.machine()}"


def say(name: str, value: float, unit: str, worst: float | None = None) -> None:
    """One result."""
    version = subprocess.run(["named", "-v"], capture_output=True, text=True, check=False).stdout.split("-")[0].strip()
    row = {
        "name": f"dns: {name}",
        "value": round(value, 3),
        "unit": unit,
        "machine": f"{MACHINE}, load {os.getloadavg()[0]:.1f}",
        "load": round(os.getloadavg()[0], 1),
        "versions": {"bind": version},
    }
    print(json.dumps(row | ({"worst": round(worst, 3)} if worst is not None else {})), flush=True)


def ask(server: Named, name: str) -> list[str]:
    """The A records of a name, [] while it has none or the server does not answer."""
    try:
        answer = dns.query.udp(
            dns.message.make_query(name, "A", use_edns=0), "127.0.0.1", port=server.config.port, timeout=0.5
        )
    except (dns.exception.Timeout, OSError):
        return []
    return (
        [rdata.to_text() for rrset in answer.answer for rdata in rrset] if answer.rcode() == dns.rcode.NOERROR else []
    )


def wait(server: Named, name: str, address: str, limit: float = 60.0) -> float:
    """Ask until the name has the address; the monotonic time then."""
    deadline = time.monotonic() + limit
    while address not in ask(server, name):
        if time.monotonic() > deadline:
            raise SystemExit(f"{name} was not {address} within {limit} s")
    return time.monotonic()


def memory(pid: int | str) -> float:
    """Resident megabytes of a process."""
    line = next(text for text in Path(f"/proc/{pid}/status").read_text().splitlines() if text.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def percentile(values: list[float], share: float) -> float:
    """Of unsorted values."""
    return sorted(values)[int(share * (len(values) - 1))]


def world() -> World:
    """SERVICES services with a named port: about 4 records each."""
    out = World()
    for n in range(SERVICES):
        out.add(service(f"s{n}", f"10.43.{n // 250}.{n % 250}", ns=f"ns{n % 100}", ports=[("http", "TCP", 80)]))
    return out


def settle(role: DnsRole, tables: World) -> None:
    """Reconcile until all is in the server."""
    snapshot = tables.snapshot()
    while not role.reconcile(snapshot)["synced"]:
        time.sleep(0.02)


def changes(role: DnsRole, tables: World, server: Named, count: int) -> list[float]:
    """Seconds of ``count`` new services, one after the other."""
    found = []
    for n in range(count):
        address = f"10.43.{200 + n // 250}.{n % 250}"
        tables.add(service(f"new{n}", address, ns="bench", ports=[("http", "TCP", 80)]))
        snapshot = tables.snapshot()
        began = time.monotonic()
        role.reconcile(snapshot)
        found.append(wait(server, f"new{n}.bench.svc.cluster.local", address) - began)
    return found


def rate(role: DnsRole, tables: World, per_second: int, seconds: int) -> list[float]:
    """Seconds from each change to its acknowledgement at a steady rate of changes; waiting changes are coalesced."""
    start, made, done, found = time.monotonic(), 0, 0, []
    while done < per_second * seconds:
        due = min(per_second * seconds, int((time.monotonic() - start) * per_second) + 1)
        for n in range(made, due):
            tables.add(service(f"r{n % 500}", f"10.43.{220 + (n // 250) % 30}.{n % 250}", ns="rate"))
        made = due
        if done < made:
            role.reconcile(tables.snapshot())
            now = time.monotonic() - start
            found += [now - n / per_second for n in range(done, made)]
            done = made
        time.sleep(max(0.0, start + made / per_second - time.monotonic()))
    return found


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="rancherctl-dns-bench-"))
    server = Named(folder / "n")
    server.start()
    try:
        tables = world()
        role = DnsRole(server.config, server, probe=False)
        began = time.monotonic()
        settle(role, tables)
        wait(
            server,
            f"s{SERVICES - 1}.ns{(SERVICES - 1) % 100}.svc.cluster.local",
            f"10.43.{(SERVICES - 1) // 250}.{(SERVICES - 1) % 250}",
        )
        records = role.reconcile(tables.snapshot())["metrics"]["records"]
        say(f"first load of {SERVICES} services ({records} record sets)", time.monotonic() - began, "s")
        found = changes(role, tables, server, 300)
        say("a new service is answered, p50", statistics.median(found) * 1e3, "ms")
        say("a new service is answered, p99", percentile(found, 0.99) * 1e3, "ms", max(found) * 1e3)
        found = rate(role, tables, 100, 20)
        say("100 changes a second for 20 s, p99", percentile(found, 0.99) * 1e3, "ms", max(found) * 1e3)
        tables.add(service("big", "None", ns="bench", ports=[("http", "TCP", 80)]))
        tables.add(
            endpoint_slice(
                "big",
                [endpoint(f"10.42.{n // 250}.{n % 250}") for n in range(1000)],
                ns="bench",
                ports=[("http", "TCP", 80)],
            )
        )
        snapshot, began = tables.snapshot(), time.monotonic()
        role.reconcile(snapshot)
        say(
            "1,000 endpoints at once, last answered",
            (wait(server, "10-42-3-249.big.bench.svc.cluster.local", "10.42.3.249") - began) * 1e3,
            "ms",
        )
        say("memory of the engine", memory(server.pid), "MB")
        say("memory of the role's process (with its test world)", memory("self"), "MB")
        server.kill()
        began = time.monotonic()
        server.start()
        say(
            "kill -9 → last-known name answers",
            wait(server, "new299.bench.svc.cluster.local", "10.43.201.49") - began,
            "s",
        )
        began = time.monotonic()
        second = DnsRole(server.config, server, probe=False)
        settle(second, tables)
        say("restarted agent has compared everything", time.monotonic() - began, "s")
        second.stop()
        role.stop()
    finally:
        server.stop()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
