"""Observe the status of an environment: hosts, API, certificates, drift. Read-only; what cannot be read is unknown."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from rancherctl import visits
from rancherctl.contract import ALARMS_KEY, CONTROLLER_NAME, FEDERATION_NAMESPACE_PREFIX, REPORT_PREFIX
from rancherctl.environments import services_default
from rancherctl.environments.components import places
from rancherctl.environments.context import Context
from rancherctl.environments.health import (
    NO_NETWORK,
    STARTING_SECONDS,
    CertificateStatus,
    EnvironmentStatus,
    HostHealth,
    UnitStatus,
)
from rancherctl.environments.manifests.base import RECORD, SYSTEM
from rancherctl.environments.model import Environment
from rancherctl.environments.observe import ObservedHost, ObservedHosts, observe
from rancherctl.environments.phases import PHASES
from rancherctl.environments.pki.leaves import leaves
from rancherctl.environments.pki.wanted import apply_in, parse
from rancherctl.environments.pod_paths_check import CheckedPaths, check_now
from rancherctl.environments.preflight import machine
from rancherctl.environments.run import EnvironmentRun
from rancherctl.environments.stored_json import json_field
from rancherctl.errors import AuthError, NotFoundError, RancherctlError, UnreachableError
from rancherctl.events import busy
from rancherctl.hosts.facts import HostFacts, gather_facts
from rancherctl.hosts.model import Host, Unit, key
from rancherctl.kube.client import CONFIGMAPS, LEASES, NAMESPACES, Json, KubeClient
from rancherctl.kube.objects import Node
from rancherctl.kube.rest import RestClient
from rancherctl.pod_paths.explain import PathProblem, explain, remedies, unknowns
from rancherctl.pod_paths.model import HostPaths, from_section
from rancherctl.pod_paths.role_spec import SPEC as POD_PATHS


@dataclass(frozen=True, slots=True)
class _ApiStatus:
    """What was read from the API; ``error`` is "" if it answered."""

    error: str
    nodes: Mapping[str, Node] = field(default_factory=dict)
    roster: Mapping[str, Any] = field(default_factory=dict)
    reports: Mapping[str, Any] = field(default_factory=dict)
    leader: str = ""
    applied: str = ""
    alarms: tuple[str, ...] = ()
    federations: Mapping[str, str] = field(default_factory=dict)
    """Federation → when its process was here last, as it has noted it."""


def status(environment: Environment, context: Context, *, check: bool = False) -> EnvironmentStatus:
    """The environment's status; a host or an API that does not answer is part of it, not an error.

    ``check``: check the paths of pods now, instead of reading what agents found last.
    """
    facts, failures = gather_facts(
        environment.hosts,
        context.transport,
        emit=context.emit,
        limit=context.parallel,
        interrupted=context.observing_interrupted,
    )
    environment = services_default.settled(environment, (fact.marker or {} for fact in facts.values()))
    observed = observe(environment, context, {name: machine(fact) for name, fact in facts.items()})
    failures |= observed.failures
    run = EnvironmentRun(environment, context, observed)
    try:
        with busy(context.emit, "look", f"reading from the API at {environment.server()}"):
            api = _read_api(run)
        drift = _drift(run, bool(api.error))
    finally:
        run.close()
    checked = check_now(environment, context, observed.hosts) if check else None
    found, problems, unknown = _pod_paths(environment, api, checked)
    observation = _Observation(environment, context, facts, observed, failures, api, drift, found)
    hosts = tuple(_host(observation, host) for host in environment.hosts)
    notes = []
    if environment.runs_pods and environment.routes_pods:
        notes.append(f"NetworkPolicies are not enforced in {environment.network.mode} mode")
    if not environment.routes_pods and any(host.ready is False for host in hosts):
        notes.append(f"Nodes are not Ready: {NO_NETWORK}")
    if not context.bundle.manifest.artefacts:
        notes.append(
            "no bundle is chosen, so programs and images are not compared:"
            f" rancherctl env status {environment.name} --bundle BUNDLE"
        )
    notes += [f"{host.name}: {line}" for host in hosts if (line := host.apply_due())]
    notes += unknown
    notes += [f"controller alarm: {line}" for line in api.alarms]
    now = time.time()
    seen = (visits.stale(environment.name, name, note, now) for name, note in api.federations.items())
    notes += [line for line in seen if line]
    differences = tuple(f"{name}: {line}" for name, lines in drift.items() for line in lines)
    return EnvironmentStatus(
        environment.name,
        environment.kubernetes,
        environment.server(),
        api.error or "ok",
        hosts,
        api.leader,
        api.applied,
        differences,
        tuple(notes),
        remedies(problems, environment.name),
    )


def _pod_paths(
    environment: Environment, api: _ApiStatus, checked: CheckedPaths | None
) -> tuple[Mapping[str, tuple[str, ...]], tuple[PathProblem, ...], tuple[str, ...]]:
    """Problems of pod paths by host and as a list, and notes about what could not be checked."""
    if checked is not None:
        return _explained(checked.paths, set(checked.paths), checked.notes)
    live = {name for name, member in api.roster.items() if member.get("alive")}
    paths = {
        host.name: found
        for host in environment.hosts
        if (found := from_section((api.reports.get(host.name) or {}).get(POD_PATHS.name))) is not None
    }
    return _explained(paths, live, ())


def _explained(
    paths: Mapping[str, HostPaths], live: Collection[str], notes: tuple[str, ...]
) -> tuple[Mapping[str, tuple[str, ...]], tuple[PathProblem, ...], tuple[str, ...]]:
    problems = explain(paths, live)
    lines: dict[str, tuple[str, ...]] = {}
    for each in problems:
        lines[each.host] = (*lines.get(each.host, ()), each.text)
    return lines, problems, (*unknowns(paths, live), *notes)


def _read_api(run: EnvironmentRun) -> _ApiStatus:
    if not run.authorities.ca_host:
        return _ApiStatus("no control-plane host with the CA answered")
    try:
        client = run.client()
        client.raw("GET", "/readyz", timeout=5.0)
        maps = {body["metadata"]["name"]: body for body in client.list(CONFIGMAPS, namespace=SYSTEM).items}
        return _ApiStatus(
            "",
            run.nodes(),
            {h["name"]: h for h in json_field(maps.get("roster"), "roster").get("hosts", ()) if "name" in h},
            {
                name.removeprefix(REPORT_PREFIX): json_field(body, "report").get("sections", {})
                for name, body in maps.items()
                if name.startswith(REPORT_PREFIX)
            },
            _leader(client),
            _time(maps.get(RECORD)),
            alarms(maps.get("roster")),
            federation_visits(client),
        )
    except UnreachableError as error:
        return _ApiStatus(error.why or str(error))
    except RancherctlError as error:
        return _ApiStatus(str(error))


def federation_visits(client: KubeClient) -> dict[str, str]:
    """When each federation that has accounts here was here last, as its process has noted it; "" without a note."""
    found: dict[str, str] = {}
    for space in client.list(NAMESPACES).items:
        name, meta = str(space["metadata"]["name"]), space["metadata"]
        if not name.startswith(FEDERATION_NAMESPACE_PREFIX) or meta.get("deletionTimestamp"):
            continue
        try:
            data = client.get(CONFIGMAPS, visits.NOTE, namespace=name).get("data") or {}
        except NotFoundError:
            data = {}
        found[name.removeprefix(FEDERATION_NAMESPACE_PREFIX)] = str(data.get(visits.KEY, ""))
    return found


def alarms(roster: Json | None) -> tuple[str, ...]:
    """The controller's alarms, one line each, from the roster's ConfigMap. Pure."""
    return tuple(str(((roster or {}).get("data") or {}).get(ALARMS_KEY, "")).splitlines())


def _leader(client: RestClient) -> str:
    try:
        return str(client.get(LEASES, CONTROLLER_NAME, namespace=SYSTEM).get("spec", {}).get("holderIdentity", ""))
    except NotFoundError:
        return ""


def _time(body: Json | None) -> str:
    """When the record was last written, from its managed fields."""
    fields = (body or {}).get("metadata", {}).get("managedFields", [])
    return max((str(f.get("time", "")) for f in fields), default="")


def _drift(run: EnvironmentRun, without_api: bool) -> dict[str, list[str]]:
    """Host, or "API" → steps that an apply would do there. ``without_api``: the API did not answer."""
    out: dict[str, list[str]] = {name: [] for name in run.plans}
    for phase in PHASES:
        if without_api and phase.in_api:
            continue
        for step in phase.steps(run):
            why = f": {step.detail[0].partition(';')[0]}" if phase.name == "certificates" and step.detail else ""
            out.setdefault(step.host or "API", []).append(step.line() + why)
    return out


@dataclass(frozen=True, slots=True)
class _Observation:
    """Everything that was read, from which each host's status is made."""

    environment: Environment
    context: Context
    facts: Mapping[str, HostFacts]
    observed: ObservedHosts
    failures: Mapping[str, RancherctlError]
    api: _ApiStatus
    drift: Mapping[str, list[str]]
    paths: Mapping[str, tuple[str, ...]]


