"""Agent: run a host's roles on one watch cache, renew Lease and certificates, write the report."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from rancherctl.agents import renewal
from rancherctl.agents.config import AgentConfig
from rancherctl.agents.heartbeat import Heartbeat
from rancherctl.agents.host_report_writer import HostReportWriter
from rancherctl.agents.role_runner import RoleRunner
from rancherctl.hosts.local import LocalTransport
from rancherctl.kube.cache import Cache
from rancherctl.kube.rest import RestClient
from rancherctl.role_spec import HostRole
from rancherctl.worker import Worker

log = logging.getLogger(__name__)
HANG_SECONDS = 120.0
"""Seconds that one reconcile may take; after that the watchdog is not fed and the heartbeat stops."""
FEED_SECONDS = 10.0
"""Seconds between two messages to systemd's watchdog."""
RENEWAL_SECONDS = 3600.0
"""Seconds between two checks of a certificate, also after a failed renewal."""
FIRST_RENEWAL_SECONDS = 10.0
"""Delay of the first check: a host that was off for long renews soon, but first the API balancer finds its servers."""


def stop_event() -> threading.Event:
    """Return an Event that SIGTERM and SIGINT set. Call from the main thread."""
    event = threading.Event()

    def handle(signum: int, _: FrameType | None) -> None:
        log.info("stopping on %s; HAProxy, DNS and routes stay up", signal.Signals(signum).name)
        event.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    return event


def connect(config: AgentConfig, transport: LocalTransport, agent: str) -> RestClient:
    """Return a client with the newest certificate of this process's identity."""
    cert, key = renewal.current(transport, Path(config.cert), Path(config.key))
    return RestClient(config.server, ca=Path(config.ca), cert=cert, key=key, agent=agent)


Roles = Callable[[Callable[[tuple[str, ...]], None]], Sequence[HostRole]]
"""Builds the roles; its argument lists the named tables again."""


class Agent:
    """Runs until ``stop`` is set. ``notify`` sends messages to systemd (ready, watchdog)."""

    def __init__(self, config: AgentConfig, roles: Roles, client: RestClient, notify: Callable[[str], None]) -> None:
        self._config, self._client, self._notify = config, client, notify
        built = roles(self._relist)
        self.report = HostReportWriter(client, config.node, config.roles)
        self._cache = Cache(client, [spec for role in built for spec in role.tables], self._changed)
        self.runners = [RoleRunner(role, self._cache.snapshot, self.report.put) for role in built]
        self._heartbeat = Heartbeat(client, config.node, config.lease_seconds, alive=self.alive)

    def _changed(self, names: frozenset[str]) -> None:
        for runner in self.runners:
            runner.changed(names)

    def _relist(self, names: tuple[str, ...]) -> None:
        self._cache.relist(names)

    def hanging(self) -> tuple[str, ...]:
        """Roles whose reconcile in progress takes longer than HANG_SECONDS."""
        now = time.monotonic()
        return tuple(r.role.name for r in self.runners if r.busy_since and now - r.busy_since > HANG_SECONDS)

    def alive(self) -> bool:
        """Whether the heartbeat may say that this host is alive: it has reported, and no role hangs."""
        return self.report.reported and not self.hanging()

    def run(self, stop: threading.Event) -> None:
        """Serve until ``stop``."""
        self.report.start()
        self._heartbeat.start()
        for runner in self.runners:
            runner.start()
        self._cache.start()
        self._notify("READY=1")
        renewals = self.renewals(stop)
        for worker in renewals:
            worker.start()
        while not stop.wait(FEED_SECONDS):
            if roles := self.hanging():
                text = "a reconcile of role %s hangs for over %.0f s: systemd's watchdog will restart this agent"
                log.error(text, ", ".join(roles), HANG_SECONDS)
            else:
                self._notify("WATCHDOG=1")
        self._notify("STOPPING=1")
        self._heartbeat.stop()
        for worker in renewals:
            worker.stop(None)
        for runner in self.runners:
            runner.stop()
        self.report.stop()
        self._cache.stop(1.0)

    def renewals(self, stop: threading.Event) -> tuple[Worker, ...]:
        """Return one worker for each certificate; ``stop`` is set after the agent's own was renewed."""
        transport, node = LocalTransport(self._config.node), self._config.node

        def renew_proxy() -> float:
            start, end = renewal.window(transport, renewal.PROXY)
            if renewal.due(start, end, time.time(), renewal.PROXY_PART):
                renewal.renew_proxy(self._client, transport, node, stop=stop)
            return RENEWAL_SECONDS

        def renew_own() -> float:
            cert, _ = renewal.current(transport, Path(self._config.cert), Path(self._config.key))
            if renewal.due(*renewal.window(transport, cert), time.time()):
                renewal.renew(self._client, transport, node, stop=stop)
                stop.set()  # systemd starts a new process, which reads the new pair; HAProxy and DNS keep serving
            return RENEWAL_SECONDS

        return tuple(
            Worker(
                f"renewal of {name} certificate", action, retry=lambda _: RENEWAL_SECONDS, first=FIRST_RENEWAL_SECONDS
            )
            for name, action in (("the kube-proxy", renew_proxy), ("this agent's", renew_own))
            if action is renew_own or not self._config.federation
        )
