"""The agent of one host: watch cache, one runner a role, the host's Lease and report, its certificate's renewal."""

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
from rancherctl.agents.host_report_writer import Heartbeat, Reporter
from rancherctl.agents.loop import Runner
from rancherctl.agents.role import Role
from rancherctl.errors import RancherctlError
from rancherctl.hosts.local import LocalTransport
from rancherctl.hosts.remote import disk
from rancherctl.kube.backoff import describe
from rancherctl.kube.cache import Cache
from rancherctl.kube.rest import RestClient

log = logging.getLogger(__name__)
HANG = 120.0
"""Seconds that one reconcile may take before the watchdog is no longer fed and the host no longer claims to live."""
KNOWN = (RancherctlError, OSError, disk.StepError)
"""Failures that are told in one line."""
RENEW_CHECK = 3600.0
RENEW_FIRST = 10.0
"""A host that was off for long looks soon; by then the API balancer knows who answers."""


def stop_event() -> threading.Event:
    """An Event that SIGTERM and SIGINT set. Call from the main thread."""
    event = threading.Event()

    def handle(signum: int, _: FrameType | None) -> None:
        log.info("stopping on %s; what is applied keeps serving", signal.Signals(signum).name)
        event.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    return event


def connect(config: AgentConfig, transport: LocalTransport, agent: str) -> RestClient:
    """A client with the newest certificate of this process's identity."""
    cert, key = renewal.current(transport, Path(config.cert), Path(config.key))
    return RestClient(config.server, ca=Path(config.ca), cert=cert, key=key, agent=agent)


Roles = Callable[[Callable[[tuple[str, ...]], None]], Sequence[Role]]
"""Makes the roles; given a way to have tables listed again."""


class Agent:
    """Runs until ``stop`` is set. ``notify`` speaks to systemd (ready, watchdog)."""

    def __init__(self, config: AgentConfig, roles: Roles, client: RestClient, notify: Callable[[str], None]) -> None:
        self._config, self._client, self._notify = config, client, notify
        made = roles(self._relist)
        self._reporter = Reporter(client, config.node, config.roles)
        specs = [spec for role in made for spec in role.tables]
        self._cache = Cache(client, specs, self._changed)
        self._runners = [Runner(role, self._cache.snapshot, self._reporter.put) for role in made]
        self._heartbeat = Heartbeat(client, config.node, config.lease_seconds, alive=self._speaks_for_itself)

    def _changed(self, names: frozenset[str]) -> None:
        for runner in self._runners:
            runner.changed(names)

    def _relist(self, names: tuple[str, ...]) -> None:
        self._cache.relist(names)

    def healthy(self) -> bool:
        """Whether every role's reconcile ends in time."""
        now = time.monotonic()
        return not any(r.busy_since and now - r.busy_since > HANG for r in self._runners)

    def _speaks_for_itself(self) -> bool:
        return self._reporter.reported and self.healthy()

    def run(self, stop: threading.Event) -> None:
        """Serve until ``stop``."""
        self._reporter.start()
        self._heartbeat.start()
        for runner in self._runners:
            runner.start()
        self._cache.start()
        self._notify("READY=1")
        thread = threading.Thread(target=self._renew, args=(stop,), name="renew", daemon=True)
        thread.start()
        while not stop.wait(10.0):
            if self.healthy():
                self._notify("WATCHDOG=1")
            else:
                log.error("a role hangs: no longer telling systemd that all is well")
        self._notify("STOPPING=1")
        self._heartbeat.stop()
        for runner in self._runners:
            runner.stop()
        self._reporter.stop()
        self._cache.stop(1.0)

    def _renew(self, stop: threading.Event) -> None:
        transport, node, pause = LocalTransport(self._config.node), self._config.node, RENEW_FIRST
        while not stop.wait(pause):
            pause = RENEW_CHECK
            try:
                if renewal.due(*renewal.window(transport, renewal.PROXY), time.time(), renewal.PROXY_PART):
                    renewal.renew_proxy(self._client, transport, node)
            except Exception as error:  # a thread that ends silently would let both certificates end
                log.warning(
                    "cannot renew the certificate of kube-proxy, trying again in an hour: %s",
                    describe(error),
                    exc_info=not isinstance(error, KNOWN),
                )
            try:
                cert, _ = renewal.current(transport, Path(self._config.cert), Path(self._config.key))
                if renewal.due(*renewal.window(transport, cert), time.time()):
                    renewal.renew(self._client, transport, node)
                    # A new process reads the new pair; the hosts' servers do not notice.
                    stop.set()
            except Exception as error:  # as above
                log.warning(
                    "cannot renew the certificate of this agent, trying again in an hour: %s",
                    describe(error),
                    exc_info=not isinstance(error, KNOWN),
                )
