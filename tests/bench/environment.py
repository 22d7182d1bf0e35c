"""An environment of four lab hosts: time to create it, latency of new routes and names, memory of agents.

One JSON line per value. BENCH_HOSTS (4, at least 2): the number of hosts; latencies depend on it.

tests/bench/environment.py            creates its own lab and removes it
tests/bench/environment.py NAME       uses the one that a test run with RANCHERCTL_TEST_KEEP=NAME left
"""

from __future__ import annotations

import base64
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from rancherctl import __version__  # noqa: E402
from rancherctl.bundle.versions import DEFAULT  # noqa: E402
from rancherctl.kube.client import INGRESSES, SERVICES  # noqa: E402
from rancherctl.kube.rest import RestClient  # noqa: E402
from rancherctl.lab import access  # noqa: E402
from rancherctl.lab.session import open_lab, running_lab  # noqa: E402
from tests.lab import workloads as w  # noqa: E402
from tests.lab.support import Environment, make, until  # noqa: E402

HOSTS = int(os.environ.get("BENCH_HOSTS", "4"))
ROUNDS = 40
PAUSE = 0.002
SPACE = "bench"
FIRST_ANSWER = """
import socket, struct, sys, time
for line in sys.stdin:
    name = line.strip()
    labels = b"".join(bytes([len(p)]) + p.encode() for p in name.split("."))
    question = struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + labels + bytes(1) + struct.pack(">2H", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(1.0)
        sock.connect(("169.254.20.10", 53))
        while True:
            sock.send(question)
            answer = sock.recv(4096)
            if not answer[3] & 15 and struct.unpack_from(">H", answer, 6)[0]:
                break
            time.sleep(0.001)
    print(time.monotonic(), flush=True)
"""


def say(name: str, value: float, unit: str, **extra: object) -> None:
    """One result."""
    machine = f"{os.cpu_count()} x {platform.machine()}, load {os.getloadavg()[0]:.1f}"
    line = {
        "name": name,
        "value": round(value, 3),
        "unit": unit,
        "machine": machine,
        "versions": {"rancherctl": __version__, "kubernetes": DEFAULT},
    }
    print(json.dumps(line | extra), flush=True)


def quantiles(name: str, seconds: Sequence[float]) -> None:
    """p50 and p99 of times, in ms."""
    ordered = sorted(s * 1000 for s in seconds)
    worst = round(ordered[-1], 1)
    say(f"{name}, p50", statistics.median(ordered), "ms", worst=worst, rounds=len(ordered))
    say(f"{name}, p99", ordered[max(0, round(len(ordered) * 0.99) - 1)], "ms", worst=worst, rounds=len(ordered))


def timed(action: Callable[[], object]) -> float:
    """Seconds that something takes."""
    began = time.monotonic()
    action()
    return time.monotonic() - began


def client(env: Environment) -> RestClient:
    """A client with the operator's token, as kubectl gets it."""
    config = json.loads(env.kubectl("config", "view", "--minify", "--raw", "-o", "json"))
    cluster = config["clusters"][0]["cluster"]
    argv = ["rancherctl-credential", "--env", env.name]
    token = json.loads(
        subprocess.run(argv, env=env.variables, capture_output=True, text=True, check=True, timeout=60).stdout
    )["status"]["token"]
    return RestClient(cluster["server"], ca=base64.b64decode(cluster["certificate-authority-data"]), token=token)


def first_200(address: str, host: str, found: list[float], enough: threading.Event) -> None:
    """Ask until the answer is 200 (its moment goes into ``found``) or enough others have."""
    ask = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    while not enough.wait(PAUSE):
        try:
            with socket.create_connection((address, 80), 1.0) as sock:
                sock.sendall(ask)
                answered = sock.recv(16)
        except OSError:
            continue
        if answered.startswith(b"HTTP/1.1 200"):
            found.append(time.monotonic())
            return


def ingresses(env: Environment, api: RestClient) -> None:
    """Ingress created → first 200 on both addresses; the hosts serve others already."""
    w.web(env, SPACE, 2)
    env.apply(w.ingress(SPACE, "warm", "warm.bench.example.org", "web", scale=str(HOSTS)))
    w.published(env, SPACE, "warm", HOSTS)
    sent_to, taken_to = [], []
    for number in range(ROUNDS):
        name, found, enough = f"r{number}", list[float](), threading.Event()
        host = f"{name}.bench.example.org"
        threads = [threading.Thread(target=first_200, args=(h.address, host, found, enough)) for h in env.lab.hosts()]
        for thread in threads:
            thread.start()
        sent = time.monotonic()
        api.create(INGRESSES, w.ingress(SPACE, name, host, "web", scale="2"), namespace=SPACE)
        taken = time.monotonic()
        until("200 on both", lambda f=found: len(f) >= 2, timeout=30, pause=0.005)
        enough.set()
        for thread in threads:
            thread.join()
        sent_to.append(sorted(found)[1] - sent)
        taken_to.append(max(0.0, sorted(found)[1] - taken))
        api.delete(INGRESSES, name, namespace=SPACE)
    quantiles("Ingress accepted to first 200 on both addresses", taken_to)
    quantiles("Ingress sent to first 200 on both addresses", sent_to)


