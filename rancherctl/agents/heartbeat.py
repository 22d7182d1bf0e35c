"""Heartbeat: renew this host's Lease, by which the leader knows that the host is alive."""

from __future__ import annotations

from collections.abc import Callable

from rancherctl.agents.clock import boottime, micro_time, remaining
from rancherctl.contract import HOST_LEASE_PREFIX, NAMESPACE
from rancherctl.kube.client import LEASES, KubeClient
from rancherctl.worker import Worker


def lease_name(node: str) -> str:
    """Name of a host's Lease."""
    return f"{HOST_LEASE_PREFIX}{node}"


class Heartbeat:
    """Renew the Lease every ``period`` seconds while ``alive()``.

    A failed renewal is not repeated sooner: a late one is worth nothing.
    """

    def __init__(
        self, client: KubeClient, node: str, period: float, *, alive: Callable[[], bool] = lambda: True
    ) -> None:
        self._client, self._node, self._period, self._alive = client, node, period, alive
        self._began = 0.0
        self._worker = Worker("heartbeat", self._beat, retry=lambda _: self._pause())

    def start(self) -> None:
        """Start the thread."""
        self._worker.start()

    def stop(self) -> None:
        """End the thread; the Lease expires by itself."""
        self._worker.stop(5.0)

    def renew(self) -> None:
        """Renew the Lease once."""
        spec = {
            "holderIdentity": self._node,
            "leaseDurationSeconds": max(1, int(self._period * 3)),
            "renewTime": micro_time(),
        }
        self._client.patch(
            LEASES, lease_name(self._node), {"spec": spec}, namespace=NAMESPACE, timeout=max(2.0, self._period)
        )

    def _beat(self) -> float:
        self._began = boottime()
        if self._alive():
            self.renew()
        return self._pause()

    def _pause(self) -> float:
        return remaining(self._period, boottime() - self._began)
