"""The load-balancer role of a host's agent.

A reconcile leads from a snapshot of the API to a verified HAProxy and a report. It adds at once and removes late
(draining.py), holds back a mass loss (loss_guard.py), and serves what is on disk while the API cannot be reached.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from rancherctl import contract
from rancherctl.hold import Hold
from rancherctl.ingress.copies import Digests
from rancherctl.ingress.haproxy import plan
from rancherctl.ingress.haproxy.certificates import CertificateRefusedError
from rancherctl.ingress.haproxy.driver import Driver
from rancherctl.ingress.haproxy.layout import Layout
from rancherctl.ingress.haproxy.runtime import HaproxyError
from rancherctl.ingress.model import Listener, Model
from rancherctl.ingress.role import desired, loss_guard
from rancherctl.ingress.role.authorities import AuthorityStore, is_authority
from rancherctl.ingress.role.bursts import Bursts
from rancherctl.ingress.role.certificates import CertificateStore
from rancherctl.ingress.role.config import LbConfig
from rancherctl.ingress.role.desired import DesiredHost, LocalHost, Previous, Tables
from rancherctl.ingress.role.health import CHECK_SECONDS, HaproxyHealth
from rancherctl.ingress.role.ports import PortCheck, confirmed
from rancherctl.ingress.role.refusal_watch import RefusalWatch
from rancherctl.ingress.role.reload_pacing import ReloadPacing
from rancherctl.ingress.role.resolver import Resolver, by_server
from rancherctl.ingress.role.roster_guard import RosterGuard
from rancherctl.ingress.role.state import State, StateStore
from rancherctl.ingress.role_spec import SPEC
from rancherctl.ingress.status.report import HostReport, TlsReport
from rancherctl.ingress.translate.cache import TranslationCache
from rancherctl.kube.backoff import describe
from rancherctl.kube.decode import acyclic
from rancherctl.kube.snapshot import Snapshot
from rancherctl.kube.tables import COPIES
from rancherctl.placement.model import ObjectProblem, Roster

FIRST_PAUSE: Final = 0.5
MAX_PAUSE: Final = 15.0
SOON: Final = 0.05
log = logging.getLogger(__name__)


class LbRole:
    """Satisfies role_spec.HostRole. ``driver``, ``store`` and ``health`` are public: parts to inspect or to replace.

    Every reconcile sets ``resync`` again; the agent's loop reads it each time.
    """

    name = SPEC.name
    resync: float = CHECK_SECONDS

    def __init__(
        self,
        config: LbConfig,
        *,
        driver: Driver | None = None,
        resolver: Resolver | None = None,
        clock: Callable[[], float] = time.monotonic,
        calendar: Callable[[], float] = time.time,
    ) -> None:
        self.tables = (*SPEC.tables, *(table(config.node) for table in SPEC.own_tables))
        self._host = LocalHost(
            config.node,
            config.listeners,
            config.drain,
            config.external_names,
            config.proxies,
            config.tls,
            config.access_log,
        )
        self._resolver = resolver or Resolver(by_server(config.dns))
        self._clock, self._calendar = clock, calendar
        self.driver = driver or Driver(config.paths)
        self.store = StateStore(self.driver)
        self.health = HaproxyHealth(self.driver, self.store, clock)
        self._refusals = RefusalWatch(self.driver, clock)
        self._save_after = config.save_after
        self._bursts = Bursts(clock)
        self._pacing = ReloadPacing(self.driver, clock, config.reloads, self._bursts)
        self._cache = TranslationCache()
        self._ports = PortCheck(self.driver.listener_error, config.reserved)
        self._hold = Hold(loss_guard.HOLD_SECONDS)
        self._pause = FIRST_PAUSE
        self._alarm = ""
        self._waiting: frozenset[str] = frozenset()
        self._leaving: Mapping[str, float] = {}
        self._problems: Mapping[str, tuple[ObjectProblem, ...]] = {}
        self._digests = Digests()
        self._certificates: Mapping[str, str] = {}
        self._own_listeners: tuple[Listener, ...] = ()
        self._tls: TlsReport | None = None
        state = self.store.current
        good = state.secrets if state else {}
        tls = {key: content for key, content in good.items() if not is_authority(key)}
        self.secrets = CertificateStore(self.driver.certificates, tls, clock)
        self.authorities = AuthorityStore(self.driver.authorities, good)
        self.secrets.trusting = state is None
        self._roster_guard = RosterGuard(Roster(state.epoch, 0) if state else Roster())
        if state:
            self.driver.use(state.layout.generation)

    def start(self, wake: Callable[[], None]) -> None:
        """Register ``wake``, which is called when an external name gets other addresses.

        It makes the agent's loop reconcile soon.
        """
        self._resolver.changed = wake

    def look_ahead(self, newest: Callable[[], Snapshot]) -> None:
        """Register ``newest``, which says what the watch has delivered since a reconcile began."""
        self._bursts.newest = lambda: newest().table("ingresses").items

    def stop(self) -> None:
        """End a wait that is under way, and save what is served. HAProxy keeps running."""
        self.driver.stop()
        self.store.save_kept()

    def reconcile(self, snapshot: Snapshot) -> Mapping[str, Any]:
        """See role_spec.HostRole. Never raises.

        After a failure the section still says what is served, and the pause grows.
        """
        self.resync = CHECK_SECONDS
        try:
            self.health.begin()
            if not self.health.check():
                self.resync = SOON
            elif self._usable(snapshot) and (roster := self._roster_guard.roster):
                self._follow(snapshot, roster)
        except CertificateRefusedError as error:
            # OpenSSL accepted it: HAProxy knows better. All others are served without it, at once.
            log.warning("%s", error)
            self._refuse(error.content, error.why)
            self._failed(str(error))
            self.resync = SOON
        except HaproxyError as error:
            log.warning("%s", error)
            if self.driver.checker.thorough:
                self.secrets.doubt()
            self._failed(str(error))
        except Exception as error:
            # An unexpected object reaches all hosts at once: what each of them serves must stay published.
            log.exception("the load balancer cannot follow the API")
            self._failed(f"the load balancer cannot follow the API: {describe(error)}")
        else:
            self._pause = FIRST_PAUSE
            self.health.succeed()
        self._note_refused()
        self._pacing.note()
        self._save()
        return self._section()

    def _save(self) -> None:
        """Save what is served, or come back for it: a change that follows at once is not delayed by the disk."""
        if self.store.unsaved is None:
            return
        left = self.store.unsaved + self._save_after - self._clock()
        if left > 0:
            self.resync = min(self.resync, left)
            return
        self.store.save_kept()
        self.health.look_again()

    def _note_refused(self) -> None:
        """Certificates without which HAProxy had to start are not used any more; their Ingresses say why."""
        while self.driver.checker.refused:
            content, why = self.driver.checker.refused.popitem()
            self._refuse(content, why)
            self.resync = SOON

    def _refuse(self, content: str, why: str) -> None:
        self.secrets.refuse(content, why)
        self.authorities.refuse(content, why)

    def _failed(self, why: str) -> None:
        self.resync, self._pause = self._pause, min(self._pause * 2, MAX_PAUSE)
        self._alarm = why
        self.health.fail(why)

    def _usable(self, snapshot: Snapshot) -> bool:
        """Whether the snapshot can be trusted.

        All tables are listed and watched, and the API's own Service is among the Services. Copies of secrets may be
        missing: HTTPS then goes on with the certificates on disk.
        """
        tables = [snapshot.table(spec.name) for spec in SPEC.tables]
        if not all(t.synced and t.healthy for t in tables):
            return False
        if "default/kubernetes" not in snapshot.table("services").items:
            self._alarm = "the API has no service default/kubernetes; its data is not trusted, and no change is made"
            return False
        self._alarm = self._roster_guard.accept(snapshot.table("roster").items.get(contract.ROSTER_KEY), self._clock())
        return True

    def _follow(self, snapshot: Snapshot, roster: Roster) -> None:
        self._bursts.begin(snapshot.table("ingresses").items)
        # A garbage collection would visit all API objects, and move short-lived results to the oldest generation.
        with acyclic():
            wanted = self._desired(snapshot, roster)
        model, serving = self._without_mass_loss(wanted)
        self._apply(model, serving, wanted, roster)

    def _desired(self, snapshot: Snapshot, roster: Roster) -> DesiredHost:
        state = self.store.current
        tables = Tables(
            snapshot.table("ingresses").items,
            snapshot.table("ingressclasses").items,
            snapshot.table("services").items,
            snapshot.table("endpointslices").items,
        )
        served, copies = state.serving if state else (), snapshot.table(COPIES)
        names = desired.external_names(tables, served, self._cache) if self._host.external_names else frozenset()
        tables = replace(
            tables,
            resolved=self._resolver.addresses(names),
            secrets={**self.secrets.states(copies), **self.authorities.states(copies)},
            today=self._calendar(),
        )
        if state:
            self._refusals.look(state.layout)
        refused = self._refusals.problems()
        previous = Previous(state.serving if state else None, state.address if state else "", self._leaving, refused)
        return desired.build(tables, roster, previous, self._cache, self._host, self._clock()).host

    def _without_mass_loss(self, wanted: DesiredHost) -> tuple[Model, frozenset[str]]:
        """The model to apply, and the Ingresses to serve, without a mass loss.

        A mass loss is held back for a while, additions are not.
        """
        state, now = self.store.current, self._clock()
        loss = loss_guard.mass_loss(state.layout, wanted.model) if state else ""
        held = self._hold.active(bool(loss), now)
        self._alarm = loss or self._alarm
        if state is None or not held:
            if loss:
                log.warning("%s, and still after %.0f s: applying it", loss, loss_guard.HOLD_SECONDS)
            return wanted.model, wanted.serving.keys
        return loss_guard.without_removals(state.layout, wanted.model), wanted.serving.keys.union(state.serving)

    def _apply(self, wanted_model: Model, serving: frozenset[str], wanted: DesiredHost, roster: Roster) -> None:
        now = self.store.current.layout if self.store.current else None
        own = now.listeners if now else self.driver.configured(wanted_model.listeners)
        model = self._ports.free(wanted_model, own)
        self.health.confirmed = False
        decision, layout = self._pacing.follow(now, model, self.health.pid, self.secrets.pair)
        self._waiting = self._pacing.waiting(model, layout)
        self.secrets.trusting = False
        unchanged = isinstance(decision, plan.Unchanged)
        served = tuple(sorted(serving)) if model.loaded else ()
        used = frozenset({self._host.tls.default}.union(*wanted.secrets.values()))
        self.secrets.keep(used)
        good = dict(self.secrets.good)
        state = State(layout, served, roster.epoch, roster.sequence, wanted.address, good | self.authorities.good)
        self.store.keep(state, self._clock(), same_layout=unchanged)
        if isinstance(decision, plan.Reload):
            self.store.save_kept()
        contents = {**self.secrets.contents, **self.authorities.contents}
        self._certificates = self._digests.of(wanted.secrets, contents)
        policy = self._host.tls
        self._tls = TlsReport(policy.default, policy.redirect, used - {""} - good.keys() - self.authorities.good.keys())
        needed = {key: ports for key, ports in wanted_model.ports.items() if key in serving}
        taken = self._ports.problems(needed, self._host.name)
        every = wanted.problems.keys() | taken.keys()
        self._problems = {key: (*taken.get(key, ()), *wanted.problems.get(key, ())) for key in every}
        self._leaving = wanted.serving.leaving
        self._own_listeners = tuple(x for x in wanted_model.listeners if x.own)
        if not unchanged:
            self.health.settle()
        self.health.confirmed = True
        for wake in (wanted.serving.wake, self.secrets.wake(), self._pacing.wait):
            if wake is not None:
                self.resync = min(self.resync, max(wake, SOON))

    def _section(self) -> Mapping[str, Any]:
        """The host report's section ``lb``; its keys are read by controllers of other releases."""
        state, health = self.store.current, self.health
        layout = state.layout if state and health.confirmed else Layout()
        served = confirmed(layout, (*self._host.listeners, *self._own_listeners))
        counters, roster = self.driver.counters, self._roster_guard.roster
        section = {
            "haproxy": {"pid": health.pid, "version": health.version, "finishing": health.finishing},
            "metrics": {
                "reloads": counters.reloads,
                "commands": counters.commands,
                "dropped_logs": health.dropped_logs,
            },
            "roster": [roster.epoch, roster.sequence] if roster else [-1, -1],
        }
        report = HostReport(
            served=served,
            problems=self._problems,
            ports=self._ports.by_port(),
            hash_scheme=layout.hash_scheme,
            error=health.error,
            alarm=self._alarm or self.health.refused or self.store.error or self._ports.summary(),
            note=self._refusals.note(),
            placed=frozenset(state.serving if state else ()),
            certificates={key: found for key, found in self._certificates.items() if found and key in served},
            tls=self._tls,
            waiting=self._waiting,
        )
        return section | report.to_section()
