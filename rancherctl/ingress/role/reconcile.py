"""The load-balancer role of a host's agent: one reconcile from a snapshot to a proven HAProxy and a report.

Adds at once, removes late (keep.py), does nothing drastic on doubtful data, and serves what is on disk while the API is away.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rancherctl.ingress.haproxy import files, plan, render
from rancherctl.ingress.haproxy.driver import Engine, local_paths
from rancherctl.ingress.haproxy.layout import Layout
from rancherctl.ingress.haproxy.runtime import EngineError
from rancherctl.ingress.model import HTTP_PORT, Problem, Roster, Translated
from rancherctl.ingress.role import desired, draining
from rancherctl.ingress.role.desired import Memory, Wanted
from rancherctl.ingress.role.ports import Ports
from rancherctl.ingress.role.resolver import Resolver, by
from rancherctl.ingress.role.roster_guard import Following
from rancherctl.ingress.status import plan as status_plan
from rancherctl.ingress.translate import endpoints, merge
from rancherctl.kube import client, objects
from rancherctl.kube.backoff import describe
from rancherctl.kube.decode import acyclic
from rancherctl.kube.snapshot import Snapshot
from rancherctl.kube.tables import ENDPOINTSLICES, INGRESSCLASSES, INGRESSES, SERVICES, TableSpec

ROSTER = TableSpec(
    "roster",
    client.CONFIGMAPS,
    objects.config_map,
    namespace="rancherctl-system",
    field_selector="metadata.name=roster",
)
ROSTER_KEY = "rancherctl-system/roster"
VERIFY_SECONDS = 5.0
HOLD_SECONDS = 30.0
FIRST_PAUSE = 0.5
MAX_PAUSE = 15.0
SOON = 0.05
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LbConfig:
    """``node`` is this host's name in the roster; ``drain`` seconds between an address leaving a status and its route going,
    ``dns`` the host's DNS server, which resolves names behind ExternalName services."""

    node: str
    http_port: int = HTTP_PORT
    drain: float = 2.0
    dns: str = "169.254.20.10"
    paths: render.Paths = field(default_factory=local_paths)