def _host(found: _Observation, host: Host) -> HostHealth:
    roles = tuple(sorted(host.roles))
    seen, node = found.observed.hosts.get(host.name), found.api.nodes.get(host.name)
    member = found.api.roster.get(host.name)
    ready = None if found.api.error else bool(node and node.ready)
    alive = None if member is None else bool(member.get("alive"))
    if seen is None:
        error = found.failures.get(host.name)
        why = str(error).removeprefix(f"{host.name}: ") if error is not None else ""
        remedy = error.hint if isinstance(error, AuthError) else ""
        carries = found.environment.carries_load_balancers(host)
        return HostHealth(host.name, host.address, roles, False, why, ready, remedy=remedy, load_balancer=carries)
    return HostHealth(
        host.name,
        host.address,
        roles,
        True,
        ready=ready,
        trouble=node.trouble if node else "",
        version=node.kubelet_version if node else "",
        system=found.facts[host.name].os_name or "",
        units=_units(seen),
        failed=tuple(name.removesuffix(".service") for name in found.facts[host.name].failed_units or ()),
        certificates=_certificates(found.environment, seen, found.context),
        drift=len(found.drift.get(host.name, ())),
        load_balancer=found.environment.carries_load_balancers(host),
        alive=alive,
        report=found.api.reports.get(host.name, {}),
        unread=tuple(f"{unknown.where}: {unknown.why}" for unknown in seen.observed.unknown),
        paths=found.paths.get(host.name, ()),
        starting=alive is False and seen.observed.ages.get(places.unit("agent"), STARTING_SECONDS) < STARTING_SECONDS,
    )


def _units(seen: ObservedHost) -> tuple[UnitStatus, ...]:
    if any(unknown.where == "units" for unknown in seen.observed.unknown):
        return ()
    out = []
    for part in seen.design.values():
        for unit in part:
            if isinstance(unit, Unit) and unit.active:
                state = seen.observed.states.get(key(unit))
                active, enabled = (
                    (state.get("active") == "yes", state.get("enabled") == "yes") if state else (False, False)
                )
                out.append(UnitStatus(unit.name.removesuffix(".service"), active, enabled))
    return tuple(sorted(out, key=lambda unit: unit.name))


def _certificates(environment: Environment, seen: ObservedHost, context: Context) -> tuple[CertificateStatus, ...]:
    now, out = context.now(), []
    for leaf in leaves(environment, seen.host):
        found = seen.folder.files.get(leaf.crt)
        certificate = parse(leaf.name, found.text) if found else None
        if certificate is not None and not leaf.self_renewed:
            # the CA's key is on control-plane hosts only
            by_apply = not seen.host.is_a("controlplane") and leaf.authority == "etcd-ca"
            out.append(
                CertificateStatus(
                    leaf.name, round(certificate.days(now), 1), apply_in(certificate, now) if by_apply else None
                )
            )
    return tuple(out)
