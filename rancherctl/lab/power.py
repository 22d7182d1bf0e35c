"""Power of single hosts: start one and know that it answers, take the power from some at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rancherctl.lab import access, cgroups, network, nspawn, process
from rancherctl.lab.machine import Cgroups, Machine
from rancherctl.lab.model import Lab, LabHost, machine_name
from rancherctl.lab.paths import LabPaths
from rancherctl.lab.steps import Steps

KILL_LIMIT = 60.0  # seconds
TIDY_LIMIT = 20.0  # seconds for nspawn to remove its own traces
ROUNDS = 10  # of killing; each finds at most what was just being forked in the one before


@dataclass(frozen=True, slots=True)
class Site:
    """Where a lab's hosts run: its files, the machine, and who hears of it."""

    paths: LabPaths
    machine: Machine
    steps: Steps


def on(lab: Lab, host: LabHost, tree: Path, site: Site) -> None:
    """Start the host; for a running one only reconnect its cable. It then answers ssh if its bastion does."""
    own = site.paths.host(host.name)
    leader = nspawn.leader_of(own)
    if leader is None:
        with site.steps.step("boot", host.name):
            off(lab.name, [host.name], site)
            nspawn.boot(lab, host, own, site.machine, tree)
            _check(lab, host, site)
        return
    network.set_host_link(lab, leader.pid, up=True)
    _check(lab, host, site)
    site.steps.skipped("running", host.name)


def _check(lab: Lab, host: LabHost, site: Site) -> None:
    if lab.bastion(host) is None:
        access.answers(site.paths, host)


def off(lab: str, hosts: Iterable[str], site: Site) -> None:
    """Take the power from hosts: their inits are killed, with them every process of theirs; nothing is flushed.

    nspawn gets a moment to tidy up after itself, then whatever is left in the hosts' control groups is killed, too.
    """
    names = list(hosts)
    folders = [site.paths.host(name) for name in names]
    supervisors = [found for own in folders if (found := nspawn.supervisor_of(own)) is not None]
    leaders = [leader for own in folders if (leader := nspawn.leader_of(own)) is not None]
    process.kill([leader.pid for leader in leaders], KILL_LIMIT)
    process.await_end([found.pid for found in supervisors], TIDY_LIMIT)
    for name in names:
        clear(site.machine.cgroups, lab, name)
        cgroups.remove(site.machine.cgroups, lab, name)
        nspawn.tidy(machine_name(lab, name))
        site.paths.host(name).run.unlink(missing_ok=True)


def clear(groups: Cgroups, lab: str, *host: str) -> None:
    """Kill all processes in the control groups of a host or lab, repeatedly: a list misses processes being forked."""
    for _ in range(ROUNDS):
        left = cgroups.processes(groups, lab, *host)
        if not left:
            return
        process.kill(left, KILL_LIMIT)