class LbRole:
    """Satisfies agents.role.Role. ``resync`` is set anew by every reconcile: the loop should read it each time."""

    name = "lb"
    tables: tuple[TableSpec, ...] = (INGRESSES, INGRESSCLASSES, SERVICES, ENDPOINTSLICES, ROSTER)
    resync: float = VERIFY_SECONDS

    def __init__(
        self,
        config: LbConfig,
        *,
        engine: Engine | None = None,
        resolver: Resolver | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._engine = engine or Engine(config.paths)
        self._resolver = resolver or Resolver(by(config.dns))
        self._clock = clock
        self._memory = Memory()
        self._leaving: Mapping[str, float] = {}
        self._suspect_since: float | None = None
        self._verified = float("-inf")
        self._sure = False
        self._pid = 0
        self._version = ""
        self._ports = Ports(self._engine.port_error)
        self._alarm = ""
        self._error, self._error_told = "", False
        self._pause = FIRST_PAUSE
        self._problems: Mapping[str, tuple[Problem, ...]] = {}
        self._unkept = ""
        self._stuck = False
        self._stored: tuple[files.State, files.Identity | None] | None = None
        self._state = self._load()
        self._following = Following(Roster(self._state.epoch, 0) if self._state else Roster())
        if self._state:
            self._engine.use(self._state.layout.generation)

    def start(self, wake: Callable[[], None]) -> None:
        """``wake`` has the loop reconcile soon: called when a name behind an ExternalName service changed its addresses."""
        self._resolver.changed = wake

    def stop(self) -> None:
        """HAProxy stays up; only a wait that is under way ends."""
        self._engine.stop()

    def reconcile(self, snapshot: Snapshot) -> Mapping[str, Any]:
        """See agents.role.Role. No failure raises, HAProxy's or our own: the section tells what is served all the same, and the pause grows."""
        self.resync = VERIFY_SECONDS
        self._error = ""
        try:
            if self._stuck:  # once nothing is placed here, nothing else would show that it cannot be
                self._engine.check(self._state.layout if self._state else Layout())
            if self._verify() and self._usable(snapshot) and (roster := self._following.roster):
                self._follow(snapshot, roster)
        except EngineError as error:
            log.warning("%s", error)
            self._failed(str(error))
        except (
            Exception
        ) as error:  # an object that nobody thought of reaches every host at once: what each serves must stay published
            log.exception("the load balancer cannot follow the API")
            self._failed(f"the load balancer cannot follow the API: {describe(error)}")
        else:
            self._pause, self._stuck = FIRST_PAUSE, False
        return self._section()

    def _failed(self, why: str) -> None:
        """Find out what is still true: HAProxy may serve what it had, although it did not take what it was given."""
        self.resync, self._pause = self._pause, min(self._pause * 2, MAX_PAUSE)
        self._alarm = why
        try:
            self._sure = self._state is not None and not self._engine.differences(self._state.layout)
        except EngineError as silent:
            # Nothing of ours listens any more: a port that cannot be had is why.
            ports = self._state.layout.ports if self._state else ()
            taken = next((error for port in ports if (error := self._engine.port_error(port))), "")
            self._sure, self._error = False, taken or str(silent)
        else:
            if not (self._state and self._sure and self._state.layout.ports):
                self._error = why  # nothing is served here, so what is placed here must go elsewhere
        self._stuck = bool(self._error)

    def _load(self) -> files.State | None:
        path = Path(self._config.paths.data) / "state.json"
        try:
            return files.State.decode(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s is damaged (%s); it is made anew as soon as the API answers", path, error)
            return None

    def _keep_on_disk(self, state: files.State, *, same: bool = False) -> list[str]:
        """Files for HAProxy's next start (unless they are the ``same``), and the state for ours; returns those of HAProxy that were not right.

        Where the disk is full the host goes on: it serves, and what comes is taken at run time. The alarm tells it until there is room.
        """
        path = Path(self._config.paths.data) / "state.json"
        self._state = state
        try:
            wrong = self._engine.save(state.layout) if self._unkept or not same else []
            if (state, files.identity(path)) != self._stored:
                files.write(path, state.encode(), mode=0o600)
                self._stored = state, files.identity(path)
        except EngineError as error:
            wrong, unkept = [], str(error)
        except OSError as error:
            wrong, unkept = [], f"{path} cannot be written: {error}; free disk space, what runs goes on serving"
        else:
            unkept = ""
        if unkept and unkept != self._unkept:
            log.warning("%s", unkept)
        self._unkept = unkept
        return wrong

    def _verify(self) -> bool:
        """Repair drift: files, a restarted process, a lost or foreign change of what HAProxy has.

        False: HAProxy gives no sign of life. To bring it back may take half a minute, so the leader is told first.
        """
        if self._state is None or (self._sure and self._clock() - self._verified < VERIFY_SECONDS):
            return True
        layout = self._state.layout
        if not self._error_told and (why := self._engine.lifeless(layout.ports)):
            self._error_told, self._sure, self._error, self.resync = True, False, why, SOON
            return False
        if wrong := self._keep_on_disk(self._state):
            log.warning("files were not what they should be and are written anew: %s", ", ".join(wrong))
        try:
            found: tuple[str, ...] = self._engine.differences(layout)
        except EngineError as error:
            found = (str(error),)
        if found:
            log.warning("HAProxy differs and is loaded anew: %s", "; ".join(found))
            self._state_with(self._engine.apply(plan.Reload("drift", layout)))
        self._settled()
        return True

    def _state_with(self, layout: Layout) -> None:
        assert self._state is not None
        self._keep_on_disk(replace(self._state, layout=layout))

    def _settled(self) -> None:
        if self._state is not None:
            self._engine.use(self._state.layout.generation)  # a restart of the unit empties the folder of sockets
        info = self._engine.info()
        self._pid, self._version = info.pid, info.version
        self._verified, self._sure, self._error_told = self._clock(), True, False

    def _usable(self, snapshot: Snapshot) -> bool:
        """Unknown is not absent: all tables listed and watched, and the API's own service among the services."""
        tables = [snapshot.table(spec.name) for spec in self.tables]
        if not all(t.synced and t.healthy for t in tables):
            return False
        if "default/kubernetes" not in snapshot.table("services").items:
            self._alarm = "the API shows no service default/kubernetes: its data is not trusted, nothing is changed"
            return False
        self._alarm = self._following.take(snapshot.table("roster").items.get(ROSTER_KEY), self._clock())
        return True

    def _follow(self, snapshot: Snapshot, roster: Roster) -> None:
        with (
            acyclic()
        ):  # a collection would walk over all objects of the API, and take for long-lived what is gone in a moment
            wanted, kept, address = self._wanted(snapshot, roster)
        self._apply(*self._guarded(wanted, kept), roster, address)

    def _wanted(self, snapshot: Snapshot, roster: Roster) -> tuple[Wanted, draining.Kept, str]:
        """The model of this host, what it goes on serving, and its address in statuses."""
        ingresses = snapshot.table("ingresses").items
        translated = desired.translate_ours(ingresses, snapshot.table("ingressclasses").items, self._memory)
        me = roster.host(self._config.node)
        address = me.address if me else (self._state.address if self._state else "")
        kept = self._keep(ingresses, translated, roster, address)
        for key in kept.serving - translated.keys():
            translated[key] = self._memory.translate(ingresses[key])
        services = snapshot.table("services").items
        external = any(s.type == "ExternalName" for s in services.values())
        names = endpoints.external_names(desired.refs(translated), services) if external else frozenset()
        slices = self._memory.index(snapshot.table("endpointslices").items)
        merged = merge.merge(translated, kept.serving)
        wanted = desired.model(
            translated,
            kept.serving,
            merged,
            self._memory,
            services=services,
            slices=slices,
            resolved=self._resolver.addresses(names),
            port=self._config.http_port,
        )
        return wanted, kept, address

    def _keep(
        self,
        ingresses: Mapping[str, objects.Ingress],
        translated: Mapping[str, Translated],
        roster: Roster,
        address: str,
    ) -> draining.Kept:
        node = self._config.node
        placed = [key for key, t in translated.items() if node in self._memory.place(t, roster).hosts]
        known = {key: (key in translated, i.status) for key, i in ingresses.items()}
        # Without a state (lost, damaged) what a status publishes here is taken as served.
        served = (
            self._state.serving
            if self._state
            else [key for key, (_, addresses) in known.items() if address in addresses]
        )
        return draining.keep(
            placed,
            served,
            known,
            own_address=address,
            leaving=self._leaving,
            now=self._clock(),
            drain=self._config.drain,
        )

    def _guarded(self, wanted: Wanted, kept: draining.Kept) -> tuple[Wanted, draining.Kept]:
        """What is wanted; a loss too big to be believed is held back for a while, what comes is not."""
        doubt = draining.suspicious(self._state.layout, wanted.model) if self._state else ""
        if self._state is None or not doubt:
            self._suspect_since = None
            return wanted, kept
        self._alarm = doubt
        since = self._suspect_since = self._suspect_since if self._suspect_since is not None else self._clock()
        if self._clock() - since >= HOLD_SECONDS:
            log.warning("%s, still so after %.0f s: done", doubt, HOLD_SECONDS)
            return wanted, kept
        model = draining.held(self._state.layout, wanted.model)
        return replace(wanted, model=model), replace(kept, serving=kept.serving.union(self._state.serving))

    def _apply(self, wanted: Wanted, kept: draining.Kept, roster: Roster, address: str) -> None:
        now = self._state.layout if self._state else None
        model = self._ports.free(wanted.model, now.ports if now else self._engine.written_ports())
        self._sure = False
        busy = self._engine.busy(names) if now and (names := plan.contended(now, model)) else frozenset()
        with acyclic():
            decision = plan.plan(now, model, self._config.paths, busy)
        if isinstance(decision, plan.Reload):
            log.info("HAProxy is loaded anew: %s", decision.reason)
        layout = self._engine.apply(decision)
        serving = tuple(sorted(kept.serving)) if model.loaded else ()
        same = isinstance(decision, plan.Unchanged)
        self._keep_on_disk(files.State(layout, serving, roster.epoch, roster.sequence, address), same=same)
        self._leaving, self._problems = kept.leaving, wanted.problems
        if not same:
            self._settled()
        self._sure = True
        if kept.wake is not None:
            self.resync = min(self.resync, max(kept.wake, SOON))

    def _section(self) -> Mapping[str, Any]:
        layout = self._state.layout if self._state and self._sure else Layout()
        counters, followed = self._engine.counters, self._following.roster
        section = {
            "served": dict(layout.loaded),
            "placed": list(self._state.serving) if self._state else [],
            "ports": dict(self._ports.errors),
            "haproxy": {"pid": self._pid, "version": self._version},
            "metrics": {"reloads": counters.reloads, "commands": counters.commands},
            "roster": [followed.epoch, followed.sequence] if followed else [-1, -1],
            "alarm": self._alarm or self._unkept or self._ports.told(),
            "problems": status_plan.problem_words(self._problems),
        }
        return section | {"error": self._error} if self._error else section
