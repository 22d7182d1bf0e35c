"""Plan and apply an environment: check and observe all hosts, then walk through the phases in their order."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

from rancherctl.change import Unknown
from rancherctl.environments import https_notice, immutable_fields, layout, network_notice, services_default
from rancherctl.environments.components import places
from rancherctl.environments.context import Context
from rancherctl.environments.lease_lock import LeaseLock
from rancherctl.environments.model import Environment
from rancherctl.environments.observe import observe
from rancherctl.environments.phases import PHASES
from rancherctl.environments.phases.base import Phase
from rancherctl.environments.plan import EnvironmentPlan, PhasePlan
from rancherctl.environments.preflight import Checked, preflight, refuse
from rancherctl.environments.run import EnvironmentRun
from rancherctl.errors import PartialError
from rancherctl.events import Event, busy
from rancherctl.hosts import host_lock, lock_owner
from rancherctl.hosts.fanout import majority
from rancherctl.hosts.model import Role
from rancherctl.text import plural

CONTROL_PLANE_ROLES: Final[tuple[Role, ...]] = ("controlplane", "etcd")


@dataclass(frozen=True, slots=True)
class AppliedEnvironment:
    """What an apply did: the plan it carried out, where the API is, hosts that failed (one line each)."""

    environment: Environment
    plan: EnvironmentPlan
    server: str
    ca_pem: str
    failures: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0

    def raise_failures(self) -> None:
        """PartialError (exit code 6) if hosts failed."""
        if self.failures:
            total = len(self.environment.hosts)
            raise PartialError(
                f"environment {self.environment.name}: {len(self.failures)} of {total} hosts failed",
                dict(self.failures),
                hint="fix these hosts and run the same command again",
            )


def plan(environment: Environment, context: Context) -> EnvironmentPlan:
    """What an apply would do now; nothing is changed. PreflightError if it would not start."""
    checked = _checked(environment, context)
    run = _observed(_settled(environment, checked), context, checked)
    try:
        return planned(run)
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
) -> AppliedEnvironment:
    """Make the environment match its file.

    ``timeout`` (seconds) bounds the waits for the API and for the nodes; without ``wait`` it returns once the nodes
    have joined, Ready or not. ``begin`` is called before the first change, once nothing was refused. Hosts outside the
    control plane may fail: they are in ``AppliedEnvironment.failures``, and the others continue.
    """
    began = time.monotonic()
    checked = _checked(environment, context)
    environment = _settled(environment, checked)
    lock_hosts = [context.transport(host) for host in environment.with_role("controlplane")]
    if break_lock:
        host_lock.break_lock(lock_hosts, context.emit)
    owner = lock_owner.this_process(context.operator)
    with ExitStack() as stack:
        # closed after the lock: its Lease is released through the run's client
        inner = stack.enter_context(ExitStack())
        reason = f"applying environment {environment.name}"
        lock = stack.enter_context(host_lock.HostLock(lock_hosts, owner, reason, majority=True))
        for name, why in lock.skipped.items():
            context.emit(Event("lock", f"not locked, a majority is enough: {why}", name, "note", "warning"))
        # only now: another operator may have made changes until the lock was free
        run = _observed(environment, context, checked, timeout=timeout, wait=wait)
        inner.callback(run.close)
        if run.read_stored() is not None:
            lock.add(LeaseLock(run.client(), owner, context.now, force=break_lock))
        whole = planned(run)
        begin()
        for phase in PHASES:
            lock.verify()
            part = whole.phase(phase.name)
            if part is not None or phase.always:
                _apply_phase(run, phase, part or PhasePlan(phase.name, phase.title, ()))
        ca = str(run.material().get(places.CA, ""))
    if lock.left_behind:
        context.emit(Event("lock", lock.left_behind, "", "note", "warning"))
    failures = {name: str(error) for name, error in run.failures.items()}
    return AppliedEnvironment(
        environment, whole, environment.server(), ca, failures, run.warnings, time.monotonic() - began
    )


def planned(run: EnvironmentRun) -> EnvironmentPlan:
    """The plan of all phases. RefusedError if the environment cannot become what the file says."""
    stored = run.read_stored()
    if stored is not None:
        immutable_fields.refuse(stored, run.environment)
        _warn_of_redirects(run, stored)
        _warn_of_services(run, stored)
        if notice := network_notice.mode_changes(stored, run.environment):
            run.warn("agents", notice)
    parts = tuple(part for phase in PHASES if (part := phase.plan(run)).steps)
    unreachable = (Unknown(name, str(error).removeprefix(f"{name}: ")) for name, error in sorted(run.failures.items()))
    unreadable = (
        Unknown(f"{name}: {u.where}", u.why) for name, host in run.observed.hosts.items() for u in host.observed.unknown
    )
    return EnvironmentPlan(run.environment.name, parts, (*unreachable, *unreadable), run.warnings)


def _warn_of_redirects(run: EnvironmentRun, stored: Environment) -> None:
    if https_notice.redirects_begin(stored, run.stored_stamp, run.environment):
        keys = run.context.redirecting(run.client(), bool(run.environment.ingress.default_certificate))
        if keys:
            run.warn("agents", https_notice.notice(keys))


def _warn_of_services(run: EnvironmentRun, stored: Environment) -> None:
    if services_default.begins(stored, run.environment):
        found = run.context.publishing(run.client())
        if found:
            run.warn("agents", services_default.notice(found))


def _checked(environment: Environment, context: Context) -> Checked:
    with busy(context.emit, "preflight", f"checking {_hosts(environment)} before anything is changed"):
        checked = preflight(environment, context)
    markers = {name: facts.marker or {} for name, facts in checked.facts.items()}
    layout.refuse_newer(environment.name, markers.values())
    immutable_fields.refuse_markers(environment, markers)
    return checked


def _settled(environment: Environment, checked: Checked) -> Environment:
    return services_default.settled(environment, (facts.marker or {} for facts in checked.facts.values()))


def _hosts(environment: Environment) -> str:
    return plural(len(environment.hosts), "host")


def _observed(
    environment: Environment, context: Context, checked: Checked, *, timeout: float = 600.0, wait: bool = True
) -> EnvironmentRun:
    with busy(context.emit, "preflight", f"comparing {_hosts(environment)} with the file"):
        observed = observe(environment, context, checked.machines)
    run = EnvironmentRun(environment, context, observed, timeout=timeout, wait=wait)
    run.failures.update(checked.failures)
    run.warnings = checked.warnings
    try:
        _refuse_without_majority(run)
    except BaseException:
        run.close()
        raise
    refuse(environment, (line for host in observed.hosts.values() for line in host.problems))
    return run


def _refuse_without_majority(run: EnvironmentRun) -> None:
    """Raise a host's error if no majority of the control plane could be observed: nothing may be decided then.

    etcd hosts may be unreachable from here as long as the API answers.
    """
    for role in CONTROL_PLANE_ROLES:
        hosts = run.environment.with_role(role)
        lost = [host.name for host in hosts if host.name in run.failures]
        has_majority = len(hosts) - len(lost) >= majority(len(hosts))
        if lost and not has_majority and not (role == "etcd" and run.api_answers()):
            raise run.failures[lost.pop(0)]


def _amount(part: PhasePlan) -> str:
    """``: 16 changes on 2 hosts``; "" if nothing was planned."""
    hosts = len({step.host for step in part.steps if step.host})
    if not part.steps:
        return ""
    where = f" on {plural(hosts, 'host')}" if hosts else ""
    return f": {plural(len(part.steps), 'change')}{where}"


def _apply_phase(run: EnvironmentRun, phase: Phase, part: PhasePlan) -> None:
    run.context.emit(Event(phase.name, phase.title, "", "started"))
    began = time.monotonic()
    phase.apply(run, part)
    run.context.emit(Event(phase.name, f"{phase.title}{_amount(part)}, {time.monotonic() - began:.1f} s", "", "done"))
