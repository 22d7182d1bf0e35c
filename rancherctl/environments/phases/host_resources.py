"""A phase whose work is resources of hosts: files, units, packages of the host's design."""

from __future__ import annotations

import time
from collections.abc import Container

from rancherctl.change import Plan
from rancherctl.environments.phases.base import Phase
from rancherctl.environments.plan import PhasePlan, Step, resource_steps
from rancherctl.environments.run import EnvironmentRun
from rancherctl.events import Event
from rancherctl.hosts.apply import apply as apply_resources
from rancherctl.hosts.model import Host
from rancherctl.text import plural


class HostResources(Phase):
    """All hosts at once; each gets what its design lists for this phase."""

    def steps(self, run: EnvironmentRun) -> tuple[Step, ...]:
        """Changes of the hosts' resources, from the first observation."""
        found = {host.name: run.plans[host.name][self.name] for host in run.hosts()}
        return tuple(resource_steps({name: changes for name, changes in found.items() if changes}))

    def apply(self, run: EnvironmentRun, _plan: PhasePlan, /) -> None:
        """Apply on every host that the phase concerns; a host that an earlier phase changed is observed again."""
        hosts = tuple(host for host in run.hosts() if self.concerns(run, host))
        run.each(self, hosts, lambda host: self.apply_to(run, host))

    def concerns(self, run: EnvironmentRun, host: Host) -> bool:
        """Whether the host's design has anything for this phase."""
        return bool(run.observed.hosts[host.name].design[self.name])

    def apply_to(self, run: EnvironmentRun, host: Host, *, without: Container[str] = ()) -> None:
        """Apply the phase's changes on one host, if there are any, ``without`` those of resources with these keys."""
        changes = run.resource_plan(self.name, host)
        if without:
            changes = Plan(tuple(c for c in changes if c.key not in without), changes.unknown)
        if not changes:
            return
        began = time.monotonic()
        run.changed.add(host.name)
        self.prepare(run, host)
        design = run.observed.hosts[host.name].design[self.name]
        apply_resources(run.context.transport(host), changes, design, run.emit(self.name))
        text = f"{plural(len(changes), 'change')} made: {time.monotonic() - began:.1f} s"
        run.context.emit(Event(self.name, text, host.name, "done"))

    def prepare(self, run: EnvironmentRun, host: Host) -> None:
        """What must happen on a host before its first change of this phase; nothing by default."""
