"""What can be done with labs: up, down, and power and cable of a single host. Each is idempotent and takes the lab's lock."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rancherctl.errors import NotFoundError, PartialError, RancherctlError
from rancherctl.lab import access, cgroups, machine, network, nspawn, process, state
from rancherctl.lab.clone import clone
from rancherctl.lab.command import LabError
from rancherctl.lab.machine import Machine
from rancherctl.lab.model import Lab, LabHost, LabSpec, check_name, free_networks, grown
from rancherctl.lab.paths import LabPaths, Roots
from rancherctl.lab.steps import Steps
from rancherctl.lab.tree import locked, tree

KILL_LIMIT = 20.0
AT_ONCE = 8  # hosts booted in parallel


def up(spec: LabSpec, roots: Roots, steps: Steps, mirror: str = "") -> Lab:
    """Make the lab true: tree, wires, clones, running hosts that answer ssh. What is there is left alone; stopped hosts are started.

    ConflictError where a lab of that name differs, PartialError where single hosts failed.
    """
    facts = machine.inspect()
    paths = roots.lab(spec.name)
    with locked(paths.lock):
        root = tree(roots, spec.os, spec.variant, steps, mirror)
        lab, root = _claim(spec, roots, root)
        if network.exists(lab):
            steps.skipped(f"network {', '.join(map(str, lab.networks))}")
        else:
            with steps.step(f"network {', '.join(map(str, lab.networks))}"):
                _kill_all(facts, lab)
                network.build(lab)
        access.make_key(paths)
        with steps.step(f"files of {len(lab.hosts)} hosts"):
            _each(lab.hosts, lambda host: clone(lab, host, paths, root), "files")
            access.write(lab, paths)
        _each(lab.hosts, lambda host: _start(lab, host, root, Site(paths, facts, steps)), "boot")
    return lab


def _claim(spec: LabSpec, roots: Roots, root: Path) -> tuple[Lab, Path]:
    """Give the lab its subnets and remember it; an existing one keeps its subnets and its tree."""
    with locked(roots.lock):
        try:
            have, root = state.load(roots, spec.name)
        except NotFoundError:
            taken = state.taken_networks(roots) | network.machine_networks()
            lab = Lab(spec, free_networks(spec.subnets, taken))
        else:
            lab = grown(have, spec)
        state.save(roots, lab, root)
    return lab, root


def _each(hosts: Sequence[LabHost], action: Callable[[LabHost], object], what: str) -> None:
    """Run ``action`` for all hosts in parallel; PartialError with every failure where one failed, its own error where all that ran was one."""
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        futures = [(host, pool.submit(action, host)) for host in hosts]
    failures: dict[str, RancherctlError] = {}
    for host, future in futures:
        error = future.exception()
        if isinstance(error, RancherctlError):
            failures[host.name] = error
        elif error is not None:
            raise error
    if failures and len(hosts) == 1:
        raise failures[hosts[0].name]
    if failures:
        first = next(iter(failures.values()))
        raise PartialError(f"{what} of {len(failures)} of {len(hosts)} hosts failed", {k: str(v) for k, v in failures.items()}, hint=first.hint)


@dataclass(frozen=True, slots=True)
class Site:
    """Where a lab's hosts are started: its files, the machine, and who hears of it."""

    paths: LabPaths
    facts: Machine
    steps: Steps


def _start(lab: Lab, host: LabHost, root: Path, site: Site) -> None:
    own = site.paths.host(host.name)
    if nspawn.supervisor_of(own) is not None:
        site.steps.skipped("running", host.name)
        return
    with site.steps.step("boot", host.name):
        _kill_host(site.facts, lab.name, host.name)
        nspawn.boot(lab, host, own, site.facts, root)
        if lab.bastion(host) is None:  # the others answer through their bastion, which may still be booting
            access.answers(site.paths, host)


def _kill_host(facts: Machine, lab: str, host: str) -> None:
    """Power off hard: kill whatever runs in the host's control groups, and remove these."""
    process.kill(cgroups.processes(facts.cgroups, lab, host), KILL_LIMIT)
    cgroups.remove(facts.cgroups, lab, host)


def _kill_all(facts: Machine, lab: Lab) -> None:
    """Kill the hosts of a lab whose wires are gone: they must be plugged in anew."""
    for host in lab.hosts:
        _kill_host(facts, lab.name, host.name)


def start(name: str, host: str, roots: Roots, steps: Steps) -> None:
    """Power a host on, with the disk it had; a running one is left alone."""
    facts = machine.inspect()
    paths = roots.lab(name)
    with locked(paths.lock):
        lab, root = state.load(roots, name)
        _start(lab, lab.host(host), root, Site(paths, facts, steps))


def stop(name: str, host: str, roots: Roots, steps: Steps) -> None:
    """Power a host off hard: SIGKILL, nothing is flushed or said goodbye to. A stopped one is left alone."""
    facts = machine.inspect()
    paths = roots.lab(name)
    with locked(paths.lock):
        found = state.load(roots, name)[0].host(host)
        with steps.step("power off", host):
            _kill_host(facts, name, found.name)
            paths.host(host).run.unlink(missing_ok=True)


def reboot(name: str, host: str, roots: Roots, steps: Steps) -> None:
    """Power cycle: ``stop`` and ``start``."""
    stop(name, host, roots, steps)
    start(name, host, roots, steps)


def cable(name: str, host: str, roots: Roots, steps: Steps, *, plugged: bool) -> None:
    """Pull a running host's network cable, or plug it in again (a start plugs it in, too). LabError for a stopped host."""
    machine.inspect()
    paths = roots.lab(name)
    with locked(paths.lock):
        lab = state.load(roots, name)[0]
        leader = nspawn.leader_of(paths.host(lab.host(host).name))
        if leader is None:
            raise LabError(f"host {host} of lab {name} is not running", hint=f"rancherctl lab host start {host} --name {name}")
        with steps.step("cable in" if plugged else "cable out", host):
            network.set_host_link(lab, leader.pid, plugged)


def down(name: str, roots: Roots, steps: Steps) -> bool:
    """Remove everything of a lab, however broken: processes, control groups, wires, files. False where there was nothing."""
    facts = machine.inspect()
    paths = roots.lab(check_name(name))
    with locked(paths.lock):
        try:
            lab: Lab | None = state.load(roots, name)[0]
        except (LabError, NotFoundError):
            lab = None
        existed = paths.root.exists()
        with steps.step(f"remove lab {name}"):
            process.kill(cgroups.processes(facts.cgroups, name), KILL_LIMIT)
            cgroups.remove(facts.cgroups, name)
            network.remove(f"rancherctl-lab-{name}", lab.machine_link if lab else "")
            if existed:
                shutil.rmtree(paths.root)
    return existed
