"""Change control-plane members one at a time, so that etcd keeps its quorum and an API server always answers.

Each member is checked before the next one is changed. Members of a group that does not serve yet are changed together:
there is nothing to keep up, and the members of a new etcd cluster only become healthy together.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from rancherctl.environments import member_health
from rancherctl.environments.components import places
from rancherctl.environments.model import Environment
from rancherctl.environments.phases.host_resources import HostResources
from rancherctl.environments.phases.one_by_one import await_health, one_by_one
from rancherctl.environments.plan import PhasePlan
from rancherctl.environments.run import EnvironmentRun
from rancherctl.errors import RefusedError
from rancherctl.hosts.model import Host, Role, Unit, key

HEALTHY_SECONDS: Final = 120.0
"""How long a changed member may take to become healthy."""


@dataclass(frozen=True, slots=True)
class Members:
    """One member on each host with ``role``. ``unit``: its unit. ``health``: its health URL on its own host."""

    role: Role
    unit: str
    health: Callable[[Environment], str]
    ca: str = ""
    """Path of the authority that an https URL is verified with."""
    needed: Callable[[int], int] = lambda _total: 1
    """How many of ``total`` members must serve at any time."""

    def problem(self, run: EnvironmentRun, host: Host) -> str:
        """Why the member on ``host`` is not healthy, "" if it is."""
        if host.name in run.failures:
            return run.failures[host.name].what
        return member_health.problem(run.context.transport(host), self.health(run.environment), self.ca)

    def was_active(self, run: EnvironmentRun, host: Host) -> bool:
        """Whether the member's unit was running when the host was observed."""
        state = run.observed.hosts[host.name].observed.states.get(key(Unit(places.unit(self.unit))))
        return state is not None and state.get("active") == "yes"


@dataclass(frozen=True, slots=True)
class RollingResources(HostResources):
    """Host resources with members among the hosts: members one at a time, all other hosts at once."""

    rolling: ClassVar[bool] = True
    members: Members = field(kw_only=True)
    healthy_seconds: float = HEALTHY_SECONDS

    def apply(self, run: EnvironmentRun, plan: PhasePlan, /) -> None:
        """Apply on every host that the phase concerns."""
        group = run.environment.with_role(self.members.role)
        present = tuple(host for host in run.hosts() if host in group)
        active = frozenset(host.name for host in present if self.members.was_active(run, host))
        if len(group) == 1 or len(active) < self.members.needed(len(group)):
            HostResources.apply(self, run, plan)
            return
        # members that do not run come first: changing them takes nothing away
        self._roll(run, sorted(present, key=lambda host: host.name in active), active)
        others = tuple(host for host in run.hosts() if host not in group and self.concerns(run, host))
        run.each(self, others, lambda host: self.apply_to(run, host))

    def _roll(self, run: EnvironmentRun, hosts: Sequence[Host], active: Container[str]) -> None:
        """Change one member after the other. If one fails, the rest drops out unchanged."""

        def work(host: Host) -> None:
            if run.resource_plan(self.name, host):
                if host.name in active:
                    self._refuse_loss(run, host)
                self.apply_to(run, host)
                self._wait_until_healthy(run, host)

        unit = self.members.unit
        one_by_one(run, self, hosts, work, lambda failed: f"left unchanged, because {unit} on {failed.name} failed")

    def _wait_until_healthy(self, run: EnvironmentRun, host: Host) -> None:
        unit = places.unit(self.members.unit)
        await_health(
            lambda: self.members.problem(run, host),
            self.healthy_seconds,
            what=f"{host.name}: {self.members.unit} is not healthy {self.healthy_seconds:.0f} s after its change",
            hint=f"the other members were not changed; journalctl -n 50 -u {unit} on the host shows more",
        )

    def _refuse_loss(self, run: EnvironmentRun, host: Host) -> None:
        """RefusedError if too few other members are healthy to serve without this one.

        Of two etcd members each is needed, so there both may be changed.
        """
        others = [h for h in run.environment.with_role(self.members.role) if h is not host]
        needed = self.members.needed(len(others) + 1)
        if needed > len(others):
            return
        problems = {h.name: problem for h in others if (problem := self.members.problem(run, h))}
        healthy = len(others) - len(problems)
        if healthy < needed:
            raise RefusedError(
                f"{host.name}: {self.members.unit} is not changed, because {healthy} of {len(others)} other members"
                f" are healthy and {needed} must serve meanwhile",
                why="; ".join(f"{name}: {problem}" for name, problem in problems.items()),
                hint="bring these members back first, then run the same command again",
            )
