"""StatusWriter: write statuses and Events of one kind of objects in batches; what fails waits alone."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Generic, TypeVar

from rancherctl.agents.clock import micro_time
from rancherctl.agents.fence import Fenced
from rancherctl.agents.leader import NotLeaderError
from rancherctl.change import Change
from rancherctl.errors import RancherctlError
from rancherctl.ingress.status import publish
from rancherctl.ingress.status.events import write_event
from rancherctl.kube.backoffs import Backoffs
from rancherctl.kube.client import Json, Resource
from rancherctl.kube.http.failures import concerns_one
from rancherctl.kube.objects import Meta
from rancherctl.placement.model import ObjectProblem

log = logging.getLogger(__name__)
STATUSES_PER_CALL: Final = 200
"""Between two batches the other controllers run, so that a host that dies meanwhile is noticed."""
EVENTS_PER_CALL: Final = 50
EVENTS_PER_OBJECT: Final = 10
"""Events about one object, serious problems first; its status lists all."""

Status = TypeVar("Status")


class StatusWriter(Generic[Status]):
    """Writes for objects of ``resource``, whose plural for people is ``noun``.

    ``urgency`` is the sort key of a change: what must be withdrawn comes first.
    """

    def __init__(
        self,
        client: Fenced,
        resource: Resource,
        noun: str,
        urgency: Callable[[Change[Status]], tuple[int, str]],
    ) -> None:
        self._client, self._resource, self._noun, self._urgency = client, resource, noun, urgency
        self._recorded: set[tuple[str, str]] = set()
        choose = random.Random()  # noqa: S311  # spreads load, protects nothing
        self._writes, self._events = Backoffs(choose), Backoffs(choose)

    def wakes(self, now: float) -> list[float]:
        """Seconds until what failed is due again."""
        return [pause for pause in (self._writes.wake(now), self._events.wake(now)) if pause is not None]

    def write(
        self,
        metas: Mapping[str, Meta],
        plan: Iterable[Change[Status]],
        now: float,
        patch: Callable[[Meta, Status], Json],
    ) -> bool:
        """Write one batch; returns whether there is more. ``patch`` makes the merge patch of a status subresource.

        A failed write waits alone; an error that concerns all writes is raised.
        """
        todo = {c.key: c for c in plan}
        self._writes.keep(todo.keys())
        versions = {key: metas[key].resource_version for key in todo}
        ready = sorted((c for c in todo.values() if self._writes.open(c.key, now, versions[c.key])), key=self._urgency)
        batch = ready[:STATUSES_PER_CALL]
        result = publish.write_statuses(self._client, self._resource, metas, batch, patch)
        for key in result.done:
            self._writes.done(key, now, versions[key])
        waits = [self._writes.failed(key, now, error) for key, error in result.failed.items()]
        if waits:
            key, why = min(result.failed.items())
            text = "cannot write the status of %d %s, retrying in %.1f s; the first is %s: %s"
            log.warning(text, len(waits), self._noun, min(waits), key, why)
        if result.stopped:
            raise result.stopped
        return len(ready) > STATUSES_PER_CALL

    def write_events(
        self, metas: Mapping[str, Meta], problems: Mapping[str, tuple[ObjectProblem, ...]], now: float
    ) -> bool:
        """Write one batch of the Events that are not written yet; returns whether there is more."""
        listed = ((key, p) for key, found in problems.items() if key in metas for p in found[:EVENTS_PER_OBJECT])
        events = {(metas[key].uid, p.reason + p.message): (key, p) for key, p in listed}
        self._recorded &= events.keys()
        self._events.keep({*events, None})
        ready = [event for event in events if event not in self._recorded and self._events.open(event, now)]
        if not self._events.open(None, now):
            return False
        for event in ready[:EVENTS_PER_CALL]:
            key, problem = events[event]
            try:
                write_event(self._client, self._resource, metas[key], problem, micro_time()[:19] + "Z")
            except NotLeaderError:
                raise
            except RancherctlError as error:
                alone = concerns_one(error)
                wait = self._events.failed(event if alone else None, now, error)
                log.info("%s: cannot write the Event %s, retrying in %.1f s: %s", key, problem.reason, wait, error)
                if not alone:
                    return False
            else:
                self._recorded.add(event)
        return len(ready) > EVENTS_PER_CALL
