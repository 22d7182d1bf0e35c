"""A phase whose work is objects in the environment's API."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from rancherctl.change import Plan
from rancherctl.environments.phases.base import Phase
from rancherctl.environments.plan import Step, object_step
from rancherctl.environments.run import EnvironmentRun
from rancherctl.kube.client import Json


class ApiObjects(Phase):
    """Plans objects. What an API holds while it does not run is unknown: the plan says so instead of guessing."""

    in_api: ClassVar[bool] = True

    def steps(self, run: EnvironmentRun) -> tuple[Step, ...]:
        """Objects to create, change or delete."""
        if run.api_silent():
            return (Step("", "objects", "check", self.title, ("the API is not running: what it holds is unknown",)),)
        return tuple(object_step(change) for change in self.changes(run))

    @abstractmethod
    def changes(self, run: EnvironmentRun) -> Plan[Json]:
        """What the API lacks or holds differently now; all objects before an API exists."""
