"""HostReportWriter: write what this host serves, by role, into its report in the API."""

from __future__ import annotations

import json
import logging
import random
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rancherctl import __version__
from rancherctl.agents.clock import boottime
from rancherctl.contract import NAMESPACE, REPORT_PREFIX
from rancherctl.errors import AuthError, NotFoundError
from rancherctl.kube.backoff import Backoff
from rancherctl.kube.client import CONFIGMAPS, KubeClient
from rancherctl.worker import Worker

log = logging.getLogger(__name__)
METRICS_SECONDS = 30.0
"""Seconds between two writes of a report in which only metrics changed."""
CHECK_SECONDS = 30.0
"""Seconds between two checks whether the API still holds the report."""
FIRST_REPORT_SECONDS = 15.0
"""Seconds that a new process waits for all roles before it reports: a missing section reads as "serves nothing"."""
MISSING_RETRY_SECONDS = 2.0
"""Longest pause while the report object is missing: until it is written, the host does not count as alive."""


def report_name(node: str) -> str:
    """Name of the ConfigMap with a host's report."""
    return f"{REPORT_PREFIX}{node}"


def without_metrics(sections: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The part of the sections whose change is written at once."""
    return {role: {k: v for k, v in section.items() if k != "metrics"} for role, section in sections.items()}


class HostReportWriter:
    """Collect the roles' sections and write them as one object, which only this host may write.

    Changes are written at once, metrics alone every METRICS_SECONDS.
    """

    def __init__(
        self,
        client: KubeClient,
        node: str,
        roles: Iterable[str],
        *,
        clock: Callable[[], float] = boottime,
        backoff: Backoff | None = None,
    ) -> None:
        self._client, self._node, self._clock = client, node, clock
        self._roles, self._began = frozenset(roles), clock()
        self._sections: dict[str, dict[str, Any]] = {}
        self._written: dict[str, dict[str, Any]] | None = None
        self._written_at = self._checked_at = 0.0
        self._text = ""
        self._lost = False
        self._lock = threading.Lock()
        self._backoff = backoff or Backoff(random.Random())  # noqa: S311  # spreads load, protects nothing
        self._worker = Worker("host report", self._step, retry=self.retry_after)

    def start(self) -> None:
        """Start the writing thread."""
        self._worker.start()

    def stop(self) -> None:
        """End the thread after the write in progress."""
        self._worker.stop(5.0)

    def put(self, role: str, section: Mapping[str, Any]) -> None:
        """Take a role's section; never blocks on the network. TypeError for a value that is not JSON."""
        plain = json.loads(json.dumps(section))  # as the API returns it: a tuple would never equal its list
        with self._lock:
            self._sections[role] = plain
        self._worker.wake()

    @property
    def reported(self) -> bool:
        """Whether this process has written its report; before that, the API holds an earlier process's."""
        return self._written is not None

    def due(self) -> str | None:
        """Return the text to write now, or None."""
        with self._lock:
            sections = dict(self._sections)
        waited = self._clock() - self._began
        if self._written is None and not self._roles <= sections.keys() and waited < FIRST_REPORT_SECONDS:
            return None
        changed = self._written is None or self._lost or without_metrics(sections) != without_metrics(self._written)
        recent = self._clock() - self._written_at < METRICS_SECONDS
        if not sections or (not changed and (sections == self._written or recent)):
            return None
        return json.dumps({"node": self._node, "version": __version__, "sections": sections}, sort_keys=True)

    def write(self, text: str) -> None:
        """Write the report."""
        self._client.patch(CONFIGMAPS, report_name(self._node), {"data": {"report": text}}, namespace=NAMESPACE)
        self._written, self._text, self._lost = json.loads(text)["sections"], text, False
        self._written_at = self._checked_at = self._clock()

    def check(self) -> None:
        """Compare the stored report with the written one, every CHECK_SECONDS.

        The controller creates an empty report when the host's Node was deleted and registers again.
        """
        if self._written is None or self._clock() - self._checked_at < CHECK_SECONDS:
            return
        self._checked_at = self._clock()
        try:
            stored = self._client.get(CONFIGMAPS, report_name(self._node), namespace=NAMESPACE)
        except NotFoundError:
            stored = {}
        self._lost = (stored.get("data") or {}).get("report") != self._text
        if self._lost:
            log.warning("the stored report of this host differs from the written one, writing it again")

    def _step(self) -> float:
        self.check()
        text = self.due()
        if text is not None:
            self.write(text)
        self._backoff.reset()
        return 0.0 if text is not None else CHECK_SECONDS if self.reported else 1.0

    def retry_after(self, error: Exception) -> float:
        """Seconds to wait after a failed check or write."""
        pause = self._backoff.after(error)
        # The controller and `env apply` create what is missing as soon as the host's Node exists.
        return min(pause, MISSING_RETRY_SECONDS) if isinstance(error, NotFoundError | AuthError) else pause
