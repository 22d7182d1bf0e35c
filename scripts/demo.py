"""`make demo`: four throw-away hosts become a Kubernetes environment that serves an Ingress on two addresses and answers DNS on every host.

Every command that is run is shown with its output and how long it took. Everything is removed at the end, also after a failure; with KEEP=1
in the environment it stays. A demo that an earlier run left behind is removed first.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prepare import bundle_root

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / ".venv" / "bin" / "rancherctl"
NAME = "demo"
HOSTS = 4
NAMES = ("mongodb.default.svc.cluster.local", "mdb-0.mongodb.default.svc.cluster.local")
KEEP = os.environ.get("KEEP", "") not in ("", "0")
CERTAIN = {"RANCHERCTL_ENV": NAME, "RANCHERCTL_PROGRESS": os.environ.get("RANCHERCTL_PROGRESS", "plain")}
_paused = threading.Event()
timings: list[tuple[str, float]] = []


def run(*words: str, quiet: bool = False, check: bool = True, timeout: float = 900.0) -> str:
    """Run a command, show it with its output and duration; its standard output."""
    began = time.monotonic()
    if not quiet:
        print(f"\n$ {shlex.join(words)}", flush=True)
    argv = [str(PROGRAM), *words[1:]] if words[0] == "rancherctl" else list(words)
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, timeout=timeout, env={**os.environ, **CERTAIN}, check=False)
    if not quiet:
        print(done.stdout, end="", flush=True)
    if not quiet:
        print(f"({time.monotonic() - began:.1f} s)", flush=True)
    if check and done.returncode != 0:
        sys.exit(f"demo: {shlex.join(words)} ended with {done.returncode}")
    return done.stdout


def kubectl(*words: str, **options: Any) -> str:
    return run("rancherctl", "kubectl", *words, **options)


def timed(title: str, action: Callable[[], Any]) -> Any:
    began = time.monotonic()
    value = action()
    timings.append((title, time.monotonic() - began))
    return value


def until(what: str, look: Callable[[], Any], limit: float = 120.0) -> Any:
    """Ask again until there is an answer, pausing longer each time."""
    began, pause = time.monotonic(), 0.2
    while not (found := look()):
        if time.monotonic() - began > limit:
            sys.exit(f"demo: {what}: not within {limit:.0f} s")
        _paused.wait(pause)
        pause = min(pause * 1.5, 2.0)
    return found


def lab_hosts() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(run("rancherctl", "lab", "status", "--name", NAME, "-o", "json", quiet=True))["items"]
    return rows


def addresses() -> list[str]:
    value = json.loads(kubectl("get", "ingress", "scalelb", "-o", "json", quiet=True))
    found = [entry["ip"] for entry in value.get("status", {}).get("loadBalancer", {}).get("ingress", [])]
    return found if len(found) == 2 else []


def create() -> None:
    folder = Path("/var/lib/rancherctl-lab") / NAME
    hosts = [word for host in lab_hosts() for word in ("--host", f"root@{host['address']}")]
    chosen = ("--ssh-config", str(folder / "ssh_config"), "--bundle", str(bundle_root()))
    run("rancherctl", "env", "create", NAME, *chosen, *hosts)


def application() -> None:
    kubectl("apply", "-f", str(ROOT / "examples" / "sample.yaml"))
    kubectl("rollout", "status", "deployment/web", "--timeout=120s")
    kubectl("rollout", "status", "statefulset/mdb", "--timeout=120s")


def show() -> None:
    kubectl("get", "nodes", "-o", "wide")
    timed("application: applied, and its pods Ready", application)
    found = timed("Ingress: two addresses in its status", lambda: until("two addresses in the status of scalelb", addresses))
    kubectl("get", "ingress")
    for address in found:
        run("curl", "-sS", "--fail", "--max-time", "10", "-H", "Host: foo.bar.com", f"http://{address}/foo")
    for host in lab_hosts():
        answer = run("rancherctl", "lab", "ssh", "--name", NAME, host["name"], "dig", "@169.254.20.10", "+noall", "+answer", *NAMES)
        if any(f"{name}." not in answer for name in NAMES):
            sys.exit(f"demo: {host['name']} does not answer for every name")
    run("rancherctl", "ingress", "ls")
    run("rancherctl", "env", "status", NAME, check=False)


def clear() -> None:
    """Remove the demo of this or an earlier run."""
    known = [item["name"] for item in json.loads(run("rancherctl", "env", "ls", "-o", "json", quiet=True, check=False) or '{"items": []}')["items"]]
    if NAME in known:
        run("rancherctl", "env", "rm", NAME, "--confirm", NAME, "--force", check=False)
    labs = [row["lab"] for row in json.loads(run("rancherctl", "lab", "status", "-o", "json", quiet=True))["items"]]
    if NAME in labs:
        run("rancherctl", "lab", "down", "--name", NAME)


def main() -> None:
    if os.geteuid() != 0:
        sys.exit("demo: lab hosts need root")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("demo: terminated"))
    began = time.monotonic()
    clear()
    try:
        timed(f"lab: {HOSTS} hosts up", lambda: run("rancherctl", "lab", "up", "--name", NAME, "--hosts", str(HOSTS)))
        timed("environment: created, all nodes Ready", create)
        show()
    except BaseException:
        if not KEEP:
            clear()
        raise
    if KEEP:
        print("\nThe demo stays. Try:\n  .venv/bin/rancherctl kubeconfig show demo\n  .venv/bin/rancherctl kubectl --env demo get pods -A")
        print(f"It is removed by:\n  .venv/bin/rancherctl env rm {NAME} --confirm {NAME} && .venv/bin/rancherctl lab down --name {NAME}")
    else:
        timed("everything removed", clear)
    print("\nHow long it took:")
    for title, seconds in timings:
        print(f"  {seconds:6.1f} s  {title}")
    print(f"  {time.monotonic() - began:6.1f} s  in all", flush=True)


main()
