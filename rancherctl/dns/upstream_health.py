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
COUNT_EVERY = 10.0
"""Seconds between two looks at the counters of queries, which start a process."""
DOUBT_INTERVAL = 0.2
"""Seconds between two probes while one more would tell whether an upstream is dead."""


class UpstreamMonitor:
    """Probes all upstreams in a thread, keeps ``order`` and ``stubs`` up to date and calls ``wake`` when they change.

    ``stubs`` maps a domain to its servers. ``count`` returns the queries sent to each server (QueryCounters.read).
    """

    def __init__(
        self,
        configured: tuple[str, ...],
        own: Collection[str],
        wake: Callable[[], None],
        *,
        stubs: Mapping[str, Sequence[str]] | None = None,
        count: Callable[[Sequence[str]], Mapping[str, int]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._configured, self._own, self._wake, self._clock = configured, frozenset(own), wake, clock
        self._count, self._counted_at, self._queries = count, -COUNT_EVERY, dict[str, int]()
        self._health = {domain: Health() for domain in ("", *sorted(stubs or {}))}
        for domain, servers in (stubs or {}).items():
            self._health[domain].use(tuple(map(upstreams.canonical, servers)))
        self._silent = False
        self._chosen: dict[str, tuple[str, ...] | None] = dict.fromkeys(self._health)
        self._rows: list[dict[str, Any]] = []
        self._worker = Worker("dns-upstreams", self._probe, retry=lambda _: INTERVAL)

    @property
    def order(self) -> tuple[str, ...] | None:
        """The upstreams to forward to: one, or all if none answers; None until that is known."""
        return self._chosen[""]

    @property
    def stubs(self) -> Mapping[str, tuple[str, ...]] | None:
        """For each stub domain the servers to forward to, as ``order``; None until that is known of all."""
        found = {domain: servers for domain, servers in self._chosen.items() if domain and servers is not None}
        return found if len(found) == len(self._chosen) - 1 else None

    @property
    def silent(self) -> bool:
        """Whether no upstream answers."""
        return self._silent

    @property
    def dead(self) -> tuple[str, ...]:
        """The upstreams that do not answer, in their order."""
        return self._health[""].dead

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The state of all upstreams and servers of stub domains (upstreams.rows)."""
        return self._rows

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
        if self._choose():
            self._wake()
        now = self._clock()
        if self._count is not None and now - self._counted_at >= COUNT_EVERY:
            servers = [one for health in self._health.values() for one in health.upstreams]
            self._counted_at, self._queries = now, dict(self._count(servers))
        self._rows = [
            row
            for domain, health in self._health.items()
            for row in upstreams.rows(
                health,
                domain,
                self._chosen[domain] or (),
                now,
                self._queries,
            )
        ]
        if any(health.doubtful() for health in self._health.values()):
            return DOUBT_INTERVAL
        return max(DOUBT_INTERVAL, INTERVAL - (now - began))

    def _choose(self) -> bool:
        """Decide which servers to forward to; whether that or ``silent`` has changed."""
        changed, self._silent = self._silent != self._health[""].silent, self._health[""].silent
        for domain, health in self._health.items():
            chosen = health.chosen()
            if chosen is None or chosen == self._chosen[domain]:
                continue
            self._chosen, changed = {**self._chosen, domain: chosen}, True
            log.info(
                "forwarding %s to %s; not answering: %s",
                domain or "queries",
                ", ".join(chosen) or "none",
                ", ".join(health.dead) or "none",
            )
        return changed

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
