"""One run over an environment's hosts: what was observed, which hosts dropped out, and what the phases share.

Not here: what a phase plans and applies (phases), what is wanted (design, pki, manifests).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Protocol

from rancherctl.change import Plan
from rancherctl.environments import api_access
from rancherctl.environments.components import places
from rancherctl.environments.context import Context
from rancherctl.environments.inventory import load
from rancherctl.environments.layout import Stamp, refuse_newer, stamp_of
from rancherctl.environments.manifests.base import RECORD, SYSTEM
from rancherctl.environments.model import Environment
from rancherctl.environments.observe import ObservedHosts
from rancherctl.environments.phase_names import PhaseName
from rancherctl.environments.pki import reconcile as pki
from rancherctl.environments.pki.run_credential import run_credential
from rancherctl.errors import NotFoundError, RancherctlError, TimeoutExceededError, UnreachableError
from rancherctl.events import Emit, Event
from rancherctl.hosts.command import Secret
from rancherctl.hosts.fanout import each
from rancherctl.hosts.model import Host, Unit, key
from rancherctl.hosts.observe import observe as observe_resources
from rancherctl.hosts.plan import plan as plan_resources
from rancherctl.hosts.state import ResourceState
from rancherctl.kube.client import CONFIGMAPS, NODES
from rancherctl.kube.http.tls import ApiEndpoint
from rancherctl.kube.objects import Node, node
from rancherctl.kube.rest import RestClient
from rancherctl.polling import Tolerant, poll_until

API_SERVER_UNIT = key(Unit(places.unit("kube-apiserver")))


class Stage(Protocol):
    """What ``EnvironmentRun.each`` needs to know of a phase."""

    @property
    def name(self) -> PhaseName: ...
    @property
    def critical(self) -> bool: ...


class EnvironmentRun:
    """State of one plan, apply or status.

    ``failures`` are hosts that dropped out, with their errors. ``timeout`` (seconds) bounds the waits for the API and
    for Nodes; without ``wait`` a Node need only have joined.
    """

    def __init__(
        self,
        environment: Environment,
        context: Context,
        observed: ObservedHosts,
        *,
        timeout: float = 600.0,
        wait: bool = True,
    ) -> None:
        self.environment, self.context, self.observed = environment, context, observed
        self.timeout, self.wait = timeout, wait
        self.failures: dict[str, RancherctlError] = dict(observed.failures)
        self.warnings: tuple[str, ...] = ()
        self.changed: set[str] = set()
        self.plans = {name: host.plans() for name, host in observed.hosts.items()}
        self.authorities = pki.authorities(environment, {name: host.folder for name, host in observed.hosts.items()})
        self.stored: Environment | None = None
        self.stored_stamp = Stamp()
        self._material: dict[str, Secret] = {}
        self._client: RestClient | None = None
        self._opened = ExitStack()
        self._answers: bool | None = None
        self._interrupted = False

    # hosts

    def hosts(self) -> tuple[Host, ...]:
        """The hosts that have not dropped out, in the file's order."""
        return tuple(h for h in self.environment.hosts if h.name in self.observed.hosts and h.name not in self.failures)

    def emit(self, phase: PhaseName) -> Emit:
        """``context.emit`` with this phase's name on every event. After Ctrl-C the next event ends the host's work."""

        def emit(event: Event) -> None:
            if self._interrupted:
                hint = "run the same command again to resume"
                raise RancherctlError(f"{phase} was interrupted", hint=hint)
            self.context.emit(replace(event, phase=phase))

        return emit

    def warn(self, phase: PhaseName, text: str) -> None:
        """Show a warning now, and again at the end of the apply."""
        self.warnings = (*self.warnings, text)
        self.context.emit(Event(phase, text, "", "note", "warning"))

    def _interrupt(self) -> None:
        self._interrupted = True
        text = "interrupted: every host finishes its current command; press Ctrl-C again to stop at once"
        self.context.emit(Event("interrupt", text, "", "note", "warning"))

    def each(self, phase: Stage, hosts: tuple[Host, ...], work: Callable[[Host], Any]) -> None:
        """Work on all hosts at once. Those that fail drop out; a critical failure is raised."""
        for name, outcome in each(hosts, work, self.context.parallel, interrupted=self._interrupt).items():
            if outcome.error is None:
                continue
            host = self.environment.host(name)
            self.context.emit(Event(phase.name, str(outcome.error), name, "failed", "error"))
            if phase.critical and host is not None and (host.is_a("controlplane") or host.is_a("etcd")):
                raise outcome.error
            self.failures[name] = outcome.error

    def resource_plan(self, phase: PhaseName, host: Host) -> Plan[ResourceState]:
        """What the phase changes on a host, observed again if an earlier phase changed the host."""
        if host.name not in self.changed:
            return self.plans[host.name][phase]
        wanted = self.observed.hosts[host.name].design[phase]
        return plan_resources(wanted, observe_resources(self.context.transport(host), wanted))

    # authorities

    def material(self) -> dict[str, Secret]:
        """The files that the control plane shares, fetched or made once per run."""
        if not self._material:
            self._material = (
                self._fetched() if self.authorities.ca_hosts else pki.new_material(self.environment, self.context.now())
            )
        return self._material

    def _fetched(self) -> dict[str, Secret]:
        """The files of the first host that holds them and answers; its error if none does.

        They must never be made a second time.
        """
        errors: list[RancherctlError] = []
        for host in self.environment.with_role("controlplane"):
            if host.name in self.authorities.ca_hosts and host.name not in self.failures:
                try:
                    return pki.fetch_material(self.context.transport(host))
                except UnreachableError as error:
                    errors.append(error)
        raise (errors or [self.failures[name] for name in self.authorities.ca_hosts])[0]

    def authorities_stored(self, hosts: tuple[Host, ...]) -> None:
        """Note that these control-plane hosts now hold the authorities."""
        if not self.authorities.ca_host:
            self.authorities = pki.known_after(self.material(), tuple(h.name for h in hosts))

    # the API

    def client(self) -> RestClient:
        """A client with this run's own short-lived credential."""
        if self._client is None:
            ca = pki.pair_of(self.material(), "ca")
            tunnels = api_access.host_tunnels(self.environment, self.context.transport)
            route = self._opened.enter_context(
                api_access.route(
                    self.environment.name,
                    api_access.urls(self.environment),
                    ca.crt,
                    tunnels,
                    proxy=self.context.proxy,
                )
            )
            if route.through:
                text = f"the API cannot be reached from here: connecting through ssh to {route.through}"
                self.context.emit(Event("objects", text, "", "note"))
            credential = run_credential(self.context.operator, ca, self.context.now())
            endpoint = ApiEndpoint(
                route.url, ca.crt.encode(), credential.crt.encode(), credential.key.encode(), proxy=route.proxy
            )
            client = RestClient(endpoint)
            self._client = self._opened.enter_context(client)
        return self._client

    def close(self) -> None:
        """End the connection to the API."""
        self._client = None
        self._opened.close()

    def api_answers(self) -> bool:
        """Whether the API was set up before, its unit is active, and it reports ready. Checked once per run."""
        if self._answers is None:
            self._answers = self._check_api()
        return self._answers

    def _check_api(self) -> bool:
        if not self._api_hosts(active=True):
            return False
        try:
            return self._ready()
        except RancherctlError as error:
            if not error.retryable:
                raise
            why = str(error).splitlines()[0]
            self.context.emit(Event("preflight", f"the API does not answer: {why}", "", "note", "warning"))
            return False

    def _ready(self) -> bool:
        return self.client().raw("GET", "/readyz", timeout=5.0) == b"ok"

    def _api_hosts(self, *, active: bool) -> tuple[str, ...]:
        """Control-plane hosts whose API server is set up (``active``: and runs), as far as observed.

        None, as long as no host holds the authorities.
        """
        if not self.authorities.ca_host:
            return ()
        states = {
            host.name: self.observed.hosts[host.name].observed.states.get(API_SERVER_UNIT)
            for host in self.environment.with_role("controlplane")
            if host.name in self.observed.hosts
        }
        return tuple(n for n, s in states.items() if s is not None and (not active or s.get("active") == "yes"))

    def api_silent(self) -> bool:
        """Whether there is an API that does not answer now: what it holds is unknown, not absent."""
        return bool(self._api_hosts(active=False)) and not self.api_answers()

    def wait_for_api(self) -> None:
        """Wait until the API reports ready; TimeoutExceededError with its last error."""
        ready = Tolerant(self._ready)
        if not poll_until(ready, self.timeout):
            raise TimeoutExceededError(
                f"the API of environment {self.environment.name} is not ready after {self.timeout:.0f} s",
                why=ready.problem or "it reports that it is not ready",
                hint="run the same command again to resume",
            )
        self._answers = True

    def nodes(self) -> Mapping[str, Node]:
        """The Nodes as the API has them now."""
        return {body["metadata"]["name"]: node(body) for body in self.client().list(NODES).items}

    def read_stored(self) -> Environment | None:
        """What was applied last; None if nothing was, or if the API does not answer.

        RefusedError if a newer release applied it.
        """
        if self.stored is None and self.api_answers():
            try:
                body = self.client().get(CONFIGMAPS, RECORD, namespace=SYSTEM)
            except NotFoundError:
                return None
            refuse_newer(self.environment.name, [body.get("data", {})], begun=bool(self.changed))
            self.stored_stamp = stamp_of(body.get("data", {}))
            self.stored = load(body.get("data", {}).get("environment", ""), "the environment's own record").environment
        return self.stored
