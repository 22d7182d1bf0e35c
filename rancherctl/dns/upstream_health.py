"""Watch the upstream resolvers, so that the server forwards to the first of them that answers."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from rancherctl.dns import probe, upstreams
from rancherctl.dns.upstreams import Health, of_resolv_conf
from rancherctl.worker import Worker

log = logging.getLogger(__name__)
RESOLV_CONF = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
"""The first file that names a server other than this host is used: behind systemd-resolved that is the second.

The second may also be left over, empty or outdated, where systemd-resolved ran once.
"""
INTERVAL = 2.0
"""Seconds from the start of one probe to the next."""
DOUBT_INTERVAL = 0.2
"""Seconds between two probes while one more would tell whether an upstream is dead."""


class UpstreamMonitor:
    """Probes all upstreams in a thread, keeps ``order`` up to date and calls ``wake`` when it changes.

    ``stubs`` maps a domain to its servers: they are probed and reported, and the server chooses among them itself.
    """

    def __init__(
        self,
        configured: tuple[str, ...],
        own: Collection[str],
        wake: Callable[[], None],
        *,
        stubs: Mapping[str, Sequence[str]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._configured, self._own, self._wake, self._clock = configured, frozenset(own), wake, clock
        self._health = {domain: Health() for domain in ("", *sorted(stubs or {}))}
        for domain, servers in (stubs or {}).items():
            self._health[domain].use(tuple(map(upstreams.canonical, servers)))
        self._order: tuple[str, ...] | None = None
        self._rows: list[dict[str, Any]] = []
        self._worker = Worker("dns-upstreams", self._probe, retry=lambda _: INTERVAL)

    @property
    def order(self) -> tuple[str, ...] | None:
        """The upstreams to forward to: one, or all if none answers; None until that is known."""
        return self._order

    @property
    def dead(self) -> tuple[str, ...]:
        """The upstreams that do not answer, in their order."""
        return self._health[""].dead

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The state of all upstreams and servers of stub domains (upstreams.rows)."""
        return self._rows

    def count(self, queries: int) -> None:
        """Note that the server has sent queries to the upstream in use."""
        order = self._order
        if order is not None and len(order) == 1 and (state := self._health[""].states.get(order[0])) is not None:
            state.queries += queries

    def start(self) -> None:
        """Start probing."""
        self._worker.start()

    def stop(self) -> None:
        """Stop probing."""
        self._worker.stop(probe.SLOW_TIMEOUT + 1.0)

    def _probe(self) -> float:
        began = self._clock()
        main = self._health[""]
        main.use(tuple(dict.fromkeys(map(upstreams.canonical, self._configured or host_upstreams(self._own)))))
        asked = {
            (domain, upstream): _questions(health, upstream, domain)
            for domain, health in self._health.items()
            for upstream in health.upstreams
        }
        doubt = any(health.doubtful() for health in self._health.values())
        for (domain, upstream), result in probe.probe(
            asked, timeout=probe.SLOW_TIMEOUT if doubt else probe.TIMEOUT
        ).items():
            self._note(self._health[domain], domain, upstream, result)
        order, used = main.chosen(), self._order
        if order is not None and order != used:
            self._order = order
            log.info("forwarding to %s; not answering: %s", ", ".join(order) or "none", ", ".join(self.dead) or "none")
            self._wake()
        now = self._clock()
        self._rows = [
            row
            for domain, health in self._health.items()
            for row in upstreams.rows(
                health,
                domain,
                health.upstreams if domain else self._order or (),
                now,
                counted=len(self._health) == 1,
            )
        ]
        if any(health.doubtful() for health in self._health.values()):
            return DOUBT_INTERVAL
        return max(DOUBT_INTERVAL, INTERVAL - (now - began))

    def _note(self, health: Health, domain: str, upstream: str, result: upstreams.ProbeResult) -> None:
        before = health.states[upstream].alive
        health.note(upstream, result, self._clock())
        after = health.states[upstream].alive
        if before is not after and (before is not None or not after):
            name = f"{upstream} of {domain}" if domain else upstream
            if after:
                log.info("upstream %s answers again", name)
            else:
                log.warning("upstream %s does not answer: %s", name, result.why)


def _questions(health: Health, upstream: str, domain: str) -> Sequence[probe.Question]:
    """The first test question; all of them if that was not answered well the last time."""
    last = health.states[upstream].last
    every = probe.questions(domain)
    return every[:1] if last is None or (last.answered and not last.why and not last.note) else every


def host_upstreams(own: Collection[str]) -> tuple[str, ...]:
    """The host's own resolvers."""
    for path in RESOLV_CONF:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:  # a host without this file has the other one, or no resolver at all
            continue
        if found := of_resolv_conf(text, own):
            return found
    return ()
