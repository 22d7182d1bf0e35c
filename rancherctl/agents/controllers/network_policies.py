"""Tells on each NetworkPolicy that the routed pod network does not enforce it: a policy that silently does nothing is a trap."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from math import inf
from typing import Any

from rancherctl.agents.backoffs import Pauses
from rancherctl.agents.clock import micro_time
from rancherctl.agents.fence import Fenced
from rancherctl.agents.leader import Leader
from rancherctl.errors import ConflictError, NotFoundError, RancherctlError
from rancherctl.kube import objects, tables
from rancherctl.kube.client import EVENTS, NETWORKPOLICIES, Json
from rancherctl.kube.http.failures import concerns_one
from rancherctl.kube.objects import Meta
from rancherctl.kube.snapshot import Snapshot

log = logging.getLogger(__name__)
TABLE = tables.TableSpec("networkpolicies", NETWORKPOLICIES, objects.meta)
MESSAGE = "This policy has no effect: network mode routed does not enforce NetworkPolicies (use network.mode none with Cilium or Calico)"

PART = 50
"""Events written in one look: whoever makes thousands of policies must not keep the controller from seeing that a host died."""
RETOLD = 1500.0
"""Seconds after which it is told again: API servers forget Events after an hour."""
LOOK = 60.0


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
        "metadata": {
            "name": f"{policy.name[:200].rstrip('.-')}.{policy.uid[:8]}.rancherctl",
            "namespace": policy.namespace,
        },
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
    """Writes one Event for each policy, and keeps it from being forgotten."""

    def __init__(self, client: Fenced, leader: Leader, clock: Callable[[], float]) -> None:
        self._client, self._leader, self._clock = client, leader, clock
        self._told: dict[str, float] = {}
        self._seen: Mapping[str, Meta] = {}
        self._look_at = float("-inf")
        self._pauses = Pauses(random.Random())  # noqa: S311  # spreads load, protects nothing

    def run(self, snapshot: Snapshot) -> None:
        """Tell about some policies that were not told about for long; one that cannot be told waits alone, an API that fails is raised."""
        policies: Mapping[str, Meta] = snapshot.table("networkpolicies").items
        now = self._clock()
        if not self._leader.leading or (policies is self._seen and now < self._look_at):
            return
        uids = {policy.uid for policy in policies.values()}
        self._told = {uid: at for uid, at in self._told.items() if uid in uids}
        self._pauses.keep(uids)
        ready = [
            p
            for p in policies.values()
            if not p.deleting and now - self._told.get(p.uid, -inf) >= RETOLD and self._pauses.open(p.uid, now)
        ]
        for policy in ready[:PART]:
            try:
                self._tell(policy)
            except RancherctlError as error:
                if not concerns_one(error):
                    raise
                wait = self._pauses.failed(policy.uid, now, error)
                log.info("%s: cannot write its Event, trying again in %.1f s: %s", policy.key, wait, error)
            else:
                self._told[policy.uid] = now
        self._seen = policies
        waits = (LOOK, self._pauses.wake(now) or LOOK)
        self._look_at = now if len(ready) > PART else now + min(waits)

    def _tell(self, policy: Meta) -> None:
        new = event(policy, micro_time())
        try:
            self._client.create(EVENTS, new, namespace=policy.namespace)
        except NotFoundError as error:
            log.debug("%s: its namespace is going away: %s", policy.key, error)
        except ConflictError:
            # Told before: seen again, so that the API keeps it for another hour.
            again = {"lastTimestamp": new["lastTimestamp"]}
            self._client.patch(EVENTS, new["metadata"]["name"], again, namespace=policy.namespace)
