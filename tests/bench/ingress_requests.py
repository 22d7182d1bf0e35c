"""What a request costs HAProxy, over HTTP and HTTPS: our configuration against a minimal one written by hand.

Instructions in user mode are counted by callgrind and system calls by strace, so the load of the machine does not
change them. CPU seconds of the process are taken in alternating rounds, and the load of the machine is in them. One
JSON line for each protocol. Requests use one kept connection. The configuration by hand sets X-Forwarded-For and
-Proto, and chooses its one backend by host and path.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rancherctl.ingress.role.config import LbConfig
from rancherctl.ingress.role.reconcile import LbRole
from rancherctl.ingress.translate import endpoints
from tests.bench.ingress_options import NO_REP_MOVSB
from tests.bench.ingress_overhead import BEHIND, HOST, accepts, cpu, haproxy
from tests.fakes import ingress as fake
from tests.fakes import tls

COUNTED, TIMED, ROUNDS = 2_000, 10_000, 9
START = 240.0
"""Seconds in which HAProxy must listen; callgrind makes it about fifty times slower."""
BY_HAND = """
global
  nbthread 1
  ssl-load-extra-files none
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 60s
frontend plain
  bind 127.0.0.1:{http}
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto http
  use_backend web if {{ hdr(host) -i {host} }} {{ path_beg / }}
frontend secure
  bind 127.0.0.1:{https} ssl crt {certificate} alpn h2,http/1.1
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto https
  use_backend web if {{ hdr(host) -i {host} }} {{ path_beg / }}
backend web
  server s1 127.0.0.1:{behind} check
