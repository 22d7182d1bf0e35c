"""Observe the resources and certificates of all hosts at once. What cannot be read is a failure of that host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rancherctl.bundle.distribution.offer import offers
from rancherctl.change import Plan
from rancherctl.environments import bundled_packages
from rancherctl.environments.components.machine import MachineFacts
from rancherctl.environments.context import Context
from rancherctl.environments.design import Design, design
from rancherctl.environments.model import Environment
from rancherctl.environments.phase_names import PhaseName
from rancherctl.environments.pki import hosts as pki
from rancherctl.environments.pki.wanted import CertificateFolder
from rancherctl.errors import RancherctlError
from rancherctl.events import busy
from rancherctl.hosts.fanout import each
from rancherctl.hosts.model import Host, Resource, key
from rancherctl.hosts.observe import observe as observe_resources
from rancherctl.hosts.plan import plan
from rancherctl.hosts.state import ObservedResources, ResourceState


@dataclass(frozen=True, slots=True)
class ObservedHost:
    """One host: what it should look like (``design``), what it has (``observed``), its certificates (``folder``).

    ``problems`` are reasons why the design cannot be applied, one line each.
    """

    host: Host
    machine: MachineFacts
    design: Design
    observed: ObservedResources
    folder: CertificateFolder
    problems: tuple[str, ...] = ()

    def plans(self) -> dict[PhaseName, Plan[ResourceState]]:
        """What each phase changes here. Planned as one: a unit is restarted for files that an earlier phase changes."""
        whole = plan(everything(self.design), self.observed)
        keys = {key(resource): name for name, part in self.design.items() for resource in part}
        return {name: Plan(tuple(c for c in whole if keys[c.key] == name), whole.unknown) for name in self.design}


@dataclass(frozen=True, slots=True)
class ObservedHosts:
    """All hosts that answered, by name, and one error for each that did not."""

    hosts: Mapping[str, ObservedHost]
    failures: Mapping[str, RancherctlError] = field(default_factory=dict)


def observe(environment: Environment, context: Context, machines: Mapping[str, MachineFacts]) -> ObservedHosts:
    """Observe the hosts called in ``machines``: two round trips each, one more if packages come from the bundle."""
    offered = offers(context.bundle)

    def observe_host(host: Host) -> ObservedHost:
        machine = machines[host.name]
        wanted = design(environment, host, machine, context.bundle, context.extras)
        with busy(context.emit, "look", "comparing with the file", host.name):
            transport = context.transport(host)
            observed = observe_resources(transport, everything(wanted))
            problems: tuple[str, ...] = ()
            if machine.system in offered:
                chosen = bundled_packages.choose(transport, offered[machine.system], wanted["packages"], observed)
                wanted, problems = {**wanted, "packages": chosen.resources}, chosen.problems
                observed = replace(observed, states={**observed.states, **chosen.replaced})
            return ObservedHost(host, machine, wanted, observed, pki.observe(transport, environment, host), problems)

    hosts = tuple(h for h in environment.hosts if h.name in machines)
    outcomes = each(hosts, observe_host, context.parallel, interrupted=context.observing_interrupted)
    failures = {name: o.error for name, o in outcomes.items() if o.error is not None}
    return ObservedHosts({name: o.get() for name, o in outcomes.items() if o.ok}, failures)


def everything(wanted: Design) -> tuple[Resource, ...]:
    """The resources of all phases."""
    return tuple(resource for part in wanted.values() for resource in part)
