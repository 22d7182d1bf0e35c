"""Where the steps meet: look at all hosts, plan phase by phase, apply in the order of ``phases``."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from rancherctl.change import Unknown
from rancherctl.environments import immutable_fields, nodes
from rancherctl.environments import plan as plans
from rancherctl.environments.components import places
from rancherctl.environments.context import Context
from rancherctl.environments.health import NO_NETWORK
from rancherctl.environments.lease_lock import ApiLock
from rancherctl.environments.model import Environment
from rancherctl.environments.observe import observe
from rancherctl.environments.phases import HOST_PHASES, PHASES, Phase
from rancherctl.environments.plan import EnvironmentPlan, PhasePlan, Step
from rancherctl.environments.preflight import Checked, preflight, refuse
from rancherctl.environments.run import Run
from rancherctl.errors import PartialError, TimeoutExceededError
from rancherctl.events import Event, busy
from rancherctl.hosts import host_lock
from rancherctl.kube.objects import Node


@dataclass(frozen=True, slots=True)
class Applied:
    """What an apply did: the plan it carried out, where the API is, hosts that failed (one line each)."""

    environment: Environment
    plan: EnvironmentPlan
    server: str
    ca_pem: str
    failures: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0

    def raise_failures(self) -> None:
        """PartialError (exit code 6) when hosts failed."""
        if self.failures:
            done = len(self.environment.hosts) - len(self.failures)
            raise PartialError(
                f"environment {self.environment.name}: {len(self.failures)} of {done + len(self.failures)} hosts failed",
                dict(self.failures),
                hint="mend them and run the same command again",
            )


def plan(environment: Environment, context: Context) -> EnvironmentPlan:
    """What an apply would do now; nothing is changed. PreflightError when it would not begin."""
    run = _look(environment, context, _checked(environment, context))
    try:
        return _planned(run)
    finally:
        run.close()


def apply(
    environment: Environment,
    context: Context,
    *,
    break_lock: bool = False,
    timeout: float = 600.0,
    wait: bool = True,
    begin: Callable[[], object] = lambda: None,
) -> Applied:
    """Make the environment what it says. ``timeout`` bounds the waits for the API and for the nodes.

    Without ``wait`` it ends when the nodes have joined, Ready or not. ``begin`` is called when nothing was refused, before the first change.

    Hosts without a part in the control plane may fail: they are in ``Applied.failures`` and the others go on.
    """
    began = time.monotonic()
    checked = _checked(environment, context)
    keepers = [context.transport(host) for host in environment.with_role("controlplane")]
    if break_lock:
        host_lock.break_lock(keepers, context.emit)
    owner = host_lock.this_process(context.operator)
    with ExitStack() as stack:
        inner = stack.enter_context(
            ExitStack()
        )  # closed after the lock, whose Lease is given back through the run's client
        lock = stack.enter_context(host_lock.HostLock(keepers, owner, f"applying environment {environment.name}"))
        # looked at only now: what another operator did until a moment ago counts
        run = _look(environment, context, checked)
        inner.callback(run.close)
        if run.read_stored() is not None:
            lock.also(ApiLock(run.client(), owner, context.now, force=break_lock))
        planned = _planned(run)
        begin()
        for phase in PHASES:
            lock.verify()
            if any(p.name == phase.name for p in planned.phases) or phase.name == "ready":
                _do(run, phase, _amount(planned, phase), timeout, wait=wait)
        ca = str(run.material().get(places.CA, ""))
    if lock.left_behind:
        context.emit(Event("lock", lock.left_behind, "", "note", "warning"))
    failures = {name: str(error) for name, error in run.failures.items()}
    return Applied(environment, planned, environment.server(), ca, failures, planned.warnings, time.monotonic() - began)


def _checked(environment: Environment, context: Context) -> Checked:
    with busy(context.emit, "preflight", f"looking at {_hosts(environment)} before anything is changed"):
        checked = preflight(environment, context)
    immutable_fields.refuse_markers(environment, {name: facts.marker or {} for name, facts in checked.facts.items()})
    return checked


def _hosts(environment: Environment) -> str:
    return f"{len(environment.hosts)} host{'s' if len(environment.hosts) != 1 else ''}"


def _look(environment: Environment, context: Context, checked: Checked) -> Run:
    with busy(context.emit, "preflight", f"comparing {_hosts(environment)} with the file"):
        run = Run(environment, context, observe(environment, context, checked.machines))
    run.failures.update(checked.failures)
    run.warnings = checked.warnings
    try:
        _refuse_blind(run)
    except BaseException:
        run.close()
        raise
    refuse(environment, (line for seen in run.world.seen.values() for line in seen.problems))
    return run


def _refuse_blind(run: Run) -> None:
    """The error of a host that the environment is built on: nothing may be decided. An etcd host that serves the API may be out of reach."""
    for host in run.environment.hosts:
        if host.name in run.failures and (host.is_a("controlplane") or (host.is_a("etcd") and not _answers(run))):
            raise run.failures[host.name]


def _answers(run: Run) -> bool:
    """Whether the API does, as far as its hosts could be looked at."""
    return run.known.keeper in run.world.seen and run.api_lives()


def _planned(run: Run) -> EnvironmentPlan:
    stored = run.read_stored()
    if stored is not None:
        immutable_fields.refuse(stored, run.environment)
    found = [p for p in (_phase_plan(run, phase) for phase in PHASES) if p.steps]
    unreached = tuple(
        Unknown(name, str(error).removeprefix(f"{name}: ")) for name, error in sorted(run.failures.items())
    )
    unread = (
        Unknown(f"{name}: {u.where}", u.why) for name, seen in run.world.seen.items() for u in seen.observed.unknown
    )
    unknown = (*unreached, *unread)
    return EnvironmentPlan(run.environment.name, tuple(found), unknown, run.warnings)


def _phase_plan(run: Run, phase: Phase) -> PhasePlan:
    in_api = {"objects": run.object_plan, "ready": run.node_plan, "record": run.record_plan}
    if phase.name == "certificates":
        steps = [
            plans.certificate_step(host, change)
            for host, changes in run.certificate_plans().items()
            for change in changes
        ]
    elif phase.name in in_api and run.api_silent():
        steps = [Step("", "objects", "check", phase.title, ("the API does not run now: what it holds is unknown",))]
    elif phase.name in in_api:
        steps = [plans.object_step(change) for change in in_api[phase.name]()]
    else:
        steps = plans.resource_steps(run.resource_plans(phase.name)) if phase.name in HOST_PHASES else []
    return plans.phase_plan(phase.name, steps)


def _amount(planned: EnvironmentPlan, phase: Phase) -> str:
    """``: 16 changes on 2 hosts``; "" where nothing was planned."""
    steps = [step for found in planned.phases if found.name == phase.name for step in found.steps]
    hosts = len({step.host for step in steps if step.host})
    if not steps:
        return ""
    where = f" on {hosts} host{'s' if hosts != 1 else ''}" if hosts else ""
    return f": {len(steps)} change{'s' if len(steps) != 1 else ''}{where}"


def _do(run: Run, phase: Phase, amount: str, timeout: float, *, wait: bool) -> None:
    run.context.emit(Event(phase.name, phase.title, "", "started"))
    began = time.monotonic()
    match phase.name:
        case "certificates":
            run.apply_certificates(phase)
        case "objects":
            run.await_api(timeout)
            # an API that did not run when the plan was made could not say which hosts it has: they are in no file of the hosts themselves
            if (stored := run.read_stored()) is not None:
                immutable_fields.refuse(stored, run.environment, begun=True)
            run.apply_objects()
        case "ready":
            _ready(run, timeout, wait=wait)
        case "record":
            run.apply_record()
        case _:
            run.apply_resources(phase)
    run.context.emit(Event(phase.name, f"{phase.title}{amount}, {time.monotonic() - began:.1f} s", "", "done"))


def _ready(run: Run, timeout: float, *, wait: bool) -> None:
    names = frozenset(h.name for h in run.hosts())
    routed = run.environment.network.mode == "routed"

    def joined(found: Mapping[str, Node]) -> bool:
        return names <= found.keys()

    def ready(found: Mapping[str, Node]) -> bool:
        return not nodes.missing(found, names)

    client = run.client()
    try:
        there = nodes.wait(client, names, joined, timeout)
    except TimeoutExceededError as error:
        there = run.nodes()
        names = _without(
            run, names, {name: why for name, why in nodes.missing(there, names).items() if name not in there}, error
        )
    for name in nodes.apply(client, run.environment, there):
        run.context.emit(Event("ready", "labels set", name, "done"))
    if routed and wait:
        try:
            nodes.wait(client, names, ready, timeout)
        except TimeoutExceededError as error:
            _without(run, names, nodes.missing(run.nodes(), names), error)
    pending = {} if routed else nodes.missing(there, names)
    if pending:
        run.context.emit(
            Event("ready", f"{len(pending)} of {len(names)} nodes are not Ready: {NO_NETWORK}", "", "note", "warning")
        )


def _without(run: Run, names: frozenset[str], late: Mapping[str, str], error: TimeoutExceededError) -> frozenset[str]:
    """The hosts that are left when the late ones (name → why) drop out; ``error`` itself when none is left."""
    left = names - late.keys()
    if not left:
        raise error
    run.failures.update(
        {name: TimeoutExceededError(f"{name} is late: {why}", hint=error.hint) for name, why in late.items()}
    )
    return left
