"""NetworkPolicyController: warn by Events that rancherctl's pod network enforces no NetworkPolicy.

A policy that silently does nothing is a trap.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from math import inf
from typing import Any

from rancherctl.agents.clock import micro_time
from rancherctl.agents.fence import Fenced
from rancherctl.agents.leader import Leader
from rancherctl.contract import CONTROLLER_NAME
from rancherctl.errors import ConflictError, NotFoundError, RancherctlError
from rancherctl.kube.backoffs import Backoffs
from rancherctl.kube.client import EVENTS, Json
from rancherctl.kube.http.failures import concerns_one
from rancherctl.kube.objects import Meta
from rancherctl.kube.snapshot import Snapshot
from rancherctl.roles import controllers

log = logging.getLogger(__name__)
MESSAGE = (
    "This policy has no effect: rancherctl's pod network does not enforce NetworkPolicies "
    "(use network.mode none with Cilium or Calico)"
)

MAX_WRITES = 50
"""Events written in one call: thousands of policies must not delay the detection of a dead host."""
REPEAT_SECONDS = 1500.0
"""Seconds after which an Event is renewed: API servers drop Events after an hour."""
CHECK_SECONDS = 60.0


def event(policy: Meta, now: str) -> Json:
    """The Event, with a fixed name for each policy object: a restarted controller creates no second one."""
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
        "source": {"component": CONTROLLER_NAME},
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
    }


class NetworkPolicyController:
    """Write one Event for each policy, and renew it before the API drops it."""

    spec = controllers.NETWORK_POLICIES

    def __init__(self, client: Fenced, leader: Leader, clock: Callable[[], float]) -> None:
        self._client, self._leader, self._clock = client, leader, clock
        self._written: dict[str, float] = {}
        self._seen: Mapping[str, Meta] = {}
        self._check_at = -inf
        self._backoffs = Backoffs(random.Random())  # noqa: S311  # spreads load, protects nothing

    def reconcile(self, snapshot: Snapshot) -> None:
        """Write the Events that are due, at most MAX_WRITES.

        A write that fails for one policy backs off alone; an error that concerns every write is raised.
        """
        policies: Mapping[str, Meta] = snapshot.table("networkpolicies").items
        now = self._clock()
        if not self._leader.leading or (policies is self._seen and now < self._check_at):
            return
        uids = {policy.uid for policy in policies.values()}
        self._written = {uid: at for uid, at in self._written.items() if uid in uids}
        self._backoffs.keep(uids)
        due = [
            p
            for p in policies.values()
            if not p.deleting
            and now - self._written.get(p.uid, -inf) >= REPEAT_SECONDS
            and self._backoffs.open(p.uid, now)
        ]
        for policy in due[:MAX_WRITES]:
            try:
                self._write(policy)
            except RancherctlError as error:
                if not concerns_one(error):
                    raise
                wait = self._backoffs.failed(policy.uid, now, error)
                log.info("cannot write the Event of NetworkPolicy %s, retrying in %.1f s: %s", policy.key, wait, error)
            else:
                self._written[policy.uid] = now
        self._seen = policies
        waits = (CHECK_SECONDS, self._backoffs.wake(now) or CHECK_SECONDS)
        self._check_at = now if len(due) > MAX_WRITES else now + min(waits)

    def _write(self, policy: Meta) -> None:
        new = event(policy, micro_time())
        try:
            self._client.create(EVENTS, new, namespace=policy.namespace)
        except NotFoundError as error:
            log.debug("%s: its namespace is being deleted: %s", policy.key, error)
        except ConflictError:
            # It exists: renew its time stamp, so that the API keeps it for another hour.
            renewal = {"lastTimestamp": new["lastTimestamp"]}
            self._client.patch(EVENTS, new["metadata"]["name"], renewal, namespace=policy.namespace)
