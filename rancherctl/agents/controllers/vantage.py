"""VantageController: while this environment is a member of a federation, probe addresses of other members for it."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from rancherctl.agents.fence import Fenced
from rancherctl.agents.leader import Leader
from rancherctl.contract import FEDERATION_NAMESPACE_PREFIX
from rancherctl.federation.vantage import KEY, PROBES, TARGETS, StoredConfigMap, VantagePoint, targets_from_json
from rancherctl.kube import client, objects
from rancherctl.kube.backoff import Backoff
from rancherctl.kube.cache import Cache
from rancherctl.kube.reflector import Source
from rancherctl.kube.snapshot import Snapshot
from rancherctl.kube.tables import TableSpec
from rancherctl.roles.controllers import FEDERATION_NAMESPACES, VANTAGE
from rancherctl.worker import Worker


class VantageController:
    """Satisfies controllers.base.Controller. Probes run in a thread of their own, only where this process leads."""

    spec = VANTAGE

    def __init__(self, api: Fenced, source: Source | None, leader: Leader, clock: Callable[[], float]) -> None:
        self._api, self._source, self._leader, self._clock = api, source, leader, clock
        self._namespace = ""
        self._cache: Cache | None = None
        self._worker: Worker | None = None

    def reconcile(self, snapshot: Snapshot) -> None:
        """Begin and end probing as the environment joins and leaves."""
        table = snapshot.table(FEDERATION_NAMESPACES.name)
        if not table.synced:
            return
        found = sorted(
            meta.name
            for meta in table.items.values()
            if meta.name.startswith(FEDERATION_NAMESPACE_PREFIX) and not meta.deleting
        )
        wanted = found[0] if found and self._leader.leading and self._source is not None else ""
        if wanted != self._namespace:
            self._stop()
            if wanted:
                self._start(wanted)
            self._namespace = wanted

    def _start(self, namespace: str) -> None:
        assert self._source is not None
        spec = TableSpec(
            TARGETS, client.CONFIGMAPS, objects.config_map, namespace, field_selector=f"metadata.name={TARGETS}"
        )
        cache = Cache(self._source, [spec], lambda _: None)
        stored = StoredConfigMap(self._api, namespace, PROBES)
        point = VantagePoint(stored.write, clock=self._clock)

        def step() -> float:
            items: Any = cache.snapshot().table(TARGETS).items
            text = next((str(m.data.get(KEY, "")) for m in items.values() if m.meta.name == TARGETS), "")
            point.want(targets_from_json(text))
            return point.step()

        backoff = Backoff(random.Random())  # noqa: S311 - spreads load, protects nothing
        self._cache, self._worker = cache, Worker(f"vantage point of {namespace}", step, retry=backoff.after)
        cache.start()
        self._worker.start()

    def _stop(self) -> None:
        if self._worker is not None:
            self._worker.stop(None)
        if self._cache is not None:
            self._cache.stop(0.0)
        self._worker = self._cache = None
