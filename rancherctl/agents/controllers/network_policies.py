"""NetworkPolicyController: warn by Events that rancherctl's pod network enforces no NetworkPolicy.

A policy that silently does nothing is a trap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf

from rancherctl.agents.controllers.repeated_events import RepeatedEvents
from rancherctl.agents.fence import Fenced
from rancherctl.agents.leader import Leader
from rancherctl.kube.objects import Meta
from rancherctl.kube.snapshot import Snapshot
from rancherctl.roles import controllers

MESSAGE = (
    "This policy has no effect: rancherctl's pod network does not enforce NetworkPolicies "
    "(use network.mode none with Cilium or Calico)"
)


class NetworkPolicyController:
    """Keep one Event for each policy."""

    spec = controllers.NETWORK_POLICIES

    def __init__(self, client: Fenced, leader: Leader, clock: Callable[[], float]) -> None:
        self._leader, self._clock = leader, clock
        self.events = RepeatedEvents(
            client, clock, api_version="networking.k8s.io/v1", kind="NetworkPolicy", reason="NotEnforced"
        )
        self._seen: Mapping[str, Meta] = {}
        self._check_at = -inf

    def reconcile(self, snapshot: Snapshot) -> None:
        """Write the Events that are due (RepeatedEvents.write)."""
        policies: Mapping[str, Meta] = snapshot.table("networkpolicies").items
        if not self._leader.leading or (policies is self._seen and self._clock() < self._check_at):
            return
        self._check_at = self.events.write({policy.uid: (policy, MESSAGE) for policy in policies.values()})
        self._seen = policies
