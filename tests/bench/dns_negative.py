"""CPU cost of negative answers: our configuration against a plain BIND with the same zone, in the same run on loopback.

One JSON line a value: the ratio of CPU seconds for the same number of questions (hits, NXDOMAIN, a pod's search
list), median over rounds in which both servers take turns. CPU comes from /proc/PID/stat, so the number of questions
in a round is large and fixed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from rancherctl.dns.reconcile import DnsRole  # noqa: E402
from tests.fakes.dns_tables import World, endpoint, endpoint_slice, service  # noqa: E402
from tests.fakes.named import Named  # noqa: E402
from tests.fakes.ports import free_port  # noqa: E402

SERVICES, OUTSIDE = 2_000, 200
ROUNDS, QUESTIONS, WINDOW = 7, 30_000, 32
LIMIT = 600.0
"""Seconds for all rounds; on a busy machine fewer rounds are made, and the result says how many."""
PLAIN = """\
options {{
    directory "{data}";
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    recursion no;
    allow-query {{ any; }};
    dnssec-validation no;
    pid-file none;
    session-keyfile none;
}};
controls {{ }};
logging {{ channel here {{ stderr; severity info; }}; category default {{ here; }}; category general {{ here; }}; }};
zone "cluster.local" {{ type primary; file "cluster.local.zone"; max-records-per-type 0; }};
"""


def question(name: str, kind: int = 1) -> bytes:
    """A query without its number."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


def kinds() -> Mapping[str, tuple[int, list[bytes]]]:
    """The expected response code and the questions of one round, by what they show."""
    spaces = [f"ns{n}.svc.cluster.local" for n in range(100)]
    searched = [
        f"www{n}.example.com.{end}" for n in range(100) for end in (spaces[n], "svc.cluster.local", "cluster.local")
    ]
    return {
        "a name that exists": (0, [question(f"s{n}.{spaces[n % 100]}") for n in range(0, SERVICES, 4)]),
        "a name that does not exist": (3, [question(f"nope{n}.{spaces[n % 100]}") for n in range(500)]),
        "the search list of a name outside": (3, [question(name, kind) for name in searched for kind in (1, 28)]),
    }


def cpu(pid: int) -> float:
    """CPU seconds that a process has used, in user mode and in the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(port: int, questions: list[bytes], rcode: int, count: int = QUESTIONS) -> None:
    """Send ``count`` queries with WINDOW of them in flight; a lost or different answer fails the run."""
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        sock.settimeout(30.0)
        for number in range(count + WINDOW):
            if number >= WINDOW:
                answer = sock.recv(4096)
                if answer[3] & 0x0F != rcode:
                    raise SystemExit(f"port {port} answers {answer[3] & 0x0F}, not {rcode}")
            if number < count:
                sock.send(struct.pack("!H", number & 0xFFFF) + questions[number % len(questions)])


@contextmanager
def plain(folder: Path, ours: Named) -> Iterator[tuple[int, int]]:
    """Port and process of a BIND with few settings and a copy of our zone."""
    folder.mkdir()
    port = free_port()
    (folder / "named.conf").write_text(PLAIN.format(data=folder, port=port))
    shutil.copy(ours.data / "cluster.local.zone", folder)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["named", "-f", "-n", "2", "-c", str(folder / "named.conf")], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while b"running" not in (folder / "log").read_bytes():
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit((folder / "log").read_text()[-2000:])
            time.sleep(0.05)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(60)


def world() -> World:
    """SERVICES Services, and OUTSIDE endpoints whose reverse names are in the response policy."""
    out = World()
    for n in range(SERVICES):
        out.add(service(f"s{n}", f"10.43.{n // 250}.{n % 250}", ns=f"ns{n % 100}", ports=[("http", "TCP", 80)]))
    out.add(service("exporter", "None"))
    out.add(endpoint_slice("exporter", [endpoint(f"192.0.2.{n}") for n in range(1, OUTSIDE)]))
    return out


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="rancherctl-dns-negative-"))
    ours = Named(folder / "ours")
    ours.start()
    try:
        role, tables = DnsRole(ours.config, ours, probe=False), world()
        snapshot = tables.snapshot()
        while not role.reconcile(snapshot)["synced"]:
            time.sleep(0.02)
        role.stop()
        with plain(folder / "plain", ours) as (port, pid):
            measure({"ours": (ours.config.port, ours.pid), "plain": (port, pid)})
    finally:
        ours.stop()
        shutil.rmtree(folder)


def measure(servers: Mapping[str, tuple[int, int]]) -> None:
    """Print the ratio of CPU for each kind of question."""
    ratios: dict[str, list[float]] = {kind: [] for kind in kinds()}
    deadline = time.monotonic() + LIMIT
    for number in range(ROUNDS):
        for kind, (rcode, questions) in kinds().items():
            used = {}
            # each round begins with the other server: what the machine does meanwhile meets both alike
            for name in sorted(servers, reverse=bool(number % 2)):
                server, pid = servers[name]
                before = cpu(pid)
                load(server, questions, rcode)
                used[name] = cpu(pid) - before
            ratios[kind].append(used["ours"] / used["plain"])
        if time.monotonic() > deadline:
            break
    version = subprocess.run(["named", "-v"], capture_output=True, text=True, check=False).stdout
    for kind, found in ratios.items():
        row = {
            "name": f"dns: CPU of {kind}, ours / plain BIND",
            "value": round(statistics.median(found), 2),
            "unit": "ratio",
            "rounds": len(found),
            "range": [round(min(found), 2), round(max(found), 2)],
            "machine": f"{os.cpu_count()} x {os.uname().machine}, load {os.getloadavg()[0]:.1f}",
            "versions": {"bind": (re.search(r"[\d.]+", version) or ["?"])[0]},
        }
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
