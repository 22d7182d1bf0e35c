"""`make demo`: throw-away hosts become an environment; an Ingress and a Service on two hosts each, HTTPS, DNS.

Then a second environment and a federation of both, whose public names follow a member that loses power (scripts/
demo_federation.py); DEMO=first stops before that.

Shows every command with its output and duration. Removes everything at the end, also after a failure or Ctrl-C, unless
KEEP=1 is set. Removes a demo that an earlier run left behind; waits for one that is still running.
"""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from rancherctl.lab import state  # noqa: E402
from rancherctl.lab.paths import Roots  # noqa: E402
from scripts import demo_federation  # noqa: E402
from scripts.prepare import bundle_root  # noqa: E402

PROGRAM = ROOT / ".venv" / "bin" / "rancherctl"
NAME = "demo"
FOLDER = Path("/var/lib/rancherctl-lab") / NAME
"""Files of the lab; `lab down` removes them."""
HOSTS = 4
"""Hosts of the first environment."""
FIRST = os.environ.get("DEMO", "") == "first"
SITE = "foo.bar.com"
SERVICE, SERVICE_PORT = "web-direct", 8080
NAMES = ("mongodb.default.svc.cluster.local", "mdb-0.mongodb.default.svc.cluster.local")
KEEP = os.environ.get("KEEP", "") not in ("", "0")
CERTAIN = {
    "RANCHERCTL_ENV": NAME,
    "RANCHERCTL_PROGRESS": os.environ.get("RANCHERCTL_PROGRESS", "plain"),
    "HOME": str(Path.home()),
}
REMOVAL = "\n  ".join(
    (
        *(
            f".venv/bin/rancherctl env rm {name} --confirm {name} --force"
            for name in ((demo_federation.ACME, demo_federation.PARIS, NAME) if not FIRST else (NAME,))
        ),
        f".venv/bin/rancherctl lab down --name {NAME}",
    )
)
LOCK = Path("/run/rancherctl-demo.lock")
GRACE = 60.0
"""Seconds that an interrupted command may take to release its locks and exit."""
_paused = threading.Event()
timings: list[tuple[str, float]] = []


def run(*words: str, quiet: bool = False, check: bool = True, timeout: float = 900.0) -> str:
    """Run a command and show it with its output and duration; returns its standard output."""
    began = time.monotonic()
    if not quiet:
        print(f"\n$ {shlex.join(words)}", flush=True)
    argv = [str(PROGRAM), *words[1:]] if words[0] == "rancherctl" else list(words)
    code, out = run_to_completion(argv, timeout)
    if not quiet:
        print(out, end="", flush=True)
        print(f"({time.monotonic() - began:.1f} s)", flush=True)
    if check and code != 0:
        sys.exit(f"demo: {shlex.join(words)} failed with exit code {code}")
    return out


def run_to_completion(argv: list[str], timeout: float) -> tuple[int, str]:
    """Exit code and standard output. The command has its own process group: the demo forwards Ctrl-C once and waits."""
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **CERTAIN},
        process_group=0,
    ) as child:
        try:
            out, _ = child.communicate(timeout=timeout)
        except BaseException as error:
            end(child)
            if isinstance(error, subprocess.TimeoutExpired):
                sys.exit(f"demo: {shlex.join(argv)} did not end within {timeout:.0f} s")
            raise
    return child.returncode, out


def end(child: subprocess.Popen[str]) -> None:
    """Ask the command and its children to stop; kill those that do not."""
    for number, patience in ((signal.SIGINT, GRACE), (signal.SIGKILL, None)):
        if child.returncode is None:
            os.killpg(child.pid, number)
        try:
            child.communicate(timeout=patience)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            continue
        return


@contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """Let one demo run at a time: a second one would mistake the first for leftovers of an earlier run."""
    with lock.open("ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("demo: another demo is running on this machine: waiting for it", flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def kubectl(*words: str, **options: Any) -> str:
    return run("rancherctl", "kubectl", *words, **options)


def timed(title: str, action: Callable[[], Any]) -> Any:
    began = time.monotonic()
    value = action()
    timings.append((title, time.monotonic() - began))
    return value


def wait_until(what: str, check: Callable[..., Any], limit: float = 120.0) -> Any:
    """Check until there is a result, pausing longer each time."""
    began, pause = time.monotonic(), 0.2
    while not (found := check()):
        if time.monotonic() - began > limit:
            sys.exit(f"demo: {what}: not within {limit:.0f} s")
        _paused.wait(pause)
        pause = min(pause * 1.5, 2.0)
    return found


def lab_hosts() -> list[dict[str, Any]]:
    """The hosts of the first environment."""
    return all_hosts()[:HOSTS]


def all_hosts() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(
        run("rancherctl", "lab", "status", "--name", NAME, "-o", "json", quiet=True)
    )["items"]
    return rows


def addresses() -> list[str]:
    value = json.loads(kubectl("get", "ingress", "scalelb", "-o", "json", quiet=True))
    found = [entry["ip"] for entry in value.get("status", {}).get("loadBalancer", {}).get("ingress", [])]
    return found if len(found) == 2 else []


def service_addresses() -> list[str]:
    """Both addresses of the Service, once each accepts connections; [] before."""
    status = json.loads(kubectl("get", "service", SERVICE, "-o", "json", quiet=True))["status"]
    found = [entry["ip"] for entry in status["loadBalancer"].get("ingress", [])]
    return found if len(found) == 2 and all(map(accepts, found)) else []


def accepts(address: str) -> bool:
    """Whether the Service's port accepts connections at this address."""
    try:
        with socket.create_connection((address, SERVICE_PORT), 1):
            return True
    except OSError:
        return False


def dig(host: str, **options: Any) -> str:
    return run(
        "rancherctl",
        "lab",
        "ssh",
        "--name",
        NAME,
        host,
        "dig",
        "@169.254.20.10",
        "+noall",
        "+answer",
        *NAMES,
        **options,
    )


def create() -> None:
    hosts = [word for host in lab_hosts() for word in ("--host", f"root@{host['address']}")]
    chosen = ("--ssh-config", str(FOLDER / "ssh_config"), "--bundle", str(bundle_root()))
    run("rancherctl", "env", "create", NAME, *chosen, *hosts)


def application() -> None:
    kubectl("apply", "-f", str(ROOT / "examples" / "sample.yaml"))
    kubectl("rollout", "status", "deployment/web", "--timeout=120s")
    kubectl("rollout", "status", "statefulset/mdb", "--timeout=120s")


def certificates(folder: Path) -> None:
    """Write ca.crt, a demo authority's certificate, and tls.crt and tls.key, which it issued for SITE."""
    new_key = shlex.split("openssl req -x509 -days 30 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes")
    authority = ("-keyout", f"{folder}/ca.key", "-out", f"{folder}/ca.crt")
    run(*new_key, "-subj", "/CN=demo authority", "-addext", "keyUsage=critical,keyCertSign", *authority)
    issued = ("-CA", f"{folder}/ca.crt", "-CAkey", f"{folder}/ca.key", "-subj", f"/CN={SITE}")
    extensions = ("-addext", f"subjectAltName=DNS:{SITE}", "-addext", "basicConstraints=critical,CA:FALSE")
    run(*new_key, *issued, *extensions, "-keyout", f"{folder}/tls.key", "-out", f"{folder}/tls.crt")


def request(scheme: str, address: str, folder: Path, **options: Any) -> str:
    """The status line, headers and body of the answer that this address gives for SITE; "" if there is none."""
    port, trust = ("443", ("--cacert", f"{folder}/ca.crt")) if scheme == "https" else ("80", ())
    sent_to = ("--resolve", f"{SITE}:{port}:{address}", f"{scheme}://{SITE}/foo")
    return run("curl", "-sS", "-i", "--max-time", "10", *trust, *sent_to, **options)


def status_of(answer: str) -> str:
    """The status in the first line of an HTTP answer; "" without an answer."""
    return " ".join(answer.split(maxsplit=2)[1:2])


def https(found: list[str], folder: Path) -> None:
    """Add a certificate to the Ingress; return when all its addresses use it and redirect plain HTTP."""
    kubectl("create", "secret", "tls", "foo-bar-com", f"--cert={folder}/tls.crt", f"--key={folder}/tls.key")
    kubectl("apply", "-f", str(ROOT / "examples" / "tls.yaml"))
    for address in found:
        wait_until(
            f"redirect to https by {address}",
            lambda address=address: status_of(request("http", address, folder, quiet=True, check=False)) == "308",
        )


def show_https(found: list[str]) -> None:
    folder = FOLDER / "certificates"
    folder.mkdir(mode=0o700, exist_ok=True)
    certificates(folder)
    timed("HTTPS: certificate in use on both addresses", lambda: https(found, folder))
    kubectl("get", "ingress")
    for scheme, expected in (("https", "200"), ("http", "308")):
        for address in found:
            status = status_of(request(scheme, address, folder))
            if status != expected:
                sys.exit(f"demo: {scheme}://{SITE} at {address}: status {status or 'missing'} instead of {expected}")


def show_service() -> None:
    def published() -> list[str]:
        kubectl("apply", "-f", str(ROOT / "examples" / "service.yaml"))
        return list(wait_until(f"two addresses of the Service {SERVICE}", service_addresses))

    found = timed("Service of type LoadBalancer: answers on two addresses", published)
    kubectl("get", "service", SERVICE)
    for address in found:
        run("curl", "-sS", "--fail", "--max-time", "10", f"http://{address}:{SERVICE_PORT}/")
    run("rancherctl", "service", "status")


def show() -> None:
    kubectl("get", "nodes", "-o", "wide")
    timed("application: applied, and its pods Ready", application)
    found = timed(
        "Ingress: two addresses in its status", lambda: wait_until("two addresses in the status of scalelb", addresses)
    )
    kubectl("get", "ingress")
    for address in found:
        run("curl", "-sS", "--fail", "--max-time", "10", "-H", f"Host: {SITE}", f"http://{address}/foo")
    show_https(found)
    show_service()
    for host in lab_hosts():
        wait_until(
            f"{host['name']} answers for every name",
            lambda name=host["name"]: all(f"{n}." in dig(name, quiet=True, check=False) for n in NAMES),
        )
        dig(host["name"])
    run("rancherctl", "ingress", "ls")
    run("rancherctl", "ingress", "status")
    run("rancherctl", "env", "status", NAME, check=False)


def tools() -> demo_federation.Tools:
    def by_name() -> dict[str, str]:
        return {host["name"]: host["address"] for host in all_hosts()}

    return demo_federation.Tools(run, timed, wait_until, by_name, NAME, NAME, FOLDER, str(bundle_root()))


def clear() -> None:
    """Remove the demo of this or an earlier run, also one that was killed at any moment."""
    known = [
        item["name"]
        for item in json.loads(
            run("rancherctl", "env", "ls", "-o", "json", quiet=True, check=False) or '{"items": []}'
        )["items"]
    ]
    for name in (demo_federation.ACME, demo_federation.PARIS, NAME):
        if name in known and (name == NAME or NAME in state.names(Roots())):
            run("rancherctl", "env", "rm", name, "--confirm", name, "--force", "--break-lock", check=False)
    if NAME in state.names(Roots()):
        run("rancherctl", "lab", "down", "--name", NAME)


def demo() -> None:
    clear()
    try:
        count = HOSTS if FIRST else HOSTS + demo_federation.EXTRA_HOSTS
        timed(f"lab: {count} hosts up", lambda: run("rancherctl", "lab", "up", "--name", NAME, "--hosts", str(count)))
        timed("environment: created, all nodes Ready", create)
        show()
        if not FIRST:
            demo_federation.show(tools())
    except BaseException as error:
        if KEEP:
            print(f"\nThe demo failed and is kept for inspection. To remove it:\n  {REMOVAL}", flush=True)
        else:
            if isinstance(error, KeyboardInterrupt):
                print("\ndemo: interrupted: removing everything", flush=True)
            clear()
        raise
    if KEEP:
        print("\nThe demo keeps running. Try:\n  .venv/bin/rancherctl kubeconfig show demo")
        print("  .venv/bin/rancherctl kubectl --env demo get pods -A")
        print(f"To remove it:\n  {REMOVAL}")
    else:
        timed("everything removed", clear)


def terminated(*_: object) -> None:
    sys.exit("demo: terminated")


def main() -> None:
    if os.geteuid() != 0:
        sys.exit("demo: lab hosts need root")
    signal.signal(signal.SIGTERM, terminated)
    with exclusive(LOCK):
        began = time.monotonic()
        demo()
        print("\nHow long it took:")
        for title, seconds in timings:
            print(f"  {seconds:6.1f} s  {title}")
        print(f"  {time.monotonic() - began:6.1f} s  in all", flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
