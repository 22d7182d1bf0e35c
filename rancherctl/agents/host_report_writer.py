"""A host's own words: its Lease (it lives) and its report (what is applied, by content hash). Only this host may write them."""

from __future__ import annotations

import json
import logging
import random
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rancherctl import __version__
from rancherctl.agents.clock import boottime, micro_time, rest
from rancherctl.agents.config import NAMESPACE
from rancherctl.agents.loop import Wake
from rancherctl.errors import AuthError, NotFoundError, RancherctlError
from rancherctl.kube.backoff import Backoff, describe
from rancherctl.kube.client import CONFIGMAPS, LEASES, KubeClient

log = logging.getLogger(__name__)
QUIET = 30.0
"""Seconds after which a report that differs only in its metrics is written all the same."""
LOOK = 30.0
"""Seconds between two looks at whether the API still holds the report."""
FIRST_WAIT = 15.0
"""Seconds that a fresh process waits for all its roles before its first report: a part that is missing reads as "serves nothing"."""
NOT_YET = 2.0
"""Longest wait for a report that is not there yet: until it is written, the host is not known to live."""


def lease_name(node: str) -> str:
    """The Lease of a host."""
    return f"host-{node}"


def report_name(node: str) -> str:
    """The ConfigMap with a host's report."""
    return f"report-{node}"


def without_metrics(sections: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What is worth an immediate write."""
    return {role: {k: v for k, v in section.items() if k != "metrics"} for role, section in sections.items()}


class Heartbeat:
    """Renews the host's Lease every ``period`` seconds, whether the last renewal worked or not (a late one is worth nothing)."""

    def __init__(
        self, client: KubeClient, node: str, period: float, *, alive: Callable[[], bool] = lambda: True
    ) -> None:
        self._client, self._node, self._period, self._alive = client, node, period, alive
        self._stop = threading.Event()
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; the Lease goes stale by itself."""
        self._stop.set()
        self._thread.join(5.0)

    def beat(self) -> None:
        """One renewal."""
        spec = {
            "holderIdentity": self._node,
            "leaseDurationSeconds": max(1, int(self._period * 3)),
            "renewTime": micro_time(),
        }
        self._client.patch(
            LEASES, lease_name(self._node), {"spec": spec}, namespace=NAMESPACE, timeout=max(2.0, self._period)
        )

    def _run(self) -> None:
        while not self._stop.is_set():
            began = boottime()
            if self._alive():
                try:
                    self.beat()
                except Exception as error:  # a thread that ends silently would take the host out of the roster for ever
                    if not self._failing:
                        known = isinstance(error, RancherctlError)
                        log.warning("cannot renew the Lease of this host: %s", describe(error), exc_info=not known)
                    self._failing = True
                else:
                    if self._failing:
                        log.info("the Lease of this host is renewed again")
                    self._failing = False
            self._stop.wait(rest(self._period, boottime() - began))


class Reporter:
    """Collects the roles' sections and writes them as one object: at once when what is applied changed, seldom for metrics."""

    def __init__(
        self, client: KubeClient, node: str, roles: Iterable[str], *, clock: Callable[[], float] = boottime
    ) -> None:
        self._client, self._node, self._clock = client, node, clock
        self._roles, self._began = frozenset(roles), clock()
        self._sections: dict[str, dict[str, Any]] = {}
        self._written: dict[str, dict[str, Any]] | None = None
        self._written_at = self._looked_at = 0.0
        self._text = ""
        self._lost = False
        self._lock = threading.Lock()
        self._wake = Wake()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="report", daemon=True)

    def start(self) -> None:
        """Start the writing thread."""
        self._thread.start()

    def stop(self) -> None:
        """End it after the write under way."""
        self._stop.set()
        self._wake.set()
        self._thread.join(5.0)

    def put(self, role: str, section: Mapping[str, Any]) -> None:
        """Take a role's section; never blocks on the network. TypeError for what is not JSON."""
        plain = json.loads(json.dumps(section))  # as it will come back: a tuple would differ from its list for ever
        with self._lock:
            self._sections[role] = plain
        self._wake.set()

    @property
    def reported(self) -> bool:
        """Whether this process has said what it serves: before that the API holds the words of an earlier one, perhaps before a reboot."""
        return self._written is not None

    def due(self) -> str | None:
        """The text to write now, or None."""
        with self._lock:
            sections = dict(self._sections)
        if self._written is None and not self._roles <= sections.keys() and self._clock() - self._began < FIRST_WAIT:
            return None
        fresh = self._written is None or self._lost or without_metrics(sections) != without_metrics(self._written)
        if not sections or (not fresh and (sections == self._written or self._clock() - self._written_at < QUIET)):
            return None
        return json.dumps({"node": self._node, "version": __version__, "sections": sections}, sort_keys=True)

    def write(self, text: str) -> None:
        """Write the report."""
        self._client.patch(CONFIGMAPS, report_name(self._node), {"data": {"report": text}}, namespace=NAMESPACE)
        self._written, self._text, self._lost = json.loads(text)["sections"], text, False
        self._written_at = self._looked_at = self._clock()

    def look(self) -> None:
        """Now and then: does the API still hold what was written? A report is made anew, empty, when the host's Node was deleted and comes back."""
        if self._written is None or self._clock() - self._looked_at < LOOK:
            return
        self._looked_at = self._clock()
        try:
            stored = self._client.get(CONFIGMAPS, report_name(self._node), namespace=NAMESPACE)
        except NotFoundError:
            stored = {}
        self._lost = (stored.get("data") or {}).get("report") != self._text
        if self._lost:
            log.warning("the report of this host is not what was written, writing it again")

    def _run(self) -> None:
        backoff, said = Backoff(random.Random()), ""  # noqa: S311  # spreads load, protects nothing
        while not self._stop.is_set():
            try:
                self.look()
                text = self.due()
                if text is not None:
                    self.write(text)
            except Exception as error:  # as above
                pause = backoff.after(error)
                if isinstance(
                    error, (NotFoundError, AuthError)
                ):  # the controller and apply make what is missing when the host's Node is there
                    pause = min(pause, NOT_YET)
                level, text = logging.DEBUG if describe(error) == said else logging.WARNING, describe(error)
                log.log(
                    level,
                    "cannot keep the report, trying again in %.1f s: %s",
                    pause,
                    text,
                    exc_info=not isinstance(error, RancherctlError),
                )
                said = text
                self._stop.wait(pause)
            else:
                backoff.reset()
                said = ""
                if text is None:
                    self._wake.wait(LOOK if self.reported else 1.0)
