"""Basis of lab tests: an environment created with the command line, and short ways to query its API and hosts."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from rancherctl.errors import RancherctlError
from rancherctl.lab import ops, state
from rancherctl.lab.paths import Roots
from rancherctl.lab.session import RunningLab
from rancherctl.lab.steps import Steps
from rancherctl.settings import load
from scripts.prepare import bundle_root

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".venv" / "bin"
GIVE_UP = 120.0
"""Seconds to wait for an expected state. The limit ends a hang and measures nothing: the machine may be busy."""

TRANSIENT = (
    *(AssertionError, OSError, LookupError, ValueError, RuntimeError),
    *(subprocess.SubprocessError, RancherctlError),
)
"""Errors that may occur before the expected state: a host boots, an API restarts, a file is half written."""


LABS = "RANCHERCTL_TEST_LABS"
"""Variable with the file where processes of a run note the names of their labs."""


def lab_name(prefix: str) -> str:
    """A lab name of up to 12 characters that is unique on this machine, also among leftovers of killed runs."""
    name = f"{prefix}{secrets.token_hex(3)}"
    if notes := os.environ.get(LABS):
        with Path(notes).open("a", encoding="utf-8") as file:
            file.write(f"{name}\n")
    return name


def remove_labs(notes: Path) -> None:
    """Remove the labs whose names begin with one of those in a file."""
    noted, roots = tuple(notes.read_text(encoding="utf-8").split()), Roots()
    for name in state.names(roots):
        if name.startswith(noted):
            ops.down(name, roots, Steps())


@cache
def bundle() -> Path:
    """The bundle that demo and tests use; created if it does not exist."""
    return bundle_root()


def kubectl_folder() -> Path:
    """The folder of the bundle's kubectl: the machine may have none, or an older one."""
    return next(bundle().glob("kubernetes/*/kubectl")).parent


class CommandError(AssertionError):
    """A command that must succeed has failed; the message contains all its output."""


