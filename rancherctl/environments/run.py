"""One run over an environment's hosts: what was seen, who dropped out, and the work of each phase.

Here lives how a phase is planned and applied. Not here: the order (phases), what is wanted (design, pki, manifests).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from rancherctl.change import Plan
from rancherctl.environments import nodes
from rancherctl.environments.cluster import connect, reach, run_credential
from rancherctl.environments.components import places
from rancherctl.environments.context import Context
from rancherctl.environments.inventory import load
from rancherctl.environments.manifests import manifests
from rancherctl.environments.manifests.base import INVENTORY, RECORD, SYSTEM, record
from rancherctl.environments.model import Environment
from rancherctl.environments.observe import World
from rancherctl.environments.phases import Phase, PhaseName
from rancherctl.environments.pki import reconcile as pki
from rancherctl.environments.pki.wanted import CertChange
from rancherctl.environments.remove import remember
from rancherctl.environments.waiting import until
from rancherctl.errors import NotFoundError, RancherctlError
from rancherctl.events import Emit, Event
from rancherctl.hosts.apply import apply as apply_resources
from rancherctl.hosts.command import Secret
from rancherctl.hosts.fanout import each
from rancherctl.hosts.forward import Forward
from rancherctl.hosts.model import Host, Unit, key
from rancherctl.hosts.observe import observe as observe_resources
from rancherctl.hosts.plan import plan as plan_resources
from rancherctl.hosts.state import ResourceState
from rancherctl.kube import apply as kube
from rancherctl.kube.client import CONFIGMAPS, Json
from rancherctl.kube.objects import Node
from rancherctl.kube.rest import RestClient


class Run:
    """State of one plan or apply. ``failures`` are hosts that dropped out, with their errors."""

    def __init__(self, environment: Environment, context: Context, world: World) -> None:
        self.environment, self.context, self.world = environment, context, world
        self.failures: dict[str, RancherctlError] = dict(world.failures)
        self.warnings: tuple[str, ...] = ()
        self.changed: set[str] = set()
        self.plans = {name: seen.plans() for name, seen in world.seen.items()}
        self.known = pki.authorities(environment, {name: seen.folder for name, seen in world.seen.items()})
        self._material: dict[str, Secret] = {}
        self._client: RestClient | None = None
        self._forward: Forward | None = None
        self._lives: bool | None = None
        self.stored: Environment | None = None
        self._interrupted = False

    def hosts(self) -> tuple[Host, ...]:
        """The hosts that are still in, in the file's order."""
        return tuple(h for h in self.environment.hosts if h.name in self.world.seen and h.name not in self.failures)

    def emit(self, phase: PhaseName) -> Emit:
        """The context's ``emit`` with this phase's name on every event. After Ctrl-C it ends the host's work at the next event."""

        def tell(event: Event) -> None:
            if self._interrupted:
                raise RancherctlError(
                    f"{phase} was interrupted", hint="run the same command again, it goes on from there"
                )
            self.context.emit(replace(event, phase=phase))

        return tell

    def _interrupt(self) -> None:
        self._interrupted = True
        text = "interrupted: each host ends the command at hand; Ctrl-C again does not wait for that"
        self.context.emit(Event("interrupt", text, "", "note", "warning"))

    def each(self, phase: Phase, hosts: tuple[Host, ...], work: Callable[[Host], Any]) -> None:
        """Do it on all hosts; those that fail drop out, a critical failure is raised."""
        for name, outcome in each(hosts, work, self.context.parallel, interrupted=self._interrupt).items():
            if outcome.error is None:
                continue
            host = self.environment.host(name)
            self.context.emit(Event(phase.name, str(outcome.error), name, "failed", "error"))
            if phase.critical and host is not None and (host.is_a("controlplane") or host.is_a("etcd")):
                raise outcome.error
            self.failures[name] = outcome.error

    # resources of hosts

    def resource_plans(self, phase: PhaseName) -> dict[str, Plan[ResourceState]]:
        """What the phase changes on each host, from the first look."""
        found = {host.name: self.plans[host.name][phase] for host in self.hosts()}
        return {name: changes for name, changes in found.items() if changes}

    def apply_resources(self, phase: Phase) -> None:
        """Make the phase's resources true on every host; a host that an earlier phase changed is looked at again."""

        def work(host: Host) -> None:
            seen, transport = self.world.seen[host.name], self.context.transport(host)
            wanted = seen.design[phase.name]
            found = self.plans[host.name][phase.name]
            if host.name in self.changed:
                found = plan_resources(wanted, observe_resources(transport, wanted))
            if found:
                began = time.monotonic()
                self.changed.add(host.name)
                if phase.name == "packages":
                    remember(self.context, self.environment, host)
                apply_resources(transport, found, wanted, self.emit(phase.name))
                text = f"{len(found)} change{'s' if len(found) != 1 else ''} made: {time.monotonic() - began:.1f} s"
                self.context.emit(Event(phase.name, text, host.name, "done"))

        self.each(phase, tuple(h for h in self.hosts() if self.world.seen[h.name].design[phase.name]), work)

    # certificates

    def certificate_plans(self) -> dict[str, tuple[CertChange, ...]]:
        """What each host's certificate folder needs."""
        now = self.context.now()
        found = {
            h.name: pki.plan(self.environment, h, self.world.seen[h.name].folder, self.known, now) for h in self.hosts()
        }
        return {name: changes for name, changes in found.items() if changes}

    def apply_certificates(self, phase: Phase) -> None:
        """Control-plane hosts first: an authority must be kept somewhere before anybody trusts it."""
        wanted, now = self.certificate_plans(), self.context.now()

        def work(host: Host) -> None:
            if host.name in wanted:
                self.changed.add(host.name)
                pki.apply(
                    self.context.transport(host),
                    self.environment,
                    host,
                    wanted[host.name],
                    shared_files=self.material(),
                    now=now,
                )
                made = ", ".join(change.name for change in wanted[host.name])
                self.context.emit(Event(phase.name, f"made {made}", host.name, "done"))

        first = tuple(h for h in self.hosts() if h.is_a("controlplane"))
        if any(h.name in wanted for h in self.hosts()):
            self.material()  # once, before threads ask for it
        self.each(phase, first, work)
        self.known = pki.known_after(self.material(), first[0].name) if not self.known.keeper else self.known
        self.each(phase, tuple(h for h in self.hosts() if not h.is_a("controlplane")), work)

    def material(self) -> dict[str, Secret]:
        """The shared files, fetched or made once per run."""
        if not self._material:
            keeper = self.environment.host(self.known.keeper)
            transport = self.context.transport(keeper) if keeper is not None else None
            self._material = pki.material(self.environment, transport, self.context.now())
        return self._material

    # the API

    def client(self) -> RestClient:
        """A client with this run's own credential."""
        if self._client is None:
            ca = pki.pair_of(self.material(), "ca")
            url, self._forward = reach(self.environment, ca.crt, self.context.transport)
            if self._forward is not None:
                self.context.emit(
                    Event("objects", "the API cannot be reached from here: going through ssh", "", "note")
                )
            self._client = connect(url, ca.crt, run_credential(self.context.operator, ca, self.context.now()))
        return self._client

    def close(self) -> None:
        """End the connection to the API."""
        if self._client is not None:
            self._client.close()
        if self._forward is not None:
            self._forward.close()

    def api_lives(self) -> bool:
        """Whether the API was set up before, its unit runs, and it says that it is ready (asked once per run)."""
        if self._lives is None:
            self._lives = self._asked()
        return self._lives

    def _asked(self) -> bool:
        if not self.known.keeper:
            return False
        there = self.world.seen[self.known.keeper].observed.states.get(key(Unit(places.unit("kube-apiserver"))))
        if there is None or there.get("active") != "yes":
            return False
        try:
            return self.client().raw("GET", "/readyz", timeout=5.0) == b"ok"
        except RancherctlError as error:
            if not error.retryable:
                raise
            self.context.emit(
                Event("preflight", f"the API does not answer: {str(error).splitlines()[0]}", "", "note", "warning")
            )
            return False

    def api_silent(self) -> bool:
        """Whether there is an API that does not run now: what it holds is unknown, not absent."""
        return bool(self.known.keeper) and not self.api_lives() and self.api_was_there()

    def api_was_there(self) -> bool:
        """Whether an API server of this environment was ever set up: its unit exists on the keeper."""
        return key(Unit(places.unit("kube-apiserver"))) in self.world.seen[self.known.keeper].observed.states

    def await_api(self, timeout: float) -> None:
        """Wait until the API says that it is ready."""

        def ready() -> bool:
            return self.client().raw("GET", "/readyz", timeout=5.0) == b"ok"

        until(ready, timeout, f"the API of environment {self.environment.name}")
        self._lives = True

    def object_plan(self) -> Plan[Json]:
        """Objects that are missing or differ; all of them as long as there is no API."""
        wanted = manifests(self.environment)
        return kube.plan(self.client(), wanted, INVENTORY) if self.api_lives() else kube.first_plan(wanted, INVENTORY)

    def apply_objects(self) -> None:
        """Make them true, from a fresh look: the API lives now. Objects of an earlier version that nobody wants any more go."""
        client = self.client()
        kube.apply(
            client, kube.plan(client, manifests(self.environment), INVENTORY), INVENTORY, emit=self.emit("objects")
        )

    def node_plan(self) -> Plan[Json]:
        """Labels and addresses of the Node objects."""
        return nodes.plan(self.environment, self.nodes() if self.api_lives() else {})

    def nodes(self) -> Mapping[str, Node]:
        """The Nodes as the API has them now."""
        from rancherctl.kube import objects
        from rancherctl.kube.client import NODES

        return {body["metadata"]["name"]: objects.node(body) for body in self.client().list(NODES).items}

    def read_stored(self) -> Environment | None:
        """What was applied last, None when nothing was (or the API is not there yet)."""
        if self.stored is None and self.api_lives():
            try:
                body = self.client().get(CONFIGMAPS, RECORD, namespace=SYSTEM)
            except NotFoundError:
                return None
            self.stored = load(body.get("data", {}).get("environment", ""), "the environment's own record").environment
        return self.stored

    def record_now(self) -> Plan[Json]:
        """The same, from a fresh look: the API lives now."""
        return kube.plan(self.client(), [record(self.environment)], None)

    def apply_record(self) -> None:
        """Write it."""
        kube.apply(self.client(), self.record_now(), None, emit=self.emit("record"))

    def record_plan(self) -> Plan[Json]:
        """The record of this apply, when it says something new."""
        return self.record_now() if self.api_lives() else kube.first_plan([record(self.environment)], None)
