"""The two phases that are over before a plan exists: preflight and the lock, which ``reconcile`` runs itself."""

from __future__ import annotations

from typing import Final

from rancherctl.environments.phases.base import Phase
from rancherctl.environments.plan import PhasePlan, Step
from rancherctl.environments.run import EnvironmentRun


class Preliminary(Phase):
    """A phase without changes of its own."""

    def steps(self, _run: EnvironmentRun) -> tuple[Step, ...]:
        """Nothing: it is never part of a plan."""
        return ()

    def apply(self, _run: EnvironmentRun, _plan: PhasePlan, /) -> None:
        """Nothing is left to do."""


PREFLIGHT: Final = Preliminary("preflight", "check every host before anything is changed")
LOCK: Final = Preliminary("lock", "keep other operators out")
