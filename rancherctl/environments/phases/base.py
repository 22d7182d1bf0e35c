"""What every phase has: a name, a title, what it plans and how it applies that."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from rancherctl.environments.phase_names import PhaseName
from rancherctl.environments.plan import PhasePlan, Step
from rancherctl.environments.run import EnvironmentRun


@dataclass(frozen=True, slots=True)
class Phase(ABC):
    """One phase. The class attributes say how it behaves; the fields say what it is called.

    ``critical``: a failure on a control-plane or etcd host ends the run, because every later phase depends on it; any
    other host that fails drops out, and the others continue.
    """

    name: PhaseName
    title: str
    critical: bool = True
    rolling: ClassVar[bool] = False
    """Whether control-plane members are changed one at a time, each checked before the next."""
    always: ClassVar[bool] = False
    """Whether it runs even if nothing was planned."""
    in_api: ClassVar[bool] = False
    """Whether its work is in the environment's API, not on hosts."""

    @abstractmethod
    def steps(self, run: EnvironmentRun) -> tuple[Step, ...]:
        """What would be done now, for ``plan``. Changes nothing."""

    def plan(self, run: EnvironmentRun) -> PhasePlan:
        """The phase's part of the environment's plan."""
        return PhasePlan(self.name, self.title, self.steps(run))

    @abstractmethod
    def apply(self, run: EnvironmentRun, plan: PhasePlan, /) -> None:
        """Do it. ``plan`` is what was shown; what earlier phases have changed since is observed again."""
