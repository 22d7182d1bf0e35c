"""The record of the last apply: the environment's file, stored in the environment."""

from __future__ import annotations

from typing import Final

from rancherctl.change import Plan
from rancherctl.environments.manifests.base import record
from rancherctl.environments.phases.api_objects import ApiObjects
from rancherctl.environments.plan import PhasePlan
from rancherctl.environments.run import EnvironmentRun
from rancherctl.kube import apply as kube
from rancherctl.kube.client import Json


class ApplyRecord(ApiObjects):
    """Written last: it says what was completely applied."""

    def changes(self, run: EnvironmentRun) -> Plan[Json]:
        """The record, if it says something new."""
        wanted = [record(run.environment)]
        return kube.plan(run.client(), wanted, None) if run.api_answers() else kube.first_plan(wanted, None)

    def apply(self, run: EnvironmentRun, _plan: PhasePlan, /) -> None:
        """Write it."""
        kube.apply(run.client(), self.changes(run), None, emit=run.emit(self.name))


RECORD: Final = ApplyRecord("record", "record of what was applied, stored in the environment")
