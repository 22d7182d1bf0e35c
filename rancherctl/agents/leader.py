"""Leader: election by one Lease on the own clock, with an epoch that fences an old leader's writes."""

from __future__ import annotations

import copy
from collections.abc import Callable

from rancherctl.agents.clock import boottime, micro_time
from rancherctl.contract import CONTROLLER_NAME, NAMESPACE
from rancherctl.errors import ConflictError, NotFoundError, RancherctlError
from rancherctl.kube.client import LEASES, Json, KubeClient


class NotLeaderError(RancherctlError):
    """A write was stopped because this process no longer leads; nothing was sent."""


class Leader:
    """Call ``tick`` several times within ``duration`` (seconds).

    Leadership ends by itself 0.8 times ``duration`` after the last renewal began. ``check`` runs before each write,
    so a process that was frozen finds its leadership over before it can write.
    """

    def __init__(
        self,
        client: KubeClient,
        identity: str,
        *,
        lease: str = CONTROLLER_NAME,
        duration: float = 8.0,
        clock: Callable[[], float] = boottime,
        now: Callable[[], str] = micro_time,
    ) -> None:
        self.lease = lease
        self._client = client
        self._identity = identity
        self._duration = duration
        self._clock = clock
        self._now = now
        self._held_from: float | None = None
        self._seen: tuple[str, float] = ("", 0.0)
        self.epoch = 0

    @property
    def leading(self) -> bool:
        """Whether this process leads and may write now."""
        return self._held_from is not None and self._clock() - self._held_from < self._duration * 0.8

    def check(self) -> int:
        """Return the epoch to write with; NotLeaderError if leadership is over."""
        if not self.leading:
            raise NotLeaderError(
                "no longer the leader", why="the leadership expired before the write", hint="the new leader continues"
            )
        return self.epoch

    def tick(self) -> bool:
        """Try to become or to stay leader; returns ``leading``. API errors pass through.

        After errors, leadership expires by itself.
        """
        started = self._clock()
        try:
            lease = self._client.get(LEASES, self.lease, namespace=NAMESPACE, timeout=self._duration / 3)
        except NotFoundError:
            if not self.leading and self._seen[0] and started - self._seen[1] <= self._duration:
                return False  # the Lease was deleted, but its holder still leads and creates it again
            lease = self._client.create(LEASES, self._fresh(), namespace=NAMESPACE, timeout=self._duration / 3)
            return self._hold(lease, started)
        spec = lease.get("spec") or {}
        held = self._held_by_this_identity(spec)
        if not held and not self._expired(spec, started):
            self._held_from = None
            return False
        try:
            return self._hold(
                self._client.replace(LEASES, self._mine(lease, held=held), timeout=self._duration / 3), started
            )
        except ConflictError:
            # Another process was faster; the next tick reads which one.
            self._held_from = None
            return False

    def release(self) -> None:
        """Release the Lease, so that a standby need not wait until it expires."""
        if not self.leading:
            return
        self._held_from = None
        lease = self._client.get(LEASES, self.lease, namespace=NAMESPACE, timeout=2.0)
        if (lease.get("spec") or {}).get("holderIdentity") == self._identity:
            lease["spec"]["holderIdentity"] = ""
            self._client.replace(LEASES, lease, timeout=2.0)

    def _held_by_this_identity(self, spec: Json) -> bool:
        """Whether this process holds the Lease, or an earlier process of the same name did.

        A later process of the same name (started while this one was frozen) is another leader: its epoch differs.
        """
        mine = spec.get("holderIdentity") == self._identity
        return mine and (self.epoch == 0 or int(spec.get("leaseTransitions") or 0) == self.epoch)

    def _expired(self, spec: Json, now: float) -> bool:
        if not spec.get("holderIdentity"):
            return True
        mark = f"{spec.get('holderIdentity')} {spec.get('renewTime')}"
        if mark != self._seen[0]:
            self._seen = (mark, now)
        return now - self._seen[1] > self._duration

    def _hold(self, lease: Json, started: float) -> bool:
        epoch = int(lease["spec"].get("leaseTransitions") or 0)
        self._held_from, self.epoch = started, epoch
        return self.leading

    def _fresh(self) -> Json:
        spec = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(self._duration),
            "renewTime": self._now(),
            "acquireTime": self._now(),
            "leaseTransitions": self.epoch + 1,
        }
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self.lease, "namespace": NAMESPACE},
            "spec": spec,
        }

    def _mine(self, lease: Json, *, held: bool) -> Json:
        mine = copy.deepcopy(lease)
        spec = mine.setdefault("spec", {})
        # A restarted process of the same identity is a new leader, too: writes of the old process must lose.
        if not held or self._held_from is None:
            spec["leaseTransitions"] = max(int(spec.get("leaseTransitions") or 0), self.epoch) + 1
            spec["acquireTime"] = self._now()
        spec |= {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(self._duration),
            "renewTime": self._now(),
        }
        return mine
