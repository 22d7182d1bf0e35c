"""What the loop asks of a role: which tables it reads and one reconcile call. network, dns and ingress each provide one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from rancherctl.kube.snapshot import Snapshot
from rancherctl.kube.tables import TableSpec


class Role(Protocol):
    """One concern of an agent, run in a thread of its own; ``reconcile`` is never called twice at once."""

    name: str
    tables: tuple[TableSpec, ...]
    resync: float
    """Seconds after which reconcile is called even when nothing changed (drift repair)."""

    def reconcile(self, snapshot: Snapshot) -> Mapping[str, Any]:
        """Make the host agree with the snapshot; return this role's section of the host's report (JSON values, content hashes, problems).

        Must tolerate unsynced tables (first start with the API down: serve what is kept on disk). An exception is reported and retried with back-off.
        """

    def stop(self) -> None:
        """Release what the role holds; serving goes on (HAProxy and named stay up)."""
