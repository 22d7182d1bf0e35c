"""Check the paths of pods on request: every host now, over ssh, instead of the last reports of agents."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rancherctl.contract import AGENT_PYZ
from rancherctl.environments.context import Context
from rancherctl.environments.model import Environment
from rancherctl.errors import RancherctlError
from rancherctl.events import busy
from rancherctl.hosts.command import Result, command
from rancherctl.hosts.fanout import each
from rancherctl.hosts.model import Host
from rancherctl.pod_paths.choice import asked_now
from rancherctl.pod_paths.model import HostPaths, from_section
from rancherctl.text import last_line, plural

TIME_LIMIT = 90.0
"""Seconds for the check of one host: nineteen probes that all fail take about half of it."""


@dataclass(frozen=True, slots=True)
class CheckedPaths:
    """What the hosts found, and lines about the check itself."""

    paths: Mapping[str, HostPaths]
    notes: tuple[str, ...]


def check_now(environment: Environment, context: Context, reachable: Iterable[str]) -> CheckedPaths:
    """Check all hosts that are reachable, at the same time."""
    names = set(reachable)
    hosts = tuple(host for host in environment.hosts if host.name in names)
    with busy(context.emit, "paths", f"checking the paths of pods on {plural(len(hosts), 'host')}"):
        outcomes = each(hosts, lambda host: _check(host, hosts, context), context.parallel)
    found, notes = dict[str, HostPaths](), []
    for name, outcome in outcomes.items():
        try:
            found[name] = outcome.get()
        except RancherctlError as error:
            notes.append(f"{name}: paths of pods were not checked: {error}{f': {error.why}' if error.why else ''}")
    return CheckedPaths(found, (*notes, *_summary(found)))


def _summary(found: Mapping[str, HostPaths]) -> tuple[str, ...]:
    if not found:
        return ()
    pairs = [check.answer == "yes" for paths in found.values() for check in paths.pods.values()]
    between = f", {sum(pairs)} of {plural(len(pairs), 'path')} to pods of other hosts work" if pairs else ""
    return (f"paths of pods were checked now, on {plural(len(found), 'host')}{between}",)


def _check(host: Host, hosts: tuple[Host, ...], context: Context) -> HostPaths:
    asked = set(asked_now(host.name, (each.name for each in hosts)))
    words = [f"{other.name}={other.address}" for other in hosts if other.name in asked]
    argv = command("python3", "-I", AGENT_PYZ, "pod-paths", *words, root=True, timeout=TIME_LIMIT)
    return parse(host.name, context.transport(host).run(argv, check=False))


def parse(host: str, result: Result) -> HostPaths:
    """The result of the agent's command. RancherctlError if it is none."""
    if not result.ok:
        if b"invalid choice" in result.stderr:
            raise RancherctlError("its agent is of an earlier release", hint="rancherctl env apply updates it")
        raise RancherctlError("the check failed", why=last_line(result.stderr, f"exit status {result.status}")[:300])
    try:
        found = from_section(json.loads(last_line(result.stdout)))
    except (ValueError, RecursionError):
        found = None
    if found is None:
        raise RancherctlError(f"the answer of {host} cannot be read")
    return found
