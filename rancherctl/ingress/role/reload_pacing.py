"""Decide what HAProxy does now, and keep reloads apart: each one leaves an old worker with its connections."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rancherctl.ingress.haproxy import plan, postponed, process
from rancherctl.ingress.haproxy.driver import Driver, OvertakenError
from rancherctl.ingress.haproxy.layout import Layout
from rancherctl.ingress.haproxy.pem_files import Pairs
from rancherctl.ingress.haproxy.plan import Decision, Reload, Unchanged
from rancherctl.ingress.model import Model
from rancherctl.ingress.role.bursts import Bursts
from rancherctl.kube.decode import acyclic

MANY_OLD_WORKERS: Final = 2
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReloadPauses:
    """Least seconds between two reloads; ``crowded``: while MANY_OLD_WORKERS still finish their connections."""

    usual: float = 2.0
    crowded: float = 15.0


USUAL: Final = ReloadPauses()


class ReloadPacing:
    """Reloads that different changes want within a pause become one.

    Meanwhile, HAProxy follows everything that needs no reload. What concerns the whole process, for example a new
    listener, waits for the usual pause only: an Ingress may have to move to this host within seconds. A process
    without listeners has no clients, so nothing waits. ``wait``: seconds until the next reload, None if none is wanted.
    ``bursts`` may delay any reload for a moment, so that changes which come together are in the same one.

    Repairs of HAProxy (health.py) do not wait, but count: call ``note`` after each of them.
    """

    def __init__(self, driver: Driver, clock: Callable[[], float], pauses: ReloadPauses, bursts: Bursts) -> None:
        self._driver, self._clock, self._pauses, self._bursts = driver, clock, pauses, bursts
        self._seen, self._last = driver.counters.reloads, float("-inf")
        self._reason = ""
        self.wait: float | None = None

    def follow(self, now: Layout | None, model: Model, worker: int, pair: Pairs) -> tuple[Decision, Layout]:
        """Decide, and carry it out; also returns the layout that HAProxy was verified to have. Raises HaproxyError."""
        decision = self.decide(now, model, worker)
        may_wait = now is not None and bool(now.listeners)
        try:
            return decision, self._driver.apply(decision, pair, self._bursts.overtaken if may_wait else lambda: False)
        except OvertakenError:
            decision = self.decide(now, model, worker)
            return decision, self._driver.apply(decision, pair)

    def decide(self, now: Layout | None, model: Model, worker: int) -> Decision:
        """How HAProxy gets from ``now``, the layout of its running ``worker``, nearer to ``model``.

        Raises HaproxyError.
        """
        self.wait = None
        busy = self._busy(now, model)
        decision = self._planned(now, model, busy)
        if isinstance(decision, Reload) and now is not None and now.listeners:
            decision = self._postponed(now, model, decision, worker, busy)
        if isinstance(decision, Reload):
            log.info("reloading HAProxy: %s", decision.reason)
        if self.wait is None:
            self._reason = ""
            self._bursts.end()
        return decision

    def _postponed(self, now: Layout, model: Model, reload: Reload, worker: int, busy: plan.Busy) -> Decision:
        """``reload``, or what can be done until it is time for it."""
        since, gathering = self._since_last(), self._bursts.left(model.loaded)
        rested = since >= max(self._pauses.usual, self._pauses.crowded)
        if rested and gathering <= 0:
            return reload
        part = postponed.without_reload(now, model, busy)
        instead = self._planned(now, part, self._busy(now, part)) if part else reload
        alone = not isinstance(instead, Reload)
        crowded = alone and not rested and process.finishing(worker) >= MANY_OLD_WORKERS
        wait = max((self._pauses.crowded if crowded else self._pauses.usual) - since, gathering)
        if wait <= 0:
            return reload
        self.wait = wait
        if reload.reason != self._reason:
            log.info("HAProxy is reloaded in %.1f s, with other changes until then: %s", wait, reload.reason)
            self._reason = reload.reason
        return instead if alone else Unchanged(now)

    def _planned(self, now: Layout | None, model: Model, busy: plan.Busy) -> Decision:
        with acyclic():
            return plan.plan(now, model, self._driver.paths, busy)

    def _busy(self, now: Layout | None, model: Model) -> plan.Busy:
        pools = plan.contended(now, model)
        return self._driver.busy(pools) if pools else frozenset()

    def waiting(self, model: Model, layout: Layout) -> frozenset[str]:
        """Ingresses that ``layout`` serves with another content than ``model``, because a reload is delayed."""
        if self.wait is None:
            return frozenset()
        return frozenset(key for key, content in layout.loaded.items() if model.loaded.get(key, content) != content)

    def note(self) -> None:
        """Note that HAProxy may just have been reloaded."""
        if self._driver.counters.reloads != self._seen:
            self._seen, self._last = self._driver.counters.reloads, self._clock()

    def _since_last(self) -> float:
        """Seconds since a reload was last noted."""
        self.note()
        return self._clock() - self._last
