"""Namespaces, rights and services that every environment has in its API.

Rights only grow here. The prune phase removes what is no longer wanted, once no agent can be using it.
"""

from __future__ import annotations

from typing import Final

from rancherctl.change import Plan
from rancherctl.environments import immutable_fields
from rancherctl.environments.manifests import manifests
from rancherctl.environments.manifests.base import INVENTORY
from rancherctl.environments.phases.api_objects import ApiObjects
from rancherctl.environments.plan import PhasePlan
from rancherctl.environments.run import EnvironmentRun
from rancherctl.kube import apply as kube
from rancherctl.kube.client import Json


class EnvironmentObjects(ApiObjects):
    """The first phase that needs the API: it waits for it."""

    def changes(self, run: EnvironmentRun) -> Plan[Json]:
        """EnvironmentObjects that are missing or differ."""
        wanted = manifests(run.environment)
        if not run.api_answers():
            return kube.first_plan(wanted, INVENTORY)
        return kube.plan(run.client(), wanted, INVENTORY, grow=True)

    def apply(self, run: EnvironmentRun, _plan: PhasePlan, /) -> None:
        """Wait for the API, then apply what it lacks.

        If the API was down when the plan was made, the record can be compared with the file only now.
        """
        run.wait_for_api()
        if (stored := run.read_stored()) is not None:
            immutable_fields.refuse(stored, run.environment, begun=True)
        self.apply_objects(run)

    def apply_objects(self, run: EnvironmentRun) -> None:
        """Apply what differs now."""
        kube.apply(run.client(), self.changes(run), INVENTORY, emit=run.emit(self.name))


OBJECTS: Final = EnvironmentObjects("objects", "namespaces, rights and services that every environment has")
