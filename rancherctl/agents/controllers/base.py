"""Controller: what the controller process expects of the controllers that it runs."""

from __future__ import annotations

from typing import Protocol

from rancherctl.kube.snapshot import Snapshot
from rancherctl.role_spec import ControllerSpec


class Controller(Protocol):
    """Keeps one kind of object in the API up to date, as the elected leader."""

    spec: ControllerSpec
    """Its declaration: the tables that the process watches for it, and its rights."""

    def reconcile(self, snapshot: Snapshot) -> None:
        """Compare the snapshot with what should be there and write the difference, through a Fenced client.

        Called several times a second, also on standbys: it writes nothing unless its process leads, and at most a
        bounded number of objects a call. Errors pass through; the process retries with back-off.
        """
