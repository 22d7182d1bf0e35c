"""Labels of the Nodes, and the wait until all of them are Ready."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from rancherctl.change import Plan
from rancherctl.environments import nodes
from rancherctl.environments.health import NO_NETWORK
from rancherctl.environments.phases.api_objects import ApiObjects
from rancherctl.environments.plan import PhasePlan
from rancherctl.environments.run import EnvironmentRun
from rancherctl.errors import TimeoutExceededError
from rancherctl.events import Event
from rancherctl.kube.client import Json
from rancherctl.kube.objects import Node


class NodesReady(ApiObjects):
    """Runs at every apply: hosts may be slow to come up although nothing changes."""

    always: ClassVar[bool] = True

    def changes(self, run: EnvironmentRun) -> Plan[Json]:
        """Labels and addresses of the Node objects."""
        return nodes.plan(run.environment, run.nodes() if run.api_answers() else {})

    def apply(self, run: EnvironmentRun, _plan: PhasePlan, /) -> None:
        """Wait for the Nodes, label them, wait until they are Ready.

        Late hosts drop out; if all are late, the wait itself fails.
        """
        names = frozenset(h.name for h in run.hosts())
        routed = run.environment.routes_pods
        client = run.client()

        def joined(found: Mapping[str, Node]) -> bool:
            return names <= found.keys()

        def ready(found: Mapping[str, Node]) -> bool:
            return not nodes.not_ready(found, names)

        try:
            found = nodes.wait(client, names, joined, run.timeout)
        except TimeoutExceededError as error:
            found = run.nodes()
            late = {name: why for name, why in nodes.not_ready(found, names).items() if name not in found}
            names = _without(run, names, late, error)
        for name in nodes.apply(client, run.environment, found):
            run.context.emit(Event(self.name, "labels set", name, "done"))
        if routed and run.wait:
            try:
                nodes.wait(client, names, ready, run.timeout)
            except TimeoutExceededError as error:
                _without(run, names, nodes.not_ready(run.nodes(), names), error)
        pending = {} if routed else nodes.not_ready(found, names)
        if pending:
            text = f"{len(pending)} of {len(names)} nodes are not Ready: {NO_NETWORK}"
            run.context.emit(Event(self.name, text, "", "note", "warning"))


def _without(
    run: EnvironmentRun, names: frozenset[str], late: Mapping[str, str], error: TimeoutExceededError
) -> frozenset[str]:
    """The hosts that remain if the late ones (name → why) drop out; raises ``error`` if none remains."""
    remaining = names - late.keys()
    if not remaining:
        raise error
    run.failures.update(
        {name: TimeoutExceededError(f"{name} is late: {why}", hint=error.hint) for name, why in late.items()}
    )
    return remaining


READY: Final = NodesReady("ready", "labels of the nodes, and all of them Ready", critical=False)
