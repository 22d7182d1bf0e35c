"""RosterStore: the roster's ConfigMap, which one object of the leader's process writes."""

from __future__ import annotations

from collections.abc import Mapping

from rancherctl.agents.fence import Fenced
from rancherctl.contract import NAMESPACE, ROSTER_KEY, ROSTER_NAME
from rancherctl.errors import ConflictError, NotFoundError
from rancherctl.kube.client import CONFIGMAPS, Json
from rancherctl.kube.objects import ConfigMap, config_map
from rancherctl.kube.reflector import is_older
from rancherctl.kube.snapshot import Table


class RosterStore:
    """All controllers of a process write the ConfigMap through the same store.

    The API answers a write before the watch delivers it. In between, ``current`` is that answer, and the next write
    builds on it. So a write is refused only if another process has written: an earlier or a later leader.

    ``table`` is always that of the ConfigMaps, in the newest snapshot. Not thread-safe: the controllers of a process
    run one after another.
    """

    def __init__(self, client: Fenced) -> None:
        self._client = client
        self._written: ConfigMap | None = None
        self._epoch = 0

    def current(self, table: Table[ConfigMap]) -> ConfigMap | None:
        """What is stored, as far as it is known here; None: nothing is."""
        own = self._written
        # A new list counts whatever its version is: the API may have been restored to an older state.
        if own and table.epoch == self._epoch and is_older(table.resource_version, own.meta.resource_version):
            return own
        self._written = None
        return table.items.get(ROSTER_KEY)

    def write(self, data: Mapping[str, str], table: Table[ConfigMap]) -> None:
        """Replace the data of ``current``, or create it.

        ConflictError or NotFoundError: another process wrote or deleted it meanwhile; the watch delivers that.
        """
        known = self.current(table)
        metadata = {"name": ROSTER_NAME, "namespace": NAMESPACE}
        body: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}
        try:
            if known is None:
                answer = self._client.create(CONFIGMAPS, body, namespace=NAMESPACE)
            else:
                metadata["resourceVersion"] = known.meta.resource_version
                answer = self._client.replace(CONFIGMAPS, body)
        except (ConflictError, NotFoundError):
            self._written = None
            raise
        self._written, self._epoch = config_map(answer), table.epoch
