"""A home with an environment, every command with words, and the surroundings in which people and CI run them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rancherctl.credentials.registry import Access, Registry

CLI = "import sys; from rancherctl.cli.app import main; sys.exit(main(sys.argv[1:]))"
WORDS: dict[str, str] = {
    "env create": "new --host root@10.0.0.11 --ssh-config SSH --bundle /proc/none",
    "env apply": "demo --dry-run --bundle /proc/none",
    "env plan": "demo --bundle /proc/none",
    "env rm": "demo --dry-run",
    "env ls": "",
    "env show": "demo",
    "env status": "demo",
    "env fetch": "root@10.0.0.11 --ssh-config SSH",
    "env use": "demo",
    "env label": "demo env=prod --no-wait",
    "env host-drain": "h1 --no-wait",
    "env host-undrain": "h1",
    "bundle create": "--source /proc/none",
    "bundle verify": "/proc/none",
    "bundle versions": "",
    "ingress ls": "",
    "ingress show": "web",
    "ingress scale": "web 2",
    "ingress status": "web",
    "ingress plan": "web",
    "ingress certs": "",
    "service ls": "",
    "service show": "web",
    "service scale": "web 2",
    "service status": "web",
    "service plan": "web",
    "dns lookup": "web",
    "dns explain": "web",
    "dns ls": "",
    "dns status": "",
    "dns verify": "",
    "manifests apply": "shop -f -",
    "manifests rm": "shop --confirm shop",
    "kubeconfig merge": "demo",
    "kubeconfig show": "demo",
    "kubeconfig rm": "demo",
    "kubectl": "config view",
    "federation create": "new --host root@10.0.0.11 --zone acme.example --provider none --ssh-config SSH"
    " --bundle /proc/none",
    "federation join": "acme --env demo",
    "federation leave": "frankfurt --services keep",
    "federation ls": "",
    "federation status": "",
    "federation services": "",
    "federation drain": "frankfurt",
    "federation undrain": "frankfurt",
    "federation sync": "frankfurt",
    "federation dns ls": "",
    "federation dns diff": "",
    "federation dns adopt": "www.acme.example",
    "federation dns verify": "",
    "lab up": "--hosts 0",
    "lab status": "",
    "lab down": "--name none",
    "lab ssh": "--name none h1 true",
    "lab host stop": "h1 --name none",
    "lab host start": "h1 --name none",
    "lab host cut": "h1 --name none",
    "lab host heal": "h1 --name none",
    "completion": "zsh",
    "version": "",
    "help": "files",
}
"""Command → words that lead as far as one gets without hosts: nothing listens at the API and at ssh."""
PRINTS = {"env ls", "env show", "env status", "bundle versions", "kubeconfig show", "completion", "version", "help"}
"""Those that write to standard output then."""
ENVIRONMENT = """apiVersion: rancherctl.io/v1alpha1
kind: Environment
metadata: {name: demo}
spec:
  kubernetes: {version: 1.36.3}
  api: {address: 127.0.0.1, port: 1}
  ssh: {user: ops, config: SSH}
  hosts:
  - {name: h1, address: 10.0.0.11, roles: [etcd, controlplane, worker]}
"""
STRANGER = ("unshare", "--user", "--map-user=12345", "--map-group=12345")
MOUNTS = ("unshare", "--mount", "--map-root-user", "sh", "-c")
Start = tuple[tuple[str, ...], dict[str, str], str]
"""A command that runs the program, variables, and redirections in bash."""


def signed_in_home(tmp_path: Path) -> Path:
    """A home with an environment that is signed in, and whose hosts are down."""
    folder = tmp_path / "home"
    environments = folder / ".config" / "rancherctl" / "environments"
    environments.mkdir(parents=True)
    ssh = tmp_path / "ssh_config"
    ssh.write_text("Host *\n  HostName 127.0.0.1\n  Port 1\n")
    (environments / "demo.yaml").write_text(ENVIRONMENT.replace("SSH", str(ssh)))
    Registry(environments).save(Access("demo", "https://127.0.0.1:1", "", "ann", "s1", issue=(("false",),)))
    return folder


def run(name: str, home: Path, start: Start) -> subprocess.CompletedProcess[str]:
    before, environ, redirected = start
    if before and subprocess.run([*before[:3], "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs user namespaces")
    words = [*name.split(), *WORDS[name].replace("SSH", str(home.parent / "ssh_config")).split()]
    argv = [*before, "bash", "-c", f'"$@" {redirected}', "bash", sys.executable, "-c", CLI, *words]
    variables = {"PATH": "/usr/bin:/bin", "CI": "true", "HOME": str(home), **environ}
    return subprocess.run(
        argv,
        env={k: v for k, v in variables.items() if v != "unset"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def plain_terminal(_home: Path) -> Start:
    """The poorest terminal."""
    poor = {"LANG": "C", "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "20"}
    return (), poor, ""


def closed_output(_home: Path) -> Start:
    return (), {"COLUMNS": "x"}, ">&- <&-"


def broken_pipe(_home: Path) -> Start:
    """The reader has gone before the first byte."""
    return (), {"COLUMNS": "1"}, '| { exec <&-; }; exit "${PIPESTATUS[0]}"'


def no_streams(_home: Path) -> Start:
    return (), {}, "<&- >&- 2>&-"


def full_streams(_home: Path) -> Start:
    return (), {}, ">/dev/full 2>/dev/full"


def no_home(_home: Path) -> Start:
    return STRANGER, {"HOME": "unset"}, ""


def read_only_home(home: Path) -> Start:
    script = f'mount --bind "{home}" "{home}" && mount -o remount,bind,ro "{home}" && exec "$@"'
    return (*MOUNTS, script, "sh"), {}, ""


def full_home(home: Path) -> Start:
    script = f"""cp -a "{home}" "{home}.copy"; mount -t tmpfs -o size=64k none "{home}"; cp -a "{home}.copy/." "{home}"
dd if=/dev/zero of="{home}/fill" bs=1k 2>/dev/null; exec "$@" """
    return (*MOUNTS, script, "sh"), {}, ""


def closed_folders(home: Path) -> Start:
    """Cache and state belong to another user."""
    for folder in (home / ".cache/rancherctl", home / ".local/state/rancherctl"):
        folder.mkdir(parents=True)
        folder.chmod(0)
    return STRANGER, {}, ""


def closed_configuration(home: Path) -> Start:
    (home / ".config/rancherctl").chmod(0)
    return STRANGER, {}, ""
