"""A lab for the length of a block, and a handle to use it from Python: what the tests stand on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rancherctl.events import Emit, ignore
from rancherctl.lab import access, command, ops, state, status
from rancherctl.lab.model import DEFAULT_NAME, Firewall, Lab, LabSpec, Os
from rancherctl.lab.packages import OPS_USER
from rancherctl.lab.paths import LabPaths, Roots
from rancherctl.lab.steps import Steps


@dataclass(frozen=True, slots=True)
class Reach:
    """How to log in to one host. ``root`` needs no password; ``ops`` has the same key, and sudo password ``ops``.

    ``via`` is the name of the host to jump through, "" where the machine reaches it itself.
    """

    name: str
    address: str
    key: Path
    known_hosts: Path
    ssh_config: Path
    via: str
    user: str = "root"
    sudo_user: str = OPS_USER
    sudo_password: str = OPS_USER


@dataclass(frozen=True, slots=True)
class RunningLab:
    """A lab that is up. Power and cable of its hosts as methods; each returns when it is done."""

    lab: Lab
    roots: Roots
    steps: Steps

    @property
    def paths(self) -> LabPaths:
        """The lab's files: key, known_hosts, ssh_config."""
        return self.roots.lab(self.lab.name)

    def host(self, name: str) -> Reach:
        """How to reach a host; NotFoundError for a name the lab has not."""
        host = self.lab.host(name)
        bastion = self.lab.bastion(host)
        paths = self.paths
        return Reach(
            name, str(host.address), paths.key, paths.known_hosts, paths.ssh_config, bastion.name if bastion else ""
        )

    def hosts(self) -> tuple[Reach, ...]:
        """All hosts, h1 first."""
        return tuple(self.host(host.name) for host in self.lab.hosts)

    def ssh(self, name: str, script: str, *, timeout: float = command.SHORT, stdin: str = "") -> str:
        """Run a shell script on a host as root and return its stdout; LabError on failure. ``timeout`` in seconds."""
        return command.run(access.ssh_argv(self.paths, self.lab.host(name), script), timeout=timeout, stdin=stdin)

    def status(self) -> tuple[status.LabHostStatus, ...]:
        """Rows of ``lab status``."""
        return status.lab_status(self.lab.name, self.roots)

    def stop(self, host: str) -> None:
        """Power off hard."""
        ops.stop(self.lab.name, host, self.roots, self.steps)

    def start(self, host: str) -> None:
        """Power on; returns when ssh answers."""
        ops.start(self.lab.name, host, self.roots, self.steps)

    def reboot(self, host: str) -> None:
        """Power cycle."""
        ops.reboot(self.lab.name, host, self.roots, self.steps)

    def cut(self, host: str) -> None:
        """Pull the network cable."""
        ops.cable(self.lab.name, host, self.roots, self.steps, plugged=False)

    def filter_pod_sources(self, wanted: bool) -> None:
        """Let the bridges drop packets with pod source addresses, or let them pass again."""
        ops.up(replace(self.lab.spec, filter_pod_sources=wanted), self.roots, self.steps)

    def heal(self, host: str) -> None:
        """Plug the cable in again."""
        ops.cable(self.lab.name, host, self.roots, self.steps, plugged=True)


def open_lab(name: str = DEFAULT_NAME, *, roots: Roots | None = None, emit: Emit = ignore) -> RunningLab:
    """A handle on a running lab; NotFoundError if it does not exist."""
    where = roots or Roots()
    return RunningLab(state.load(where, name)[0], where, Steps(emit))


@contextmanager
def running_lab(
    name: str,
    hosts: int,
    *,
    subnets: int = 1,
    bare: bool = False,
    os: Os = "debian13",
    firewall: Firewall | None = None,
    filter_pod_sources: bool = False,
    keep: bool = False,
    roots: Roots | None = None,
    emit: Emit = ignore,
) -> Iterator[RunningLab]:
    """A lab for the block, removed afterwards however the block ends. With ``keep`` it stays, and a rerun finds it."""
    where, steps = roots or Roots(), Steps(emit)
    try:
        lab = ops.up(LabSpec(name, hosts, subnets, bare, os, firewall, filter_pod_sources), where, steps)
        yield RunningLab(lab, where, steps)
    finally:
        if not keep:
            ops.down(name, where, steps)
