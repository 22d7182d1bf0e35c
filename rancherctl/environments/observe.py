"""Look at all hosts of an environment at once: facts, resources, certificates; what could not be read is a failure of that host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from rancherctl.environments.components.machine import Machine
from rancherctl.environments.context import Context
from rancherctl.environments.design import Design, design
from rancherctl.environments.model import Environment
from rancherctl.environments.pki import hosts as pki
from rancherctl.environments.pki.wanted import Folder
from rancherctl.errors import RancherctlError
from rancherctl.hosts.model import Host, Resource
from rancherctl.hosts.observe import observe as observe_resources
from rancherctl.hosts.state import Observed

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Seen:
    """One host as it is: what it should look like (from its facts), what it has, its certificates."""

    host: Host
    machine: Machine
    design: Design
    observed: Observed
    folder: Folder


@dataclass(frozen=True, slots=True)
class World:
    """All hosts that answered, and one error for each that did not."""

    seen: Mapping[str, Seen]
    failures: Mapping[str, RancherctlError] = field(default_factory=dict)


def each(hosts: tuple[Host, ...], work: Callable[[Host], T], parallel: int) -> tuple[dict[str, T], dict[str, RancherctlError]]:
    """Run ``work`` for all hosts in parallel; (values, errors) by host name in the order of ``hosts``."""
    values: dict[str, T] = {}
    errors: dict[str, RancherctlError] = {}
    if not hosts:
        return values, errors
    with ThreadPoolExecutor(max_workers=min(parallel, len(hosts)), thread_name_prefix="hosts") as pool:
        futures = {host.name: pool.submit(work, host) for host in hosts}
        for name, future in futures.items():
            try:
                values[name] = future.result()
            except RancherctlError as error:
                errors[name] = error
    return values, errors


def observe(environment: Environment, context: Context, machines: Mapping[str, Machine]) -> World:
    """Two round trips per host: resources of all phases at once, then certificates."""

    def look(host: Host) -> Seen:
        transport = context.transport(host)
        machine = machines[host.name]
        wanted = design(environment, host, machine, context.bundle, context.extras)
        return Seen(host, machine, wanted, observe_resources(transport, everything(wanted)), pki.observe(transport, environment, host))

    hosts = tuple(h for h in environment.hosts if h.name in machines)
    values, errors = each(hosts, look, context.parallel)
    return World(values, errors)


def everything(wanted: Design) -> tuple[Resource, ...]:
    """The resources of all phases."""
    return tuple(resource for part in wanted.values() for resource in part)
