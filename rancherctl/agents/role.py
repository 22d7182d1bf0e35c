"""HostRole: what the agent expects of a role. network, dns and ingress each provide one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from rancherctl.kube.snapshot import Snapshot
from rancherctl.kube.tables import TableSpec


class HostRole(Protocol):
    """One concern of a host's agent, run in a thread of its own; ``reconcile`` is never called twice at once."""

    name: str
    tables: tuple[TableSpec, ...]
    resync: float
    """Seconds after which reconcile is called even if nothing changed, to repair drift."""

    def reconcile(self, snapshot: Snapshot) -> Mapping[str, Any]:
        """Make the host agree with the snapshot and return the role's section of the host's report.

        The section holds JSON values: content hashes, problems. Tables may not be synced yet (first start while the API
        is down): then serve what is on disk. An exception is reported and retried with back-off.
        """

    def stop(self) -> None:
        """Release what the role holds; HAProxy and named keep serving."""
