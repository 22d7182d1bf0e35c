"""VantagePoint: a member's controller probes addresses of other members for its federation, and reports what it sees.

The federation writes the ConfigMap ``targets`` in its namespace of the member, this writes ``probes``: on change, and
every REPORT_SECONDS.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from rancherctl.errors import ConflictError, NotFoundError
from rancherctl.federation.apis import ConfigMapApi
from rancherctl.federation.probe_results import ProbeLog, results_to_json
from rancherctl.federation.probe_targets import Target, period
from rancherctl.federation.prober import probe
from rancherctl.kube.client import CONFIGMAPS, Json

log = logging.getLogger(__name__)
TARGETS: Final = "targets"
PROBES: Final = "probes"
KEY: Final = "content"
REPORT_SECONDS: Final = 10.0
MAX_TARGETS: Final = 2000
"""A federation cannot make a member probe more."""


class StoredConfigMap:
    """One ConfigMap with one text, written only by this process; another writer is noticed and overwritten."""

    def __init__(self, api: ConfigMapApi, namespace: str, name: str) -> None:
        self._api, self._namespace, self._name = api, namespace, name
        self._stored: Json | None = None

    def read(self) -> str:
        """The text; "" if the ConfigMap is not there."""
        try:
            self._stored = self._api.get(CONFIGMAPS, self._name, namespace=self._namespace)
        except NotFoundError:
            self._stored = None
            return ""
        return str((self._stored.get("data") or {}).get(KEY, ""))

    def write(self, text: str) -> None:
        """Store the text. After a conflict the next call writes over what is there."""
        data = {KEY: text}
        if self._stored is None:
            self.read()
        try:
            if self._stored is None:
                body: Json = {"metadata": {"name": self._name, "namespace": self._namespace}, "data": data}
                self._stored = self._api.create(CONFIGMAPS, body, namespace=self._namespace)
            elif (self._stored.get("data") or {}) != data:
                self._stored = self._api.replace(CONFIGMAPS, {**self._stored, "data": data})
        except (ConflictError, NotFoundError):
            self._stored = None
            raise


def targets_to_json(targets: Iterable[Target]) -> str:
    """What a member is to probe."""
    return json.dumps({"targets": [t.to_json() for t in targets]}, separators=(",", ":"))


def targets_from_json(text: str) -> list[Target]:
    """At most MAX_TARGETS targets; those that cannot be read are left out."""
    try:
        content: Any = json.loads(text) if text else {}
        listed: Sequence[Any] = content.get("targets", [])[:MAX_TARGETS]
    except (ValueError, AttributeError, TypeError):
        return []
    out = []
    for value in listed:
        try:
            out.append(Target.from_json(value))
        except ValueError:
            log.debug("the federation sent a target that cannot be read")
    return out


class VantagePoint:
    """Call ``step`` again and again: it probes all targets once and returns the seconds until the next round."""

    def __init__(
        self,
        write: Callable[[str], None],
        *,
        clock: Callable[[], float],
        probe_all: Callable[[Iterable[Target]], Mapping[str, bool | None]] = probe,
    ) -> None:
        self._write, self._clock, self._probe = write, clock, probe_all
        self._log = ProbeLog()
        self._targets: Sequence[Target] = ()
        self._sequence = 0
        self._reported: Mapping[str, object] = {}
        self._reported_at: float | None = None

    def want(self, targets: Sequence[Target]) -> None:
        """What to probe from now on."""
        self._targets = targets

    def step(self) -> float:
        """Probe and report once. Errors of the report pass through; the next round reports again."""
        started, targets = self._clock(), self._targets
        if targets:
            self._log.record(self._probe(targets), self._clock())
        else:
            self._log.record({}, started)
        results = self._log.results(self._clock())
        seen = {key: result.seen for key, result in results.items()}
        due = self._reported_at is None or self._clock() - self._reported_at >= REPORT_SECONDS
        if seen != self._reported or (due and (targets or self._reported_at is None)):
            self._sequence += 1
            self._write(results_to_json(results, self._sequence))
            self._reported, self._reported_at = seen, self._clock()
        return max(0.0, period(len(targets)) - (self._clock() - started))
