"""RepeatedEvents: warnings about objects that stand as Events for as long as they are true."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from math import inf

from rancherctl.agents.clock import micro_time
from rancherctl.agents.fence import Fenced
from rancherctl.contract import CONTROLLER_NAME
from rancherctl.errors import ConflictError, NotFoundError, RancherctlError
from rancherctl.kube.backoffs import Backoffs
from rancherctl.kube.client import EVENTS, Json
from rancherctl.kube.http.failures import concerns_one
from rancherctl.kube.objects import Meta

log = logging.getLogger(__name__)
MAX_WRITES = 50
"""Events written in one call: thousands of them must not delay the detection of a dead host."""
REPEAT_SECONDS = 1500.0
"""Seconds after which an Event is renewed: API servers drop Events after an hour."""
CHECK_SECONDS = 60.0


class RepeatedEvents:
    """Write one Event for each object of a kind, and renew it before the API drops it or when its text changes.

    Its name is made from the object and ``suffix``: a restarted controller creates no second one.
    """

    def __init__(
        self,
        client: Fenced,
        clock: Callable[[], float],
        *,
        api_version: str,
        kind: str,
        reason: str,
        suffix: str = "rancherctl",
    ) -> None:
        self._client, self._clock = client, clock
        self._api_version, self._kind, self._reason, self._suffix = api_version, kind, reason, suffix
        self._written: dict[str, tuple[float, str]] = {}
        self._backoffs = Backoffs(random.Random())  # noqa: S311  # spreads load, protects nothing

    def write(self, wanted: Mapping[str, tuple[Meta, str]]) -> float:
        """Write the Events that are due, at most MAX_WRITES; returns the time of the next call.

        ``wanted``: uid → the object and the message. A write that fails for one object backs off alone; an error that
        concerns every write is raised.
        """
        now = self._clock()
        self._written = {uid: done for uid, done in self._written.items() if uid in wanted}
        self._backoffs.keep(set(wanted))
        due = [
            (meta, message)
            for uid, (meta, message) in wanted.items()
            if not meta.deleting and self._due(uid, message, now) and self._backoffs.open(uid, now)
        ]
        for meta, message in due[:MAX_WRITES]:
            try:
                self._write(meta, message)
            except RancherctlError as error:
                if not concerns_one(error):
                    raise
                wait = self._backoffs.failed(meta.uid, now, error)
                log.info("cannot write the Event of %s %s, retrying in %.1f s: %s", self._kind, meta.key, wait, error)
            else:
                self._written[meta.uid] = (now, message)
        waits = (CHECK_SECONDS, self._backoffs.wake(now) or CHECK_SECONDS)
        return now if len(due) > MAX_WRITES else now + min(waits)

    def _due(self, uid: str, message: str, now: float) -> bool:
        at, text = self._written.get(uid, (-inf, ""))
        return text != message or now - at >= REPEAT_SECONDS

    def event(self, meta: Meta, message: str, now: str) -> Json:
        """The Event; ``now`` is RFC 3339."""
        stamp = now[:19] + "Z"
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{meta.name[:200].rstrip('.-')}.{meta.uid[:8]}.{self._suffix}",
                "namespace": meta.namespace,
            },
            "involvedObject": {
                "apiVersion": self._api_version,
                "kind": self._kind,
                "namespace": meta.namespace,
                "name": meta.name,
                "uid": meta.uid,
            },
            "reason": self._reason,
            "message": message,
            "type": "Warning",
            "source": {"component": CONTROLLER_NAME},
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "count": 1,
        }

    def _write(self, meta: Meta, message: str) -> None:
        new = self.event(meta, message, micro_time())
        try:
            self._client.create(EVENTS, new, namespace=meta.namespace)
        except NotFoundError as error:
            log.debug("%s: its namespace is being deleted: %s", meta.key, error)
        except ConflictError:
            # It exists: renew its time stamp, so that the API keeps it for another hour.
            renewal = {"lastTimestamp": new["lastTimestamp"], "message": message}
            self._client.patch(EVENTS, new["metadata"]["name"], renewal, namespace=meta.namespace)
