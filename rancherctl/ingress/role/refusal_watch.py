"""Report what HAProxy refused or cut: in the agent's log, and for some time as problems of its Ingresses."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final

from rancherctl.ingress.annotations.traffic import READ_TIMEOUT
from rancherctl.ingress.haproxy import refusals
from rancherctl.ingress.haproxy.driver import Driver
from rancherctl.ingress.haproxy.layout import Layout
from rancherctl.ingress.haproxy.pools import Pool
from rancherctl.ingress.haproxy.responses import HEADER_LIMIT
from rancherctl.placement.model import ObjectProblem
from rancherctl.text import plural

PAUSE: Final = 5.0
REMEMBERED: Final = 600.0
"""Seconds between two looks, and for which a refusal is reported."""
MAX_LOG_LINES: Final = 5
"""Of one look: a client that sends nonsense must not fill the journal."""
_TOO_LARGE: Final = f"malformed, or headers larger than {HEADER_LIMIT >> 10} KB"
log = logging.getLogger(__name__)


class RefusalWatch:
    """Reads the log of refusals in HAProxy's memory. ``clock`` is monotonic, in seconds."""

    def __init__(self, driver: Driver, clock: Callable[[], float]) -> None:
        self._driver, self._clock = driver, clock
        self._looked = float("-inf")
        self._last = ""
        self._requests = float("-inf")
        self._problems: dict[str, tuple[float, ObjectProblem]] = {}

    def look(self, layout: Layout) -> None:
        """Read new lines, at most every PAUSE. Raises HaproxyError."""
        now = self._clock()
        if not layout.listeners or now - self._looked < PAUSE:
            return
        self._looked = now
        lines = refusals.new_lines(self._driver.refusals(), self._last)
        if not lines:
            return
        self._last = lines[-1]
        pools = {p.name: p for p in layout.pools if p.backend}
        texts = []
        for found in refusals.parse(lines):
            pool = pools.get(found.pool)
            if found.kind == "request":
                self._requests = now
                texts.append(f"request of {found.client} refused with 400: {_TOO_LARGE}")
            elif pool is not None:
                problem = _problem(found, pool)
                self._problems[pool.backend] = now, problem
                texts.append(f"request of {found.client}: {problem.message}")
        for text in texts[:MAX_LOG_LINES]:
            log.warning("%s", text)
        if len(texts) > MAX_LOG_LINES:
            log.warning("and %s more", plural(len(texts) - MAX_LOG_LINES, "request"))

    def problems(self) -> Mapping[str, ObjectProblem]:
        """Problems of the last REMEMBERED seconds by backend key."""
        limit = self._clock() - REMEMBERED
        self._problems = {key: entry for key, entry in self._problems.items() if entry[0] > limit}
        return {key: problem for key, (_, problem) in self._problems.items()}

    def note(self) -> str:
        """What concerns requests whose Ingress is not known, for people; "" if there were none."""
        if self._clock() - self._requests > REMEMBERED:
            return ""
        minutes = int(REMEMBERED // 60)
        return f"requests were refused with 400 in the last {minutes} minutes ({_TOO_LARGE}); see the agent's log"


def _problem(found: refusals.Refusal, pool: Pool) -> ObjectProblem:
    if found.kind == "response":
        message = f"an answer of {pool.backend} was replaced with 502: {_TOO_LARGE}"
        return ObjectProblem("ResponseRefused", message)
    limit = f"{pool.options.read_timeout / 1000:g} s"
    message = f"{pool.backend} sent nothing for {limit}, and the request was ended; {READ_TIMEOUT} sets this limit"
    return ObjectProblem("ReadTimeout", message, serious=False)
