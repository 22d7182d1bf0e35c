"""Tells on each NetworkPolicy that the routed pod network does not enforce it: a policy that silently does nothing is a trap."""

from __future__ import annotations

import logging
from typing import Any

from rancherctl.agents.clock import micro_time
from rancherctl.agents.fence import Fenced
from rancherctl.agents.leader import Leader
from rancherctl.errors import ConflictError, NotFoundError, RancherctlError
from rancherctl.kube import objects, tables
from rancherctl.kube.client import EVENTS, NETWORKPOLICIES, Json
from rancherctl.kube.failures import concerns_one
from rancherctl.kube.objects import Meta
from rancherctl.kube.snapshot import Snapshot

log = logging.getLogger(__name__)
TABLE = tables.TableSpec("networkpolicies", NETWORKPOLICIES, objects.meta)
MESSAGE = "This policy has no effect: network mode routed does not enforce NetworkPolicies (use network.mode none with Cilium or Calico)"


def event(policy: Meta, now: str) -> Json:
    """The Event; its name is fixed per policy object, so that it is told once however often the controller starts."""
    stamp = now[:19] + "Z"
    about: dict[str, Any] = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "namespace": policy.namespace,
        "name": policy.name,
        "uid": policy.uid,
    }
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{policy.name[:200].rstrip('.-')}.{policy.uid[:8]}.rancherctl", "namespace": policy.namespace},
        "involvedObject": about,
        "reason": "NotEnforced",
        "message": MESSAGE,
        "type": "Warning",
        "source": {"component": "rancherctl-controller"},
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
    }


class PolicyKeeper:
    """Writes one Event for each policy."""

    def __init__(self, client: Fenced, leader: Leader) -> None:
        self._client, self._leader = client, leader
        self._told: set[str] = set()

    def run(self, snapshot: Snapshot) -> None:
        """Tell about policies that were not told about yet; the first error is raised after the others were tried."""
        policies = snapshot.table("networkpolicies").items
        self._told &= {p.uid for p in policies.values()}
        if not self._leader.leading:
            return
        errors: list[RancherctlError] = []
        for policy in policies.values():
            if policy.uid in self._told or policy.deleting:
                continue
            try:
                self._client.create(EVENTS, event(policy, micro_time()), namespace=policy.namespace)
            except (ConflictError, NotFoundError) as error:
                # Told by an earlier leader, or the namespace is going away.
                log.debug("%s: %s", policy.key, error)
            except RancherctlError as error:
                if not concerns_one(error):
                    raise
                errors.append(error)
                continue
            self._told.add(policy.uid)
        if errors:
            raise errors[0]