@dataclass(frozen=True)
class Environment:
    """An environment on lab hosts.

    ``home`` contains its XDG folders and kubeconfig, ``programs`` the commands of the release that operates it.
    """

    name: str
    lab: RunningLab
    home: Path
    file: Path
    extra: dict[str, str] = field(default_factory=dict)
    programs: Path = BIN

    @property
    def variables(self) -> dict[str, str]:
        """The process environment of every command."""
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("RANCHERCTL_", "XDG_", "KUBE"))}
        xdg = {f"XDG_{k}_HOME": str(self.home / k.lower()) for k in ("CONFIG", "STATE", "DATA")}
        folder = str(load({}).cache or load({}).dirs.cache)
        own = {
            "HOME": str(self.home),
            "KUBECONFIG": str(self.home / "kubeconfig"),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "RANCHERCTL_CACHE_DIR": folder,
            "RANCHERCTL_BUNDLE": str(bundle()),
            "PATH": f"{self.programs}:{kubectl_folder()}:{keep.get('PATH', '')}",
            "CI": "true",
        }
        return keep | xdg | own | self.extra

    def rancherctl(
        self, *words: str, stdin: str = "", timeout: float = 600.0, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the command line; an exit code raises nothing."""
        argv = [str(self.programs / "rancherctl"), *words]
        return subprocess.run(
            argv,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=self.variables | variables,
            check=False,
        )

    def ok(self, *words: str, stdin: str = "", timeout: float = 600.0) -> str:
        """Run the command line and return its standard output; CommandError unless it exits with 0."""
        done = self.rancherctl(*words, stdin=stdin, timeout=timeout)
        if done.returncode:
            raise CommandError(
                f"rancherctl {' '.join(words)} exited with {done.returncode}\n{done.stdout}\n{done.stderr}"
            )
        return done.stdout

    def kubectl(self, *words: str, stdin: str = "", timeout: float = GIVE_UP) -> str:
        """Run the real kubectl with the kubeconfig that rancherctl wrote, and return its standard output."""
        argv = ["kubectl", "--context", self.name, *words]
        done = subprocess.run(
            argv, input=stdin, capture_output=True, text=True, timeout=timeout, env=self.variables, check=False
        )
        if done.returncode:
            raise CommandError(f"{' '.join(argv)} exited with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def get(self, *words: str) -> dict[str, Any]:
        """``kubectl get … -o json``."""
        found: dict[str, Any] = json.loads(self.kubectl("get", *words, "-o", "json"))
        return found

    def apply(self, *objects: dict[str, Any] | str) -> None:
        """Run ``kubectl apply`` for objects or YAML text."""
        text = "\n---\n".join(o if isinstance(o, str) else yaml.safe_dump(o) for o in objects)
        self.kubectl("apply", "-f", "-", stdin=text)

    def ssh(self, host: str, script: str, *, timeout: float = GIVE_UP) -> str:
        """Run a shell script on a host as root, and return its standard output."""
        return self.lab.ssh(host, script, timeout=timeout)

    def addresses(self, ingress: str, namespace: str = "default") -> list[str]:
        """The addresses in an Ingress's status."""
        status = self.get("ingress", ingress, "-n", namespace).get("status", {})
        return [e.get("ip") or e.get("hostname") for e in status.get("loadBalancer", {}).get("ingress", [])]

    def host_of(self, address: str) -> str:
        """The lab host with an address."""
        return next(h.name for h in self.lab.hosts() if h.address == address)


def curl(address: str, host: str, path: str = "/", *, timeout: float = 20.0, port: int = 80) -> tuple[int, str]:
    """(status, body) of one HTTP request to ``address`` with a Host header; status 0 = no response."""
    argv = [
        "curl",
        "-s",
        "-m",
        str(timeout),
        "-o",
        "-",
        "-w",
        "\n%{http_code}",
        "-H",
        f"Host: {host}",
        f"http://{address}:{port}{path}",
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout + 60, check=False)
    body, _, code = done.stdout.rpartition("\n")
    return int(code or 0), body


def until(what: str, condition: Callable[..., Any], *, timeout: float = GIVE_UP, pause: float = 0.1) -> Any:
    """Call ``condition`` until it returns a true value, and return that.

    AssertionError with the last value or error after ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    last: Any = None
    while True:
        try:
            last = condition()
            if last:
                return last
        except TRANSIENT as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout} s; last value: {last!r}")
        time.sleep(pause)


def environment_file(name: str, lab: RunningLab, *, roles: Sequence[Sequence[str]] = (), **spec: Any) -> str:
    """The environment file for a lab's hosts.

    The first host has etcd and the control plane, and all are workers, unless ``roles`` says otherwise.
    """
    hosts = []
    for index, reach in enumerate(lab.hosts()):
        default = ["etcd", "controlplane", "worker"] if index == 0 else ["worker"]
        ssh = {
            "user": "root",
            "identity": str(reach.key),
            "knownHosts": str(reach.known_hosts),
            "config": str(reach.ssh_config),
        }
        hosts.append(
            {
                "name": reach.name,
                "address": reach.address,
                "roles": list(roles[index]) if roles else default,
                "ssh": ssh,
            }
        )
    body = {
        "apiVersion": "rancherctl.io/v1alpha1",
        "kind": "Environment",
        "metadata": {"name": name},
        "spec": {"hosts": hosts} | spec,
    }
    return yaml.safe_dump(body, sort_keys=False)


def make(name: str, lab: RunningLab, home: Path, **kwargs: Any) -> Environment:
    """Write the environment file and return the environment; nothing is applied yet."""
    home.mkdir(parents=True, exist_ok=True)
    file = home / f"{name}.yaml"
    file.write_text(environment_file(name, lab, **kwargs), encoding="utf-8")
    return Environment(name, lab, home, file)


def all_hosts_take_part(env: Environment) -> bool:
    """Whether every Node is Ready and every host is alive in the roster."""
    nodes = env.get("nodes")["items"]
    ready = {
        n["metadata"]["name"]
        for n in nodes
        for c in n["status"]["conditions"]
        if c["type"] == "Ready" and c["status"] == "True"
    }
    roster = json.loads(env.get("configmap", "roster", "-n", "rancherctl-system")["data"]["roster"])
    alive = {h["name"] for h in roster["hosts"] if h["alive"]}
    hosts = {h.name for h in env.lab.hosts()}
    return ready == hosts and alive == hosts
