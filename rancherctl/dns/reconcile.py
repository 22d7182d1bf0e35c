"""The dns role of a host's agent: keeps the server on this host equal to the tables and returns a report section."""

from __future__ import annotations

import heapq
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rancherctl.dns import named_conf, stats
from rancherctl.dns.client import Channel
from rancherctl.dns.daemon import Daemon
from rancherctl.dns.forwarding import Forwarding
from rancherctl.dns.heal import Healer
from rancherctl.dns.model import DnsHostConfig
from rancherctl.dns.names import zone_of
from rancherctl.dns.query_counters import QueryCounters
from rancherctl.dns.records import Shape
from rancherctl.dns.role_spec import SPEC
from rancherctl.dns.status import write_section
from rancherctl.dns.store import Store
from rancherctl.dns.sync import CHECK, Sync
from rancherctl.dns.upstream_health import UpstreamMonitor
from rancherctl.dns.verify import Verifier
from rancherctl.dns.wanted import Changes, Wanted
from rancherctl.dns.zone_state import ZoneState
from rancherctl.errors import RancherctlError, UnreachableError
from rancherctl.kube.snapshot import Snapshot
from rancherctl.kube.tables import PODS

log = logging.getLogger(__name__)
COPY_AFTER_QUIET, COPY_LATEST = 5.0, 60.0
"""Seconds: zones are copied after this quiet time, or this long after the oldest change that is not in the copy."""
STATS_EVERY = 15.0
FORWARD_RETRY = 10.0
RELIST_EVERY = 30.0
MAX_PROBLEMS = 50
"""Objects named in the section: its report has a size limit, and a tenant can create thousands of bad Services."""
SECTION_EVERY = 5.0
SOON = 0.05
NO_UPSTREAM = (
    "names outside the environment fail: the only resolver in this host's resolv.conf is the host itself; "
    "set spec.dns.upstreams"
)