def names(env: Environment, api: RestClient) -> None:
    """Service created → its name answers on all hosts."""
    loops = []
    for reach in env.lab.hosts():
        env.lab.ssh(reach.name, "cat > /run/rancherctl-bench.py", stdin=FIRST_ANSWER)
        argv = access.ssh_argv(env.lab.paths, env.lab.lab.host(reach.name), "exec python3 -I /run/rancherctl-bench.py")
        loops.append(
            subprocess.Popen(list(map(str, argv)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        )
    sent_to, taken_to = [], []
    for number in range(ROUNDS):
        for loop in loops:
            assert loop.stdin is not None
            loop.stdin.write(f"s{number}.{SPACE}.svc.cluster.local\n")
        # The loops are asking before the Service is there, as they would by the time it is.
        time.sleep(0.1)
        sent = time.monotonic()
        api.create(SERVICES, w.service(SPACE, f"s{number}", "web"), namespace=SPACE)
        taken = time.monotonic()
        last = max(float(loop.stdout.readline()) for loop in loops if loop.stdout is not None)
        sent_to.append(last - sent)
        taken_to.append(max(0.0, last - taken))
        api.delete(SERVICES, f"s{number}", namespace=SPACE)
    for loop in loops:
        loop.communicate(timeout=10)
    quantiles("Service accepted to its name on all hosts", taken_to)
    quantiles("Service sent to its name on all hosts", sent_to)


def memory(env: Environment) -> None:
    """Resident memory of what runs on every host: the largest of all hosts."""
    units = ("rancherctl-agent", "rancherctl-dns", "rancherctl-ingress", "rancherctl-controller")
    groups = (
        "/sys/fs/cgroup/*/system.slice/$u.service/cgroup.procs",
        "/sys/fs/cgroup/system.slice/$u.service/cgroup.procs",
    )  # versions 1 and 2
    pids = f"$(cat {' '.join(groups)} 2>/dev/null | sort -u)"
    size = "$(grep VmRSS /proc/$p/status | tr -dc 0-9)"
    script = f"for u in {' '.join(units)}; do for p in {pids}; do echo $u {size}; done; done"
    found: dict[str, list[int]] = {}
    for reach in env.lab.hosts():
        sums: dict[str, int] = {}
        for line in env.ssh(reach.name, script).splitlines():
            unit, _, size = line.partition(" ")
            sums[unit] = sums.get(unit, 0) + int(size or 0)
        for unit, total in sums.items():
            found.setdefault(unit, []).append(total)
    for unit, sizes in found.items():
        say(f"{unit}, resident, largest of the hosts", max(sizes) / 1024, "MB")


def everything(env: Environment) -> None:
    """All measures on an environment that is there."""
    say("env apply again, nothing to do", min(timed(lambda: env.ok("env", "apply", env.name)) for _ in range(3)), "s")
    argv = ["rancherctl-credential", "--env", env.name]
    quick = [
        timed(lambda: subprocess.run(argv, env=env.variables, capture_output=True, check=True, timeout=60))
        for _ in range(15)
    ]
    say("exec credential", statistics.median(quick) * 1000, "ms", worst=round(max(quick) * 1000, 1))
    env.kubectl("create", "namespace", SPACE)
    try:
        with client(env) as api:
            ingresses(env, api)
            names(env, api)
        memory(env)
    finally:
        env.kubectl("delete", "namespace", SPACE, "--wait=false")


def main() -> None:
    if len(sys.argv) > 1:
        home = Path("/var/tmp", f"rancherctl-{sys.argv[1]}")
        everything(make(sys.argv[1], open_lab(sys.argv[1]), home))
        return
    name = f"b{os.getpid()}"
    with tempfile.TemporaryDirectory() as folder, running_lab(name, HOSTS) as lab:
        env = make(name, lab, Path(folder))
        # Until the command returns all Nodes are Ready; the artefacts are in the cache.
        say(
            f"env create, {HOSTS} lab hosts all Ready", timed(lambda: env.ok("env", "create", "-f", str(env.file))), "s"
        )
        everything(env)


if __name__ == "__main__":
    main()
