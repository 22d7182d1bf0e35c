"""The controller of an environment: elected, it keeps the roster, the hosts' objects, Ingress statuses and certificate requests true."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from rancherctl import __version__
from rancherctl.agents import csr
from rancherctl.agents.clock import boottime, rest
from rancherctl.agents.config import AgentConfig
from rancherctl.agents.controllers.certificate_requests import Approver
from rancherctl.agents.controllers.ingress_statuses import IngressStatusController
from rancherctl.agents.controllers.network_policies import TABLE as POLICIES_TABLE
from rancherctl.agents.controllers.network_policies import PolicyKeeper
from rancherctl.agents.controllers.roster import CONFIGMAPS_TABLE, LEASES_TABLE, ObjectKeeper, RosterKeeper
from rancherctl.agents.fence import Fenced
from rancherctl.agents.leader import Leader, NotLeaderError
from rancherctl.agents.liveness import Liveness
from rancherctl.agents.loop import Wake
from rancherctl.errors import ConflictError, RancherctlError
from rancherctl.kube import tables
from rancherctl.kube.backoff import Backoff, describe
from rancherctl.kube.cache import Cache
from rancherctl.kube.client import CSRS
from rancherctl.kube.rest import RestClient
from rancherctl.kube.snapshot import Snapshot

log = logging.getLogger(__name__)
CSRS_TABLE = tables.TableSpec("csrs", CSRS, csr.parse)
TICK = 0.5
"""Seconds between two looks at the Leases when nothing else happens."""
RENEW = 2.0


class Keeper(Protocol):
    """One thing the controller keeps true."""

    def run(self, snapshot: Snapshot) -> None:
        """Look, and write what differs; through a Fenced client."""


class CsrKeeper:
    """Decides hosts' certificate requests."""

    def __init__(self, approver: Approver, leader: Leader) -> None:
        self._approver, self._leader = approver, leader

    def run(self, snapshot: Snapshot) -> None:
        """Judge what is pending."""
        if self._leader.leading and snapshot.table("csrs").synced and snapshot.table("nodes").synced:
            self._approver.run(snapshot.table("csrs").items, snapshot.table("nodes").items)


@dataclass(slots=True)
class _Paced:
    """A keeper that waits after a failure without holding up the others."""

    keeper: Keeper
    backoff: Backoff
    not_before: float = 0.0
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = type(self.keeper).__name__


class Controller:
    """Runs until ``stop``; several may run on several hosts, one writes."""

    def __init__(
        self, cache: Cache, leader: Leader, keepers: Sequence[Keeper], notify: Callable[[str], None], wake: Wake
    ) -> None:
        self._cache, self._leader, self._notify, self._wake = cache, leader, notify, wake
        choose = random.Random()  # noqa: S311  # spreads load, protects nothing
        self._keepers = [_Paced(k, Backoff(choose)) for k in keepers]
        self._election_failing = False

    @classmethod
    def connected(cls, config: AgentConfig, identity: str, notify: Callable[[str], None]) -> Controller:
        """The real one: own credential, the host's API balancer."""

        def connect(gate: Callable[[], object] | None = None) -> RestClient:
            agent = f"rancherctl-controller/{__version__} ({identity})"
            return RestClient(
                config.server, ca=Path(config.ca), cert=Path(config.cert), key=Path(config.key), agent=agent, gate=gate
            )

        client = connect()
        wake = Wake()
        specs = [tables.NODES, tables.INGRESSES, tables.INGRESSCLASSES, LEASES_TABLE, CONFIGMAPS_TABLE, CSRS_TABLE]
        if config.network_mode == "routed":
            specs.append(POLICIES_TABLE)
        cache = Cache(client, specs, lambda _: wake.set())
        leader = Leader(client, identity)
        # Asked twice: before a write is begun, and when it could be sent. A process may be frozen in between, or wait for a connection.
        fenced = Fenced(connect(leader.check), leader.check)
        keepers: list[Keeper] = [
            RosterKeeper(fenced, leader, boottime, liveness=Liveness(limit=3 * config.lease_seconds)),
            ObjectKeeper(fenced, leader),
            IngressStatusController(fenced, leader, boottime),
            CsrKeeper(Approver(fenced, config.service_cidr, dict(config.owners)), leader),
            PolicyKeeper(fenced, leader, boottime),
        ]
        return cls(cache, leader, keepers, notify, wake)

    def run(self, stop: threading.Event) -> None:
        """Elect, watch, keep."""
        self._cache.start()
        election = threading.Thread(target=self._elect, args=(stop,), name="election", daemon=True)
        election.start()
        self._notify("READY=1")
        while not stop.is_set():
            self._notify("WATCHDOG=1")
            self.step(boottime())
            self._wake.wait(TICK)
        self._notify("STOPPING=1")
        election.join(RENEW + 3.0)
        try:
            self._leader.release()
        except RancherctlError as error:
            log.info("could not give the leadership back, a standby waits for its end: %s", error)
        self._cache.stop(1.0)

    def step(self, now: float) -> None:
        """Run every keeper that is not waiting; ``now`` in seconds of the boot clock."""
        snapshot = self._cache.snapshot()
        for paced in self._keepers:
            if now < paced.not_before:
                continue
            try:
                paced.keeper.run(snapshot)
            except (ConflictError, NotLeaderError) as error:
                # Somebody else wrote in between: the watch brings the news, and the next look decides on it.
                log.info("%s: %s", paced.name, error)
                paced.not_before = now + TICK
            except Exception as error:  # the loop's border: one keeper's failure must not end the others
                pause = paced.backoff.after(error)
                log.log(
                    logging.WARNING,
                    "%s: trying again in %.1f s: %s",
                    paced.name,
                    pause,
                    describe(error),
                    exc_info=not isinstance(error, RancherctlError),
                )
                paced.not_before = now + pause
            else:
                paced.backoff.reset()

    def _elect(self, stop: threading.Event) -> None:
        led = False
        while not stop.is_set():
            began = boottime()
            try:
                leading = self._leader.tick()
            except (
                Exception
            ) as error:  # a thread that ends silently would leave the environment without a leader for ever
                leading = self._leader.leading
                if not self._election_failing:
                    log.warning(
                        "cannot stand for election: %s",
                        describe(error),
                        exc_info=not isinstance(error, RancherctlError),
                    )
                self._election_failing = True
            else:
                self._election_failing = False
            # Compared with what was told last: a process that was frozen finds its time over before it asks.
            if leading != led:
                log.info("leading, epoch %d", self._leader.epoch) if leading else log.info(
                    "not leading any more, standing by"
                )
                self._wake.set()
            led = leading
            stop.wait(rest(RENEW, boottime() - began))
