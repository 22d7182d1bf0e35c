"""Check the paths of pods before hosts join: real packets with addresses of the planned pod range, for some seconds.

Only hosts that join, and the members that they must reach, take part. What is made for it is gone afterwards, however
the check ends (pod_paths.join_site). A check that cannot run is a warning; only a path that is blocked is a problem.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from rancherctl.environments.context import Context
from rancherctl.environments.join_path_plan import (
    Noted,
    Pool,
    Probed,
    Site,
    config,
    judge,
    lines,
    opened,
    opening,
    pool,
    probes,
    reached,
    sites,
)
from rancherctl.environments.model import Environment
from rancherctl.errors import RancherctlError
from rancherctl.hosts.facts import HostFacts
from rancherctl.hosts.fanout import each
from rancherctl.hosts.model import Host
from rancherctl.hosts.remote_call import call, source_of

PROGRAM: Final = (
    "rancherctl.errors",
    "rancherctl.hosts.remote.path_probes",
    "rancherctl.pod_paths.endpoint",
    "rancherctl.pod_paths.join_site",
)
TIMEOUT: Final = 2.0
"""Seconds for one probe; a lost packet is repeated after one."""


def problems(
    environment: Environment, new: Collection[str], facts: Mapping[str, HostFacts], context: Context
) -> tuple[list[str], list[str]]:
    """Problems, and warnings about hosts on which the check could not run. Runs on all sites at the same time."""
    chosen = pool(environment, facts) if new and environment.network.mode != "none" else None
    every = sites(environment, new, facts, chosen) if chosen else ()
    hosts = {site.host: host for site in every if (host := environment.host(site.host))}
    if chosen is None or not any(site.host in new for site in every):
        return [], []
    checks = _Checks(environment, context, chosen, every, hosts, new)
    try:
        checks.start()
        checks.probe()
    finally:
        checks.stop()
    found = judge(every, checks.found, checks.noted)
    blocked = [each for each in found if each.cause != "firewall" or each.host not in opened(environment, facts)]
    return lines(blocked, opening(environment, facts)), checks.warnings


class _Checks:
    """One run over all sites."""

    def __init__(
        self,
        environment: Environment,
        context: Context,
        chosen: Pool,
        every: tuple[Site, ...],
        hosts: Mapping[str, Host],
        new: Collection[str],
    ) -> None:
        self._environment, self._context, self._pool, self._new = environment, context, chosen, new
        self._sites, self._hosts = {site.host: site for site in every}, hosts
        self._running: dict[str, Site] = {}
        self.found: dict[str, list[Probed]] = {}
        self.noted: dict[str, Noted] = {}
        self.warnings: list[str] = []

    def start(self) -> None:
        modules = [[name, source_of(name)] for name in PROGRAM]

        def run(host: Host) -> None:
            site = self._sites[host.name]
            wanted = config(self._environment, site, self._sites.values(), self._pool, self._new)
            request = {"op": "start_join_paths", "modules": modules, "config": wanted}
            call(self._context.transport(host), request, timeout=60.0)

        for name, outcome in each(tuple(self._hosts.values()), run, self._context.parallel).items():
            try:
                outcome.get()
                self._running[name] = self._sites[name]
            except RancherctlError as error:
                why = error.why or str(error)
                self.warnings.append(f"{name}: the paths of pods could not be checked before the join: {why}")

    def probe(self) -> None:
        every = tuple(self._running.values())

        def run(host: Host) -> list[Probed]:
            planned = probes(self._environment, self._sites[host.name], every, self._new)
            request = {"op": "probe_join_paths", "probes": [probe for _, probe in planned], "timeout": TIMEOUT}
            results = call(self._context.transport(host), request, timeout=90.0)["results"]
            return [
                replace(told, reached=reached(told, each_result["outcome"], self._new), detail=each_result["detail"])
                for (told, _), each_result in zip(planned, results, strict=True)
            ]

        running = tuple(self._hosts[name] for name in self._running)
        for name, outcome in each(running, run, self._context.parallel).items():
            try:
                self.found[name] = outcome.get()
            except RancherctlError as error:
                self.warnings.append(f"{name}: the paths of pods could not be checked before the join: {error}")

    def stop(self) -> None:
        """End it everywhere, also where the start failed; a host that does not answer ends it by itself."""

        def run(host: Host) -> Noted:
            answer = call(self._context.transport(host), {"op": "stop_join_paths"}, timeout=60.0)
            return Noted(*(frozenset(map(tuple, answer[key])) for key in ("sent", "seen")))

        for name, outcome in each(tuple(self._hosts.values()), run, self._context.parallel).items():
            try:
                self.noted[name] = outcome.get()
            except RancherctlError as error:
                self.warnings.append(f"{name}: the check of paths ends within a minute by itself: {error}")
