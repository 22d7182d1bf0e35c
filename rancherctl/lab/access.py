"""ssh into a lab: its key, known_hosts, ssh_config, and the check that a host answers."""

from __future__ import annotations

from pathlib import Path

from rancherctl.lab.clone import keypair
from rancherctl.lab.command import run
from rancherctl.lab.model import Lab, LabHost
from rancherctl.lab.paths import LabPaths

SSH_LIMIT = 120.0  # seconds
SCRIPT_LIMIT = 300.0  # seconds; packages are installed on many hosts at once
ATTEMPTS = 60  # a second apart


def ssh_config(lab: Lab, paths: LabPaths) -> str:
    """Text for ``ssh -F``: every host by name; hosts of the second subnet through the first host."""
    blocks: list[str] = []
    for host in lab.hosts:
        bastion = lab.bastion(host)
        lines = [f"Host {host.name} {host.address}", f"  HostName {host.address}"]
        if bastion is not None:
            lines.append(f"  ProxyJump {bastion.name}")
        blocks.append("\n".join(lines))
    blocks.append(
        "\n".join((
            "Host *", "  User root", f"  IdentityFile {paths.key}", "  IdentitiesOnly yes",
            f"  UserKnownHostsFile {paths.known_hosts}",
            "  GlobalKnownHostsFile /dev/null", "  StrictHostKeyChecking yes", "  ConnectTimeout 10",
            "  LogLevel ERROR",
        ))
    )  # fmt: skip
    return "\n\n".join(blocks) + "\n"


def known_hosts(lab: Lab, keys: dict[str, str]) -> str:
    """Text of known_hosts; ``keys`` maps host names to their public keys (``ssh-ed25519 AAAA… comment``)."""
    return "".join(f"{host.name},{host.address} {' '.join(keys[host.name].split()[:2])}\n" for host in lab.hosts)


def make_key(paths: LabPaths) -> None:
    """Make the lab's own key pair where there is none."""
    paths.root.mkdir(parents=True, exist_ok=True)
    keypair(paths.key, "rancherctl-lab")


def write(lab: Lab, paths: LabPaths) -> None:
    """Write known_hosts and ssh_config for the hosts that are cloned."""
    public = {host.name: paths.host(host.name).keys / "ssh_host_ed25519_key.pub" for host in lab.hosts}
    keys = {name: file.read_text(encoding="ascii") for name, file in public.items()}
    replace(paths.known_hosts, known_hosts(lab, keys))
    replace(paths.ssh_config, ssh_config(lab, paths))


def replace(path: Path, text: str) -> None:
    """Write a file by rename: readers see the old or the new one."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def ssh_argv(paths: LabPaths, host: LabHost, *command: str) -> list[str]:
    """The ssh command line to a host."""
    return ["ssh", "-F", str(paths.ssh_config), host.name, *command]


def script(paths: LabPaths, host: LabHost, text: str, timeout: float = SCRIPT_LIMIT) -> None:
    """Run a shell script on a host as root; LabError with its last line on failure."""
    run(ssh_argv(paths, host, "sh", "-s"), timeout=timeout, stdin=text, name=f"a script on {host.name}")


def answers(paths: LabPaths, host: LabHost, timeout: float = SSH_LIMIT) -> None:
    """Log in once; LabError or TimeoutExceededError on failure. Refused connections are retried each second."""
    run(
        [
            "ssh",
            "-F",
            str(paths.ssh_config),
            "-o",
            "BatchMode=yes",
            "-o",
            f"ConnectionAttempts={ATTEMPTS}",
            host.name,
            "true",
        ],
        timeout=timeout,
    )
