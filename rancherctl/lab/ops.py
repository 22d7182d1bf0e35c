"""Operations on labs: up, down, power and cable of single hosts. Each is idempotent and holds the lab's lock."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from pathlib import Path

from rancherctl.errors import NotFoundError, PartialError, RancherctlError
from rancherctl.lab import access, cgroups, firewalls, inotify, machine, network, nspawn, power, state
from rancherctl.lab.clone import clone
from rancherctl.lab.command import LabError
from rancherctl.lab.machine import Machine
from rancherctl.lab.model import Lab, LabHost, LabSpec, free_networks, grown, netns_of
from rancherctl.lab.paths import LabPaths, Roots
from rancherctl.lab.power import Site
from rancherctl.lab.steps import Steps
from rancherctl.lab.tree import locked, tree

AT_ONCE = 8  # hosts handled in parallel


def up(spec: LabSpec, roots: Roots, steps: Steps, mirror: str = "") -> Lab:
    """Bring the lab up: tree, network, clones, running hosts that answer ssh. Keeps what exists; starts stopped hosts.

    ConflictError where a lab of that name differs, PartialError where single hosts failed.
    """
    facts = machine.inspect()
    paths = roots.lab(spec.name)
    site = Site(paths, facts, steps)
    with _held(paths, steps):
        lab, root = _claim(spec, roots, steps, facts, mirror)
        _wire(lab, site)
        _filter(lab, steps)
        access.make_key(paths)
        with steps.step(f"files of {len(lab.hosts)} hosts"):
            _each(lab.hosts, lambda host: clone(lab, host, paths, root), "files")
            access.write(lab, paths)
        _each(lab.hosts, lambda host: power.on(lab, host, root, site), "boot")
        behind = [host for host in lab.hosts if lab.bastion(host) is not None]
        _each(behind, lambda host: access.answers(paths, host), "ssh")
        _firewalls(lab, site)
        if short := inotify.shortage(inotify.limit(), inotify.in_use(), len(lab.hosts)):
            steps.warn(short)
    return lab


def _claim(spec: LabSpec, roots: Roots, steps: Steps, facts: Machine, mirror: str) -> tuple[Lab, Path]:
    """Give the lab its subnets and remember it; an existing one keeps its subnets and its tree."""
    try:
        have, root = state.load(roots, spec.name)
    except NotFoundError:
        root = tree(roots, spec.os, spec.variant, steps, mirror)
        with locked(roots.lock):
            lab = Lab(spec, free_networks(spec.subnets, state.taken_networks(roots) | network.machine_networks()))
            state.save(roots, lab, root)
            cgroups.create(facts.cgroups, lab.name)
    else:
        if not root.is_dir():
            raise LabError(
                f"the root tree of lab {spec.name} is gone",
                why=str(root),
                hint=f"rancherctl lab down --name {spec.name}",
            )
        lab = grown(have, spec)
        with locked(roots.lock):
            state.save(roots, lab, root)
            cgroups.create(facts.cgroups, lab.name)  # gone after a reboot of the machine
    return lab, root


def _wire(lab: Lab, site: Site) -> None:
    what = f"network {', '.join(map(str, lab.networks))}"
    if network.exists(lab):
        site.steps.skipped(what)
        return
    with site.steps.step(what):
        power.off(lab.name, (host.name for host in lab.hosts), site)  # they hang on wires that are gone
        network.build(lab)


def _filter(lab: Lab, steps: Steps) -> None:
    wanted = lab.spec.filter_pod_sources
    if network.filters_pod_sources(lab) != wanted:
        with steps.step(f"bridges {'drop' if wanted else 'pass'} pod source addresses"):
            network.filter_pod_sources(lab, wanted)


def _firewalls(lab: Lab, site: Site) -> None:
    """Install the hosts' firewalls, those of the first subnet first: ssh to the others goes through them."""
    firewall = lab.spec.firewall
    if firewall is None:
        return
    text = firewalls.script(firewall, lab.networks)
    with site.steps.step(f"{firewall} on {len(lab.hosts)} hosts"):
        for subnet in range(len(lab.networks)):
            hosts = [host for host in lab.hosts if host.subnet == subnet]
            _each(hosts, lambda host: access.script(site.paths, host, text), firewall)


