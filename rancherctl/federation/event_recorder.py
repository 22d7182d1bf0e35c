"""EventRecorder: Events of federated Services about conflicts, holds, withdrawn addresses, and the end of them."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from rancherctl.contract import FEDERATION_CONTROLLER
from rancherctl.errors import RancherctlError
from rancherctl.federation.objects import Federated
from rancherctl.ingress.status.events import EventApi, write_event
from rancherctl.kube.backoffs import Backoffs
from rancherctl.kube.client import SERVICES
from rancherctl.kube.http.failures import concerns_one
from rancherctl.placement.model import ObjectProblem

log = logging.getLogger(__name__)
PER_CALL: Final = 50
PER_SERVICE: Final = 10


class EventRecorder:
    """``record`` writes what is new. ``now``: RFC 3339; ``clock``: monotonic seconds."""

    def __init__(self, api: EventApi, *, clock: Callable[[], float], now: Callable[[], str]) -> None:
        self._api, self._clock, self._now = api, clock, now
        self._known: dict[str, frozenset[ObjectProblem]] = {}
        self._backoffs = Backoffs(random.Random())  # noqa: S311  # spreads load, protects nothing

    def record(self, services: Mapping[str, Federated], problems: Mapping[str, Sequence[ObjectProblem]]) -> None:
        """Write at most PER_CALL Events: problems that began, and one when the last problem of a Service has ended."""
        self._known = {key: known for key, known in self._known.items() if key in services}
        left = PER_CALL
        for key, found in problems.items():
            now_there, known = frozenset(found[:PER_SERVICE]), self._known.get(key, frozenset())
            if now_there == known or left <= 0 or not self._backoffs.open(key, self._clock()):
                continue
            new = [problem for problem in found[:PER_SERVICE] if problem not in known]
            if known and not now_there:
                new = [ObjectProblem("Recovered", "all problems in members have ended", serious=False)]
            if all(self._write(services[key], problem) for problem in new):
                self._known[key] = now_there
            left -= len(new)

    def _write(self, service: Federated, problem: ObjectProblem) -> bool:
        try:
            write_event(self._api, SERVICES, service.meta, problem, self._now(), FEDERATION_CONTROLLER)
        except RancherctlError as error:
            wait = self._backoffs.failed(service.id.key, self._clock(), error)
            log.info(
                "%s: the Event %s cannot be written, retrying in %.1f s: %s", service.id, problem.reason, wait, error
            )
            if not concerns_one(error):
                raise
            return False
        return True
