"""Objects and rules that are no longer needed: removed last, and only once no host runs the agent of another release.

The objects phase only adds rights, so that agents of the last release keep working until they are replaced.
"""

from __future__ import annotations

from typing import Final

from rancherctl.change import Plan
from rancherctl.environments.manifests import manifests
from rancherctl.environments.manifests.base import INVENTORY
from rancherctl.environments.phases.api_objects import ApiObjects
from rancherctl.environments.plan import PhasePlan, Step
from rancherctl.environments.run import EnvironmentRun
from rancherctl.kube import apply as kube
from rancherctl.kube.client import Json
from rancherctl.text import and_more


class Prune(ApiObjects):
    """Removes nothing while a host is unreachable or has failed: the next complete apply does."""

    def steps(self, run: EnvironmentRun) -> tuple[Step, ...]:
        """Deletes and narrower roles; one note instead of them while hosts are missing."""
        steps = super().steps(run)
        if steps and run.failures:
            return (Step("", "objects", "check", self.title, (_kept(run),)),)
        return steps

    def changes(self, run: EnvironmentRun) -> Plan[Json]:
        """Objects and rules that this release does not want."""
        return kube.surplus(run.client(), manifests(run.environment), INVENTORY) if run.api_answers() else Plan()

    def apply(self, run: EnvironmentRun, _plan: PhasePlan, /) -> None:
        """Remove them, unless a host dropped out."""
        if run.failures:
            run.warn(self.name, _kept(run))
            return
        kube.apply(run.client(), self.changes(run), INVENTORY, emit=run.emit(self.name))


def _kept(run: EnvironmentRun) -> str:
    hosts = and_more(sorted(run.failures))
    return (
        f"objects that are no longer needed are kept: agents of the last release on {hosts} may still use them;"
        " the next apply that reaches every host removes them"
    )


PRUNE: Final = Prune("prune", "objects and rights that are no longer needed", critical=False)
