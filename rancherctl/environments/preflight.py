"""Check all hosts before anything is changed: in parallel, reporting all problems at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rancherctl.bundle.distribution.offer import systems
from rancherctl.environments import bundled_packages, host_checks, join_paths, paths_between
from rancherctl.environments.components.machine import MachineFacts
from rancherctl.environments.context import Context
from rancherctl.environments.health import grouped
from rancherctl.environments.model import Environment
from rancherctl.errors import AuthError, PreflightError, RancherctlError, UnreachableError
from rancherctl.events import Event, busy
from rancherctl.hosts.facts import HostFacts, gather_facts
from rancherctl.hosts.fanout import majority
from rancherctl.text import plural


@dataclass(frozen=True, slots=True)
class Checked:
    """Facts of the hosts that answered, and warnings.

    ``failures``: hosts of an existing environment that did not answer; the others continue.
    """

    facts: Mapping[str, HostFacts]
    machines: Mapping[str, MachineFacts]
    failures: Mapping[str, RancherctlError] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def preflight(environment: Environment, context: Context) -> Checked:
    """Gather and check the facts of all hosts.

    PreflightError lists every problem; UnreachableError or AuthError if no other was found.
    """
    facts, errors = gather_facts(
        environment.hosts,
        context.transport,
        emit=context.emit,
        limit=context.parallel,
        interrupted=context.observing_interrupted,
    )
    control_plane = environment.with_role("controlplane")
    members = [h for h in control_plane if h.name in facts and host_checks.owner(facts[h.name]) == environment.name]
    exists = len(members) >= majority(len(control_plane))
    tolerated = errors if exists else {}
    arch = context.bundle.manifest.arch
    found = [
        line
        for name, fact in facts.items()
        if (h := environment.host(name))
        for line in host_checks.problems(environment, h, fact, arch)
    ]
    bundled = systems(context.bundle.manifest)
    found += [
        line
        for name, fact in facts.items()
        for line in (*bundled_packages.unavailable(name, fact, bundled), *bundled_packages.outdated(name, fact))
    ]
    found += host_checks.shared_identities(environment.hosts, facts)
    found += host_checks.tunnels(environment, facts)
    new = frozenset(name for name, fact in facts.items() if host_checks.owner(fact) != environment.name)
    found += paths_between.problems(environment, new, facts, context, _opened(environment, facts))
    unchecked = list[str]()
    if not found and not (errors and not exists):  # it takes seconds, and the other problems come first
        with busy(context.emit, "preflight", "checking the paths of pods between the hosts"):
            found, unchecked = join_paths.problems(environment, new, facts, context)
    _refuse(environment, found, {} if exists else errors)
    warnings = (
        *(
            line
            for name, fact in facts.items()
            if (h := environment.host(name))
            for line in host_checks.warnings(h, fact)
        ),
        *unchecked,
    )
    lines = grouped(warnings)
    for line in lines:
        context.emit(Event("preflight", line, "", "note", "warning"))
    machines = {name: machine(fact) for name, fact in facts.items()}
    return Checked(facts, machines, tolerated, lines)


def _opened(environment: Environment, facts: Mapping[str, HostFacts]) -> frozenset[str]:
    """Addresses of hosts whose firewall this apply opens for the other hosts."""
    if not environment.network.open_firewall:
        return frozenset()
    return frozenset(
        host.address
        for host in environment.hosts
        if (fact := facts.get(host.name)) and fact.firewall and fact.firewall.kind
    )


def machine(facts: HostFacts) -> MachineFacts:
    """The facts that configurations depend on; unknown ones get the values of a usual host."""
    resolved = (
        facts.units is not None
        and (unit := facts.units.get("systemd-resolved")) is not None
        and unit.active == "active"
    )
    return MachineFacts(
        cgroup_v2=facts.cgroup != 1,
        may_lower_oom=facts.may_raise_limits is not False,
        resolv_conf="/run/systemd/resolve/resolv.conf" if resolved else "/etc/resolv.conf",
        system=bundled_packages.system_of(facts),
    )


def refuse(environment: Environment, lines: Iterable[str]) -> None:
    """PreflightError if there are any problems; each line is ``host: what (remedy)``."""
    problems = list(lines)
    if problems:
        what = f"the hosts of environment {environment.name} are not ready: {plural(len(problems), 'problem')}"
        raise PreflightError(what, problems, hint="fix these and retry; nothing was changed")


def _refuse(environment: Environment, found: list[str], failures: Mapping[str, RancherctlError]) -> None:
    errors = list(failures.values())
    if (
        errors
        and not found
        and (len(errors) == 1 or len({type(e) for e in errors}) == 1)
        and isinstance(errors[0], (UnreachableError, AuthError))
    ):
        what = "; ".join(e.what for e in errors)
        why = "; ".join(dict.fromkeys(e.why for e in errors if e.why))
        raise type(errors[0])(what, why=why, hint=errors[0].hint or "nothing was changed")
    refuse(environment, [*(str(e) for e in errors), *found])
