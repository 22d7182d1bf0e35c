"""Leader election by one Lease, judged by our own clock only, with an epoch that fences what an old leader still has in hand."""

from __future__ import annotations

import copy
from collections.abc import Callable

from rancherctl.agents.clock import boottime, micro_time
from rancherctl.contract import NAMESPACE
from rancherctl.errors import ConflictError, NotFoundError, RancherctlError
from rancherctl.kube.client import LEASES, Json, KubeClient

LEASE = "rancherctl-controller"


class NotLeaderError(RancherctlError):
    """A write was about to be sent without being the leader any more; nothing was sent."""


class Leader:
    """Call ``tick`` every ``renew`` seconds. Leadership ends by itself 0.8 times ``duration`` after the last renewal was begun.

    A process that was frozen finds on thawing that its time is over before it can write: ``check`` is called in front of each write.
    """

    def __init__(
        self,
        client: KubeClient,
        identity: str,
        *,
        duration: float = 8.0,
        clock: Callable[[], float] = boottime,
        now: Callable[[], str] = micro_time,
    ) -> None:
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
        """Whether this process may write now."""
        return self._held_from is not None and self._clock() - self._held_from < self._duration * 0.8

    def check(self) -> int:
        """The epoch to write with; NotLeaderError when leadership is over."""
        if not self.leading:
            raise NotLeaderError(
                "not the leader any more", why="its time was over before the write", hint="the new leader goes on"
            )
        return self.epoch

    def tick(self) -> bool:
        """Try to become or to stay leader; returns ``leading``. API errors pass through: leadership then runs out by itself."""
        started = self._clock()
        try:
            lease = self._client.get(LEASES, LEASE, namespace=NAMESPACE, timeout=self._duration / 3)
        except NotFoundError:
            if not self.leading and self._seen[0] and started - self._seen[1] <= self._duration:
                return False  # somebody took it away, but its holder still leads, and makes it anew
            lease = self._client.create(LEASES, self._fresh(), namespace=NAMESPACE, timeout=self._duration / 3)
            return self._hold(lease, started)
        spec = lease.get("spec") or {}
        ours = self._is_ours(spec)
        if not ours and not self._expired(spec, started):
            self._held_from = None
            return False
        try:
            return self._hold(
                self._client.replace(LEASES, self._mine(lease, ours=ours), timeout=self._duration / 3), started
            )
        except ConflictError:
            # Somebody was faster; the next tick reads who.
            self._held_from = None
            return False

    def release(self) -> None:
        """Give the Lease back, so that a standby need not wait; a failure only costs that wait."""
        if not self.leading:
            return
        self._held_from = None
        lease = self._client.get(LEASES, LEASE, namespace=NAMESPACE, timeout=2.0)
        if (lease.get("spec") or {}).get("holderIdentity") == self._identity:
            lease["spec"]["holderIdentity"] = ""
            self._client.replace(LEASES, lease, timeout=2.0)

    def _is_ours(self, spec: Json) -> bool:
        """Whether this process holds it, or an earlier process of its name, which a restarted one need not wait for.

        A later process of the same name (this one was frozen, and somebody started another) is another leader: its epoch tells.
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
            "metadata": {"name": LEASE, "namespace": NAMESPACE},
            "spec": spec,
        }

    def _mine(self, lease: Json, *, ours: bool) -> Json:
        mine = copy.deepcopy(lease)
        spec = mine.setdefault("spec", {})
        # A restarted process of the same identity is a new leader too: what the old process sent must lose.
        if not ours or self._held_from is None:
            spec["leaseTransitions"] = max(int(spec.get("leaseTransitions") or 0), self.epoch) + 1
            spec["acquireTime"] = self._now()
        spec |= {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(self._duration),
            "renewTime": self._now(),
        }
        return mine
