"""Rules of hosts' firewalls that accept the other hosts and pods: added first, removed after the agents.

An agent restores rules that vanish, as long as its configuration says so: they are removed once it has a new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rancherctl.environments.phases.base import Phase
from rancherctl.environments.plan import PhasePlan, Step
from rancherctl.environments.run import EnvironmentRun
from rancherctl.events import Event
from rancherctl.hosts import firewall_rules
from rancherctl.hosts.fanout import each
from rancherctl.hosts.firewall import RuleChange
from rancherctl.hosts.model import Host
from rancherctl.text import plural

_VERBS: Final = {"create": "create", "delete": "remove"}


@dataclass(frozen=True, slots=True)
class FirewallRules(Phase):
    """``opens``: whether this phase is the one that accepts hosts and pods, or the one that removes the rules."""

    opens: bool = True

    def steps(self, run: EnvironmentRun) -> tuple[Step, ...]:
        """The rules that hosts lack, or have too many; hosts are read only if the environment uses such rules."""
        return tuple(
            Step(host, "firewall rule", _VERBS[change.verb], change.name)
            for host, changes in self._changes(run).items()
            for change in changes
        )

    def apply(self, run: EnvironmentRun, _plan: PhasePlan, /) -> None:
        """Read the firewalls again, and run the commands."""
        wanted = self._changes(run)

        def work(host: Host) -> None:
            run.changed.add(host.name)
            firewall_rules.apply(run.context.transport(host), wanted[host.name])
            text = f"firewall rules: {plural(len(wanted[host.name]), 'change')} made"
            run.context.emit(Event(self.name, text, host.name, "done"))

        run.each(self, tuple(host for host in run.hosts() if host.name in wanted), work)

    def _changes(self, run: EnvironmentRun) -> Mapping[str, tuple[RuleChange, ...]]:
        network = run.environment.network
        if self.opens != network.open_firewall:
            return {}
        stored = run.read_stored()
        if not self.opens and not (stored and stored.network.open_firewall):
            return {}
        addresses = [host.address for host in run.environment.hosts] if self.opens else []
        pod_cidr = network.pod_cidr if self.opens else ""
        found = each(
            run.hosts(),
            lambda host: firewall_rules.plan(firewall_rules.read(run.context.transport(host)), addresses, pod_cidr),
            run.context.parallel,
        )
        changes = {name: outcome.get() for name, outcome in found.items()}
        return {name: changes[name] for name in sorted(changes) if changes[name]}


OPEN_FIREWALL: Final = FirewallRules("firewall", "firewall rules that accept hosts and pods")
CLOSE_FIREWALL: Final = FirewallRules("firewall-close", "firewall rules that are no longer wanted", opens=False)
