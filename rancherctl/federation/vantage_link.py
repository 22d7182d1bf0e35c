"""VantageLink: what the federation asks of one member's vantage point, and what that reports."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rancherctl.federation.apis import MemberApi
from rancherctl.federation.probe_results import Result, results_from_json
from rancherctl.federation.probe_targets import Target
from rancherctl.federation.tokens import member_namespace
from rancherctl.federation.vantage import KEY, PROBES, TARGETS, StoredConfigMap, targets_to_json
from rancherctl.kube import client, objects
from rancherctl.kube.backoff import Backoff
from rancherctl.kube.cache import Cache
from rancherctl.kube.tables import TableSpec
from rancherctl.worker import Worker


class VantageLink:
    """One member. ``report`` gets each new report, from a thread of the cache."""

    def __init__(self, federation: str, member: str, api: MemberApi, report: Callable[[Mapping[str, Result]], None]):
        namespace = member_namespace(federation)
        spec = TableSpec(
            PROBES, client.CONFIGMAPS, objects.config_map, namespace, field_selector=f"metadata.name={PROBES}"
        )
        self._cache = Cache(api, [spec], lambda _: self._seen())
        self._stored = StoredConfigMap(api, namespace, TARGETS)
        self._report = report
        self._text: str | None = None
        self._wanted: tuple[Target, ...] | None = None
        self._written: tuple[Target, ...] | None = None
        backoff = Backoff(random.Random())  # noqa: S311 - spreads load, protects nothing
        self._worker = Worker(f"targets of member {member}", self._write, retry=backoff.after)

    def start(self) -> None:
        """Begin to watch reports and to write targets."""
        self._cache.start()
        self._worker.start()

    def stop(self) -> None:
        """End both; returns soon."""
        self._worker.stop(None)
        self._cache.stop(0.0)

    def want(self, targets: Sequence[Target]) -> None:
        """What the member is to probe; written once it differs."""
        wanted = tuple(targets)
        if wanted != self._wanted:
            self._wanted = wanted
            self._worker.wake()

    def _write(self) -> float | None:
        wanted = self._wanted
        if wanted is not None and wanted != self._written:
            self._stored.write(targets_to_json(wanted))
            self._written = wanted
        return None

    def _seen(self) -> None:
        items: Any = self._cache.snapshot().table(PROBES).items
        text = next((str(m.data.get(KEY, "")) for m in items.values() if m.meta.name == PROBES), "")
        before, self._text = self._text, text
        # The first report may be of any age: only one that follows it shows that the member reports now.
        if before is None or text in ("", before):
            return
        try:
            results = results_from_json(text)
        except ValueError:
            return
        self._report(results)
