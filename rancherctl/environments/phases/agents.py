"""The agent of every host with its roles' programs, and the controller on control-plane hosts.

All hosts at once, except for the restart of a unit that clients would notice: hosts follow one after another, and each
must serve again before the next one is changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rancherctl.environments import serving_health
from rancherctl.environments.host_roles import host_roles
from rancherctl.environments.phases.host_resources import HostResources
from rancherctl.environments.phases.one_by_one import await_health, one_by_one
from rancherctl.environments.plan import PhasePlan
from rancherctl.environments.run import EnvironmentRun
from rancherctl.hosts.model import Directory, File, Host, Unit, key
from rancherctl.hosts.plan import action
from rancherctl.role_spec import ServingUnit

SERVING_SECONDS: Final = 120.0
"""How long a host may take to serve again."""


@dataclass(frozen=True, slots=True)
class AgentResources(HostResources):
    """``serving_seconds``: how long a host whose load balancer restarts may take to serve again."""

    serving_seconds: float = SERVING_SECONDS

    def apply(self, run: EnvironmentRun, _plan: PhasePlan, /) -> None:
        """Apply on every host that the phase concerns; a host that an earlier phase changed is observed again."""
        hosts = tuple(host for host in run.hosts() if self.concerns(run, host))
        held = {host.name: found for host in hosts if (found := self._held(run, host))}
        run.each(self, hosts, lambda host: self.apply_to(run, host, without=held.get(host.name, frozenset())))
        self._roll(run, tuple(host for host in hosts if host.name in held and host.name not in run.failures))

    def _held(self, run: EnvironmentRun, host: Host) -> frozenset[str]:
        """Keys of what restarts the load balancer that runs on this host; none if it is not running, or stays."""
        serving = _serving(run, host)
        unit = key(Unit(serving.unit)) if serving else ""
        restarts = any(c.key == unit and action(c) == "restart" for c in run.plans[host.name][self.name])
        if serving is None or not restarts:
            return frozenset()
        return frozenset((unit, *(key(resource) for p in serving.paths for resource in (File(p, b""), Directory(p)))))

    def _roll(self, run: EnvironmentRun, hosts: tuple[Host, ...]) -> None:
        """Restart on one host after the other. If one does not serve again, the rest drops out unchanged."""
        one_by_one(
            run,
            self,
            hosts,
            lambda host: self._restart(run, host),
            lambda failed: f"load balancer left unchanged, because that on {failed.name} failed",
        )

    def _restart(self, run: EnvironmentRun, host: Host) -> None:
        spec = next(spec for spec in host_roles(run.environment, host) if spec.serving)
        before = serving_health.observe(run, host, spec)
        self.apply_to(run, host)
        await_health(
            lambda: serving_health.problem(run, host, spec, before),
            self.serving_seconds,
            what=f"{host.name}: its load balancer does not serve {self.serving_seconds:.0f} s after its restart",
            hint="those of the other hosts were not changed; `rancherctl env status` shows more",
        )


def _serving(run: EnvironmentRun, host: Host) -> ServingUnit | None:
    return next((spec.serving for spec in host_roles(run.environment, host) if spec.serving), None)


AGENTS: Final = AgentResources("agents", "network, DNS, load balancer and agent", critical=False)