def _each(hosts: Sequence[LabHost], action: Callable[[LabHost], object], what: str) -> None:
    """Run ``action`` for all hosts in parallel. Raises the error of a single host unchanged, else PartialError."""
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        futures = [(host, pool.submit(action, host)) for host in hosts]
        try:
            wait([future for _, future in futures])
        except BaseException:  # Ctrl-C: what has not begun never begins
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    failures: dict[str, RancherctlError] = {}
    for host, future in futures:
        error = future.exception()
        if isinstance(error, RancherctlError):
            failures[host.name] = error
        elif isinstance(error, OSError):
            failures[host.name] = LabError(
                f"{what} of {host.name} failed", why=str(error), hint="is there room on the machine's disk?"
            )
        elif error is not None:
            raise error
    if failures and len(hosts) == 1:
        raise failures[hosts[0].name]
    if failures:
        first = next(iter(failures.values()))
        raise PartialError(
            f"{what} of {len(failures)} of {len(hosts)} hosts failed",
            {k: str(v) for k, v in failures.items()},
            hint=first.hint,
        )


def start(name: str, host: str, roots: Roots, steps: Steps) -> None:
    """Power a host on, with the disk it had; a running one is left alone."""
    site = Site(roots.lab(name), machine.inspect(), steps)
    with _held(site.paths, steps):
        lab, root = state.load(roots, name)
        if not network.exists(lab):
            why, hint = "the machine was booted since, or an `up` was interrupted", f"rancherctl lab up --name {name}"
            raise LabError(f"lab {name} has no network to plug {host} into", why=why, hint=hint)
        power.on(lab, lab.host(host), root, site)


def stop(name: str, host: str, roots: Roots, steps: Steps) -> None:
    """Power a host off hard: nothing is flushed or said goodbye to. A stopped one is left alone."""
    site = Site(roots.lab(name), machine.inspect(), steps)
    with _held(site.paths, steps):
        found = state.load(roots, name)[0].host(host)
        with steps.step("power off", host):
            power.off(name, [found.name], site)


def reboot(name: str, host: str, roots: Roots, steps: Steps) -> None:
    """Power cycle: ``stop`` and ``start``."""
    stop(name, host, roots, steps)
    start(name, host, roots, steps)


def cable(name: str, host: str, roots: Roots, steps: Steps, *, plugged: bool) -> None:
    """Disconnect a running host's network cable, or reconnect it (a start does, too). LabError if stopped."""
    machine.require_root()
    paths = roots.lab(name)
    with _held(paths, steps):
        lab = state.load(roots, name)[0]
        leader = nspawn.leader_of(paths.host(lab.host(host).name))
        if leader is None:
            raise LabError(
                f"host {host} of lab {name} is not running", hint=f"rancherctl lab host start {host} --name {name}"
            )
        with steps.step("cable in" if plugged else "cable out", host):
            network.set_host_link(lab, leader.pid, plugged)


def down(name: str, roots: Roots, steps: Steps) -> bool:
    """Remove everything of a lab, even a broken one: processes, groups, network, files. False if none existed."""
    site = Site(roots.lab(name), machine.inspect(), steps)
    root = site.paths.root
    with _held(site.paths, steps):
        existed = root.exists()
        with steps.step(f"remove lab {name}"):
            hosts = [entry.name for entry in site.paths.hosts.iterdir()] if site.paths.hosts.is_dir() else []
            power.off(name, hosts, site)
            power.clear(site.machine.cgroups, name)
            network.remove(netns_of(name), _machine_link(name, roots))
            if existed:
                _remove_files(site.paths)
            with locked(roots.lock):
                cgroups.remove(site.machine.cgroups, name)
                cgroups.remove_top(site.machine.cgroups)
    return existed


def _remove_files(paths: LabPaths) -> None:
    """Removes completion markers first, the lab's description last: if this is killed, `up` rebuilds what is left."""
    for mark in paths.hosts.glob(f"*/{paths.host('any').ready.name}"):
        mark.unlink()
    for entry in paths.root.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry != paths.state:
            entry.unlink()
    shutil.rmtree(paths.root)


def _held(paths: LabPaths, steps: Steps) -> AbstractContextManager[None]:
    return locked(paths.lock, lambda: steps.waiting(f"lab {paths.root.name}"))


def _machine_link(name: str, roots: Roots) -> str:
    """The machine's link of a lab, "" where the lab's file is missing or broken."""
    try:
        return state.load(roots, name)[0].machine_link
    except (LabError, NotFoundError):
        return ""
