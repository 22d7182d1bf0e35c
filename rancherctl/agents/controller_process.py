"""ControllerProcess: hold the leader election and run the controllers of each cluster on that cluster's watch cache."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rancherctl import __version__
from rancherctl.agents.clock import boottime, remaining
from rancherctl.agents.config import AgentConfig
from rancherctl.agents.controllers.base import Controller
from rancherctl.agents.controllers.certificate_requests import TABLE as CSRS_TABLE
from rancherctl.agents.controllers.certificate_requests import CertificateRequestController
from rancherctl.agents.controllers.host_objects import HostObjectsController
from rancherctl.agents.controllers.ingress_statuses import IngressStatusController
from rancherctl.agents.controllers.network_policies import TABLE as POLICIES_TABLE
from rancherctl.agents.controllers.network_policies import NetworkPolicyController
from rancherctl.agents.controllers.roster import CONFIGMAPS_TABLE, LEASES_TABLE, RosterController
from rancherctl.agents.fence import Fenced
from rancherctl.agents.leader import Leader, NotLeaderError
from rancherctl.agents.liveness import Liveness
from rancherctl.errors import ConflictError, RancherctlError
from rancherctl.kube import tables
from rancherctl.kube.backoff import Backoff, describe
from rancherctl.kube.cache import Cache
from rancherctl.kube.rest import RestClient
from rancherctl.worker import Worker

log = logging.getLogger(__name__)
TICK = 0.5
"""Seconds between two calls of the controllers if nothing changes: silent hosts are found by time alone."""
RENEW = 2.0
"""Seconds between two renewals of the leadership."""


@dataclass(slots=True)
class _RateLimited:
    """A controller that pauses after a failure without delaying the others."""

    controller: Controller
    backoff: Backoff
    not_before: float = 0.0
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = type(self.controller).__name__


class ControllerProcess:
    """Runs until ``stop``; several may run on several hosts, one of them leads and writes."""

    def __init__(
        self,
        cache: Cache,
        leader: Leader,
        controllers: Sequence[Controller],
        notify: Callable[[str], None],
        wake: threading.Event,
    ) -> None:
        self._cache, self._leader, self._notify, self._wake = cache, leader, notify, wake
        choose = random.Random()  # noqa: S311  # spreads load, protects nothing
        self._controllers = [_RateLimited(c, Backoff(choose)) for c in controllers]
        self._led, self._election_began = False, 0.0
        self._election = Worker("leader election", self.elect, retry=lambda _: self._election_pause())

    @classmethod
    def connected(cls, config: AgentConfig, identity: str, notify: Callable[[str], None]) -> ControllerProcess:
        """Connect with the controller's own credential through the host's API balancer."""

        def connect(gate: Callable[[], object] | None = None) -> RestClient:
            agent = f"rancherctl-controller/{__version__} ({identity})"
            return RestClient(
                config.server, ca=Path(config.ca), cert=Path(config.cert), key=Path(config.key), agent=agent, gate=gate
            )

        client = connect()
        wake = threading.Event()
        specs = [tables.NODES, tables.INGRESSES, tables.INGRESSCLASSES, LEASES_TABLE, CONFIGMAPS_TABLE, CSRS_TABLE]
        if config.network_mode == "routed":
            specs.append(POLICIES_TABLE)
        cache = Cache(client, specs, lambda _: wake.set())
        leader = Leader(client, identity)
        # Checked twice, before a write begins and before its first byte is sent: the process may be frozen in between.
        fenced = Fenced(connect(leader.check), leader.check)
        controllers: list[Controller] = [
            RosterController(fenced, leader, boottime, liveness=Liveness(limit=3 * config.lease_seconds)),
            HostObjectsController(fenced, leader),
            IngressStatusController(fenced, leader, boottime),
            CertificateRequestController(fenced, leader, config.service_cidr, dict(config.owners)),
            NetworkPolicyController(fenced, leader, boottime),
        ]
        return cls(cache, leader, controllers, notify, wake)

    def run(self, stop: threading.Event) -> None:
        """Elect a leader, watch, and run the controllers until ``stop``."""
        self._cache.start()
        self._election.start()
        self._notify("READY=1")
        while not stop.is_set():
            self._notify("WATCHDOG=1")
            self.step(boottime())
            self._wake.wait(TICK)
            self._wake.clear()
        self._notify("STOPPING=1")
        self._election.stop(RENEW + 3.0)
        try:
            self._leader.release()
        except RancherctlError as error:
            log.info("cannot release the leadership, a standby takes over when it expires: %s", error)
        self._cache.stop(1.0)

    def step(self, now: float) -> None:
        """Call every controller that is not pausing; ``now`` in seconds of the boot clock."""
        snapshot = self._cache.snapshot()
        for limited in self._controllers:
            if now < limited.not_before:
                continue
            try:
                limited.controller.reconcile(snapshot)
            except (ConflictError, NotLeaderError) as error:
                # Another process wrote meanwhile: the watch delivers it, and the next call decides again.
                log.info("%s: %s", limited.name, error)
                limited.not_before = now + TICK
            except Exception as error:  # the loop's border: one controller's failure must not end the others
                pause = limited.backoff.after(error)
                log.log(
                    logging.WARNING,
                    "%s failed, retrying in %.1f s: %s",
                    limited.name,
                    pause,
                    describe(error),
                    exc_info=not isinstance(error, RancherctlError),
                )
                limited.not_before = now + pause
            else:
                limited.backoff.reset()

    def elect(self) -> float:
        """Try to become or to stay leader; returns the seconds until the next try."""
        self._election_began = boottime()
        try:
            self._leader.tick()
        finally:
            # Compared with what was logged last: a process that was frozen finds its leadership over before it asks.
            self._note_leadership()
        return self._election_pause()

    def _note_leadership(self) -> None:
        leading = self._leader.leading
        if leading != self._led:
            if leading:
                log.info("elected leader, epoch %d", self._leader.epoch)
            else:
                log.info("no longer leader, standing by")
            self._wake.set()
        self._led = leading

    def _election_pause(self) -> float:
        return remaining(RENEW, boottime() - self._election_began)
