"""CPU of one request: our configuration against a minimal hand-written one, in the same run on loopback.

One JSON line: the ratio of CPU seconds for the same number of requests over a kept connection, median over rounds in
which both take turns. CPU comes from /proc/PID/stat, so the number of requests is what matters, not how fast they were.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rancherctl.ingress.role.config import LbConfig
from rancherctl.ingress.role.reconcile import LbRole
from rancherctl.ingress.translate import endpoints
from rancherctl.polling import poll_until
from tests.fakes import ingress as fake

REQUESTS, WINDOW, ROUNDS = 20_000, 1, 9
HOST = "www.example.org"
BEHIND = """
defaults
  mode http
  timeout client 60s
frontend f
  bind 127.0.0.1:{port}
  http-request return status 200 content-type text/plain string ok
"""
PLAIN = """
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 60s
frontend f
  bind 127.0.0.1:{port}
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto http
  use_backend web if {{ hdr(host) -i {host} }} {{ path_beg / }}
backend web
  server s1 127.0.0.1:{behind} check
"""


def cpu(pid: int) -> float:
    """CPU seconds that a process has used, in user mode and in the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def haproxy(folder: Path, name: str, text: str, port: int) -> Iterator[int]:
    """The process of a HAProxy with this configuration, once it accepts connections on ``port``."""
    config = folder / f"{name}.cfg"
    config.write_text(text)
    process = subprocess.Popen(["haproxy", "-db", "-f", config])
    try:
        accepts(port)
        yield process.pid
    finally:
        process.kill()
        process.wait()


def accepts(port: int, limit: float = 30.0) -> None:
    """Wait at most ``limit`` seconds until somebody listens on ``port``."""

    def listening() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    if not poll_until(listening, limit, first=0.02):
        raise SystemExit(f"nothing listens on port {port}")


def load(port: int) -> None:
    """Send REQUESTS on one connection, WINDOW at a time; another answer than 200 fails the run."""
    one = f"GET /some/path HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        answers = connection.makefile("rb")
        for _ in range(REQUESTS // WINDOW):
            connection.sendall(one * WINDOW)
            for _ in range(WINDOW):
                if not answers.readline().startswith(b"HTTP/1.1 200"):
                    raise SystemExit(f"port {port} does not answer 200")
                length = 0
                while (line := answers.readline()).strip():
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                answers.read(length)


def main() -> None:
    setattr(endpoints, "routable", lambda address: True)  # noqa: B010  # a module of the product
    with tempfile.TemporaryDirectory(prefix="rancherctl-overhead-") as name:
        folder = Path(name)
        (folder / "ours").mkdir()
        ours = fake.Haproxy(folder / "ours")
        plain, behind = fake.free_port(), fake.free_port()
        role = LbRole(LbConfig("h1", ours.listeners, paths=ours.paths), driver=ours.driver())
        wanted = [fake.ingress("a", [(HOST, "Prefix", "/", "web:80")])]
        with (
            haproxy(folder, "behind", BEHIND.format(port=behind), behind),
            haproxy(folder, "plain", PLAIN.format(port=plain, behind=behind, host=HOST), plain) as pid,
        ):
            try:
                slices = [fake.endpoint_slice("web", [("127.0.0.1", behind)])]
                role.reconcile(fake.snapshot(wanted, [fake.service("web")], slices))
                accepts(ours.port)
                measure({"ours": (ours.port, role.health.pid), "plain": (plain, pid)})
            finally:
                ours.stop()


def measure(servers: dict[str, tuple[int, int]]) -> None:
    """Print the ratio of CPU."""
    ratios: list[float] = []
    each: dict[str, list[float]] = {name: [] for name in servers}
    for number in range(ROUNDS + 1):
        for name in sorted(servers, reverse=bool(number % 2)):
            port, pid = servers[name]
            before = cpu(pid)
            load(port)
            each[name].append((cpu(pid) - before) / REQUESTS * 1e6)
        if number:  # the first round only warms up
            ratios.append(each["ours"][-1] / each["plain"][-1])
    version = subprocess.run(["haproxy", "-v"], capture_output=True, text=True, check=True).stdout.split()[2]
    row = {
        "name": "ingress: CPU of a request, ours / a minimal configuration",
        "value": round(statistics.median(ratios), 2),
        "unit": "ratio",
        "rounds": len(ratios),
        "range": [round(min(ratios), 2), round(max(ratios), 2)],
        "microseconds": {name: round(statistics.median(values[1:]), 1) for name, values in each.items()},
        "machine": f"{os.cpu_count()} x {os.uname().machine}, load {os.getloadavg()[0]:.1f}",
        "versions": {"haproxy": version},
    }
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