"""


def load(port: int, number: int, *, secure: bool) -> None:
    """Send requests one after the other on one connection; another answer than 200 fails the run."""
    one = f"GET /some/path HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n".encode()
    opened = tls.connect(port, HOST) if secure else socket.create_connection(("127.0.0.1", port), 60)
    with opened as connection:
        for _ in range(number):
            connection.sendall(one)
            answer = b""
            while not answer.endswith(b"\r\n\r\nok"):
                part = connection.recv(65536)
                answer += part
                if not part or not answer.startswith(b"HTTP/1.1 200"[: len(answer)]):
                    raise SystemExit(f"port {port} does not answer 200: {answer[:200]!r}")


@contextmanager
def counted(config: Path, port: int) -> Iterator[int]:
    """The process of a HAProxy under callgrind."""
    command = [
        "valgrind",
        "--tool=callgrind",
        f"--callgrind-out-file={config}.out",
        "haproxy",
        "-db",
        "-f",
        str(config),
    ]
    with config.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | NO_REP_MOVSB)
    try:
        accepts(port, START)
        yield process.pid
    finally:
        process.terminate()
        process.wait(60)


def instructions(config: Path, port: int, *, secure: bool) -> float:
    """Instructions of one request."""
    each = []
    with counted(config, port) as pid:
        # What a connection costs is left out: another one has half of the requests.
        for number in (100, COUNTED, COUNTED // 2):
            subprocess.run(["callgrind_control", "--zero", str(pid)], check=True, capture_output=True)
            load(port, number, secure=secure)
            subprocess.run(["callgrind_control", "--dump", str(pid)], check=True, capture_output=True)
            last = max(config.parent.glob(f"{config.name}.out.*"), key=lambda path: path.stat().st_mtime_ns)
            totals = re.search(r"^(?:totals|summary): (\d+)", last.read_text(), re.MULTILINE)
            assert totals is not None
            each.append(int(totals[1]))
    return (each[1] - each[2]) / (COUNTED - COUNTED // 2)


def system_calls(pid: int, port: int, *, secure: bool) -> float:
    """System calls of one request."""
    with tempfile.NamedTemporaryFile("r") as out:
        tracer = subprocess.Popen(["strace", "-c", "-f", "-p", str(pid), "-o", out.name], stderr=subprocess.PIPE)
        assert tracer.stderr is not None
        tracer.stderr.readline()  # it has attached
        load(port, COUNTED, secure=secure)
        tracer.send_signal(signal.SIGINT)
        tracer.wait(60)
        total = next(line for line in out.read().splitlines() if line.endswith(" total"))
    return int(total.split()[2 if len(total.split()) < 6 else 3]) / COUNTED


def ours(folder: Path, behind: int, *, secure: bool) -> tuple[str, int]:
    """Our configuration for one site, and its port. A site with a certificate redirects plain requests."""
    folder.mkdir()
    running, pair = fake.Haproxy(folder), tls.Authority().issue(HOST)
    role = LbRole(LbConfig("h1", running.all_listeners, paths=running.paths), driver=running.driver())
    wanted = fake.ingress("a", [(HOST, "Prefix", "/", "web:80")], tls=[("t", [HOST])] if secure else ())
    slices = [fake.endpoint_slice("web", [("127.0.0.1", behind)])]
    role.reconcile(fake.snapshot([wanted], [fake.service("web")], slices, copies=[pair.copy("t")] if secure else []))
    running.stop()
    text = Path(running.paths.config).read_text().replace("global\n", "global\n  nbthread 1\n")
    # Without a master there are no reloads.
    return re.sub(r"  mworker-max-reloads .*\n", "", text), running.https_port if secure else running.port


def by_hand(folder: Path, behind: int, *, secure: bool) -> tuple[str, int]:
    """The minimal configuration, and the port to use."""
    pair, ports = tls.Authority().issue(HOST), (fake.free_port(), fake.free_port())
    (folder / "pair.pem").write_bytes(pair.certificate + pair.key)
    words = {"http": ports[0], "https": ports[1], "certificate": folder / "pair.pem"}
    return BY_HAND.format(**words, host=HOST, behind=behind), ports[secure]


def main() -> None:
    setattr(endpoints, "routable", lambda address: True)  # noqa: B010  # a module of the product
    with tempfile.TemporaryDirectory(prefix="rancherctl-requests-") as name:
        folder, behind = Path(name), fake.free_port()
        with haproxy(folder, "behind", BEHIND.format(port=behind), behind):
            for secure in (False, True):
                configurations = {
                    "by hand": by_hand(folder, behind, secure=secure),
                    "ours": ours(folder / f"ours-{secure}", behind, secure=secure),
                }
                compare(folder, configurations, secure=secure)


def compare(folder: Path, configurations: dict[str, tuple[str, int]], *, secure: bool) -> None:
    """Print what requests over one protocol cost."""
    ports = {name: port for name, (_, port) in configurations.items()}
    user = {}
    for name, (text, port) in configurations.items():
        config = folder / f"{name.replace(' ', '-')}-{secure}.cfg"
        config.write_text(text)
        user[name] = instructions(config, port, secure=secure)
    with ExitStack() as running:
        pids = {
            name: running.enter_context(haproxy(folder, f"{name.replace(' ', '-')}-{secure}-native", text, port))
            for name, (text, port) in configurations.items()
        }
        calls = {name: system_calls(pids[name], ports[name], secure=secure) for name in ports}
        ratios: list[float] = []
        each: dict[str, list[float]] = {name: [] for name in ports}
        for number in range(ROUNDS + 1):
            for name in sorted(ports, reverse=bool(number % 2)):
                before = cpu(pids[name])
                load(ports[name], TIMED, secure=secure)
                each[name].append((cpu(pids[name]) - before) / TIMED * 1e6)
            if number:  # the first round only warms up
                ratios.append(each["ours"][-1] / each["by hand"][-1])
    version = subprocess.run(["haproxy", "-v"], capture_output=True, text=True, check=True).stdout.split()[2]
    row = {
        "name": f"ingress: CPU of a request over {'HTTPS' if secure else 'HTTP'}, ours / a minimal configuration",
        "value": round(statistics.median(ratios), 3),
        "unit": "ratio",
        "range": [round(min(ratios), 2), round(max(ratios), 2)],
        "microseconds": {name: round(statistics.median(values[1:]), 1) for name, values in each.items()},
        "instructions": {name: round(value) for name, value in user.items()},
        "instructions_ratio": round(user["ours"] / user["by hand"], 3),
        "system_calls": {name: round(value, 2) for name, value in calls.items()},
        "machine": f"{os.cpu_count()} x {os.uname().machine}, load {os.getloadavg()[0]:.1f}",
        "versions": {"haproxy": version},
    }
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