class DnsRole:
    """Satisfies role_spec.HostRole. ``relist`` (optional) makes the watch cache list the named tables again.

    ``run_file`` is where the section is written for `dns status` (status.RUN_FILE on hosts). Without ``counters``,
    queries to upstreams are not counted.
    """

    name = SPEC.name

    def __init__(
        self,
        config: DnsHostConfig,
        daemon: Daemon,
        *,
        relist: Callable[[tuple[str, ...]], None] | None = None,
        probe: bool = True,
        run_file: Path | None = None,
        counters: QueryCounters | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        zones = named_conf.zones(config)
        self.tables = tuple(table for table in SPEC.tables if config.pod_names or table is not PODS)
        self.resync = CHECK
        self._config, self._relist, self._probe, self._clock = config, relist, probe, clock
        self._zones = frozenset(zones)
        self._wanted = Wanted(Shape(config.domain, self._zones))
        self._states = {zone: ZoneState(zone) for zone in zones}
        self._store = Store(config.data)
        self._channel = Channel(config.control_port, config.key_file)
        self._healer = Healer(config.domain, self._store, daemon, clock)
        verifier = Verifier(lambda: Channel(config.control_port, config.key_file), zones)
        self._sync = Sync(self._channel, verifier, self._healer, tuple(self._states.values()), clock)
        self._monitor: UpstreamMonitor | None = None
        self._forwarding = Forwarding(config, self._store, daemon)
        self._lags: deque[float] = deque(maxlen=500)
        self._snapshot_number = -1
        self._api_seen_at = clock()
        self._kept: dict[str, str] = {}
        self._copy_problem, self._copy_retry_at = "", float("-inf")
        self._forward_problem, self._forward_retry_at = "", float("-inf")
        self._last: dict[str, str] = {}
        self._changed = self._behind = clock()
        self._stats: tuple[float, stats.Stats | None] = (float("-inf"), None)
        self._unanswered = 0
        self._relisted = float("-inf")
        self._run_file, self._counters = run_file, counters
        self._written: tuple[float, Mapping[str, Any]] = (float("-inf"), {})
        self._set_wanted(self._wanted.fixed(config.addresses))

    def start(self, wake: Callable[[], None]) -> None:
        """Start to monitor the upstreams."""
        self._store.tidy()
        if self._probe:
            self._monitor = UpstreamMonitor(
                self._config.upstreams,
                self._config.addresses,
                wake,
                stubs=self._config.stub_domains,
                count=self._counters.read if self._counters else None,
            )
            self._monitor.start()

    def stop(self) -> None:
        """Save a copy of the zones and disconnect; the server keeps running."""
        if self._monitor is not None:
            self._monitor.stop()
        self._try_copy()
        self._channel.close()

    def reconcile(self, snapshot: Snapshot) -> Mapping[str, Any]:
        """Make the server answer what the snapshot says.

        While tables are not synced the server keeps its answers, and damaged zones are restored from the saved copy.
        """
        try:
            section = self._reconcile(snapshot)
        except (RancherctlError, OSError) as error:
            self._write_section({**self._written[1], "synced": False, "error": str(error)})
            raise
        self._write_section(section)
        return section

    def _reconcile(self, snapshot: Snapshot) -> Mapping[str, Any]:
        began = self._clock()
        found = [snapshot.table(spec.name) for spec in self.tables]
        synced = all(table.synced for table in found)
        if synced and all(table.healthy for table in found):
            self._api_seen_at = began
        changed = synced and snapshot.number != self._snapshot_number
        if changed:
            services, slices = found[0].items, found[1].items
            self._set_wanted(self._wanted.update(services, slices, found[2].items if len(found) > 2 else {}))
            self._snapshot_number = snapshot.number
        updates = self._sync.updates
        problem = self._round(synced, tuple(t.epoch for t in found), "/".join(t.resource_version for t in found))
        if self._sync.updates != updates:
            self._lags.append(self._clock() - began)
        if not problem:  # SIGHUP would end a process that has just started
            self._forwarders()
        self._copy_if_due()
        return self._section(synced, problem)

    def _write_section(self, section: Mapping[str, Any]) -> None:
        """Write the section to ``run_file``, where `dns status` finds it without the API."""
        if self._run_file is None or (
            self._clock() - self._written[0] < SECTION_EVERY and {**section, "metrics": 0} == self._written[1]
        ):
            return
        try:
            write_section(section, self._run_file)
        except OSError as error:  # `dns status` shows the age of the last one
            log.warning("cannot write %s: %s", self._run_file, error)
            return
        self._written = (self._clock(), {**section, "metrics": 0})

    def _set_wanted(self, changes: Changes) -> None:
        for key, new in changes.items():
            zone = zone_of(key.partition(" ")[0], self._zones)
            self._states[zone].set_wanted(key, new)

    def _round(self, synced: bool, epochs: tuple[int, ...], version: str) -> str:
        try:
            settled = self._sync.step(synced=synced, epochs=epochs, version=version)
        except UnreachableError as error:
            # systemd restarts a dead server; until then retry soon, with a growing pause.
            self._unanswered += 1
            self.resync = min(CHECK, SOON * 2 ** min(self._unanswered, 10))
            return str(error)
        self._unanswered = 0
        self.resync = CHECK if settled else SOON * 4
        if self._sync.relist_due and self._relist is not None and self._clock() - self._relisted >= RELIST_EVERY:
            self._relisted = self._clock()
            self._relist(tuple(spec.name for spec in self.tables))
        return ""

    def _forwarders(self) -> None:
        """Apply the upstreams; a failure (full disk, failed reload) does not stop updates of the cluster's names."""
        if self._monitor is None or self._clock() < self._forward_retry_at:
            return
        try:
            version = server.version if (server := self._server()) else ""
            stale = named_conf.stale_after(version, silent=self._monitor.silent)
            self._forwarding.use(self._monitor.order, self._monitor.stubs, stale)
        except (RancherctlError, OSError) as error:
            self._forward_problem, self._forward_retry_at = (
                f"cannot update the upstreams: {error}",
                self._clock() + FORWARD_RETRY,
            )
            log.warning("%s", self._forward_problem)
        else:
            self._forward_problem = ""

    def _copy_if_due(self) -> None:
        hashes = {zone: digest for zone, state in self._states.items() if (digest := state.have_hash())}
        now = self._clock()
        if hashes != self._last:
            self._last, self._changed = hashes, now
        if not hashes.items() - self._kept.items():
            self._behind = now
        elif now >= self._copy_retry_at and (
            now - self._changed >= COPY_AFTER_QUIET or now - self._behind >= COPY_LATEST
        ):
            self._try_copy()

    def _try_copy(self) -> None:
        """Copy the zones; a failure (a full disk) is reported and retried later and does not stop updates."""
        try:
            self._copy()
        except (RancherctlError, OSError) as error:
            self._copy_problem, self._copy_retry_at = (
                f"cannot save a copy of the zones: {error}",
                self._clock() + COPY_LATEST,
            )
            log.warning("%s", self._copy_problem)
        else:
            self._copy_problem = ""

    def _copy(self) -> None:
        for zone, digest in self._last.items():
            if self._kept.get(zone) != digest and self._states[zone].have_hash() == digest:
                self._healer.keep(self._states[zone])
                self._kept[zone] = digest

    def _server(self) -> stats.Stats | None:
        read_at, last = self._stats
        if self._clock() - read_at >= STATS_EVERY:
            try:
                last = stats.read(self._config.stats_port)
            except RancherctlError as error:  # missing counters must not stop updates
                log.debug("%s", error)
            self._stats = (self._clock(), last)
        return last

    def _section(self, synced: bool, problem: str) -> dict[str, Any]:
        server = self._server()
        missing = sorted(self._zones - self._sync.loaded)
        order = self._monitor.order if self._monitor is not None else None
        alarms = [f"{zone} {text}" for zone, text in sorted(self._sync.alarms.items())]
        alarms += [
            text for text in (self._copy_problem, self._forward_problem, NO_UPSTREAM if order == () else "") if text
        ]
        lags = sorted(self._lags)
        return {
            "synced": synced and not problem and not missing,
            "problem": problem or (f"zones not loaded: {', '.join(missing)}" if missing else ""),
            "alarm": "; ".join(alarms),
            "problems": first_problems(self._wanted.problems),
            "upstreams": {
                "used": list(order or ()),
                "dead": list(self._monitor.dead if self._monitor else ()),
                "servers": self._monitor.rows if self._monitor else [],
            },
            "engine": server.version if server else "",
            "healed": self._healer.healed + self._sync.repairs,
            "metrics": {
                "records": sum(len(m.have) for m in self._states.values() if m.have is not None),
                "hash": self._states[f"{self._config.domain}."].have_hash(),
                "pending": sum(len(m.pending) for m in self._states.values()) if synced else 0,
                "updates": self._sync.updates,
                "unheard": round(self._clock() - self._api_seen_at, 1),
                "lag_ms": {
                    "p50": _percent(lags, 0.5),
                    "p99": _percent(lags, 0.99),
                    "last": round(self._lags[-1] * 1e3, 2) if lags else 0.0,
                },
                **(server.as_json() if server else {}),
            },
        }


def first_problems(problems: Mapping[str, str]) -> dict[str, str]:
    """The first MAX_PROBLEMS problems by name; ``…`` has the number of the rest."""
    shown = {name: problems[name] for name in heapq.nsmallest(MAX_PROBLEMS, problems)}
    return (
        {**shown, "…": f"and {len(problems) - len(shown)} more: rancherctl dns ls lists them all"}
        if len(problems) > len(shown)
        else shown
    )


def _percent(ordered: list[float], share: float) -> float:
    return round(ordered[int(share * (len(ordered) - 1))] * 1e3, 2) if ordered else 0.0
