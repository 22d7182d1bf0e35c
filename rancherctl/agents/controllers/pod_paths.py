"""PodPathsController: write on each Node whether its pods reach DNS, the API and pods of other hosts."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rancherctl.agents.clock import micro_time
from rancherctl.agents.due import Due
from rancherctl.agents.fence import Fenced
from rancherctl.agents.host_report_reader import ReportCache
from rancherctl.agents.leader import Leader
from rancherctl.agents.roster_reader import RosterReader
from rancherctl.contract import POD_PATHS_CONDITION
from rancherctl.errors import ConflictError, NotFoundError, RancherctlError
from rancherctl.kube.backoffs import Backoffs
from rancherctl.kube.client import NODES, Json
from rancherctl.kube.http.failures import concerns_one
from rancherctl.kube.objects import ConfigMap, Node
from rancherctl.kube.snapshot import Snapshot
from rancherctl.pod_paths.explain import PathProblem, explain, remedies
from rancherctl.pod_paths.model import HostPaths
from rancherctl.pod_paths.report import parse_report
from rancherctl.roles import controllers

log = logging.getLogger(__name__)
TABLES: Final = ("nodes", "configmaps")
WRITES_PER_CALL: Final = 50
CHECK_SECONDS: Final = 300.0
"""Seconds after which conditions are compared again although nothing changed: a new Node object has none."""


@dataclass(frozen=True, slots=True)
class PathCondition:
    """The condition of one Node, without times."""

    status: str
    reason: str
    message: str


def condition(
    found: HostPaths | None, problems: tuple[PathProblem, ...], *, alive: bool, environment: str
) -> PathCondition:
    """The condition that a host's checks and the problems at this host mean. Pure."""
    if not alive:
        return PathCondition("Unknown", "AgentSilent", "the agent of this host does not report")
    if found is None:
        return PathCondition("Unknown", "NotReported", "the agent of this host has not checked yet")
    if problems:
        texts = [*(each.text for each in problems), *remedies(problems, environment)]
        return PathCondition("False", problems[0].reason, "; ".join(texts))
    if found.starting:
        return PathCondition("Unknown", "Starting", "the agent of this host has not checked yet")
    unknown = [check.reason for what, check in found.checks()[:2] if check.answer == "unknown"]
    if unknown:
        return PathCondition("Unknown", "CouldNotTell", "; ".join(dict.fromkeys(unknown)))
    return PathCondition("True", "PodsReachEverything", "pods reach DNS, the API and pods of other hosts")


def with_condition(node: Json, wanted: PathCondition, now: str) -> Json | None:
    """The merge patch that gives a Node the condition; None if it has it. Pure.

    The list is replaced as a whole, so the patch applies to this version of the Node only.
    """
    conditions: list[dict[str, Any]] = (node.get("status") or {}).get("conditions") or []
    old = next((c for c in conditions if c.get("type") == POD_PATHS_CONDITION), {})
    new = {"type": POD_PATHS_CONDITION, "status": wanted.status, "reason": wanted.reason, "message": wanted.message}
    if all(old.get(key) == value for key, value in new.items()):
        return None
    since = old.get("lastTransitionTime") if old.get("status") == wanted.status else None
    new |= {"lastHeartbeatTime": now, "lastTransitionTime": since or now}
    others = [c for c in conditions if c.get("type") != POD_PATHS_CONDITION]
    version = {"resourceVersion": node["metadata"]["resourceVersion"]}
    return {"metadata": version, "status": {"conditions": [*others, new]}}


def _paths(stored: ConfigMap) -> HostPaths | None:
    return parse_report(stored.data)


class PodPathsController:
    """Writes conditions while this process leads, those that changed only."""

    spec = controllers.POD_PATHS

    def __init__(self, client: Fenced, leader: Leader, clock: Callable[[], float], environment: str) -> None:
        self._client, self._leader, self._clock, self._environment = client, leader, clock, environment
        self._roster, self._reports, self._due = RosterReader(), ReportCache(_paths), Due(TABLES)
        self._written: dict[tuple[str, str], PathCondition] = {}
        self._checked_at = clock()
        self._backoffs = Backoffs(random.Random())  # noqa: S311  # spreads load, protects nothing

    def reconcile(self, snapshot: Snapshot) -> None:
        """Write the conditions that differ, at most WRITES_PER_CALL."""
        now = self._clock()
        if not self._leader.leading:
            self._written = {}  # another leader may write others meanwhile
        tables = self._due.items(snapshot)
        ready = self._leader.leading and all(snapshot.table(name).synced for name in TABLES)
        if not (ready and self._due.now(tables, now)):
            return
        if now - self._checked_at >= CHECK_SECONDS:
            self._checked_at, self._written = now, {}
        nodes, maps = tables
        wanted = self._wanted(nodes, maps)
        keys = {(name, nodes[name].meta.uid): name for name in wanted}
        self._written = {key: done for key, done in self._written.items() if key in keys}
        self._backoffs.keep(keys)
        todo = [
            key
            for key, name in sorted(keys.items())
            if self._written.get(key) != wanted[name] and self._backoffs.open(key, now)
        ]
        for key in todo[:WRITES_PER_CALL]:
            self._write(key, wanted[keys[key]], now)
        waits = (CHECK_SECONDS, self._backoffs.wake(now) or CHECK_SECONDS)
        self._due.done(tables, now if len(todo) > WRITES_PER_CALL else now + min(waits))

    def _wanted(self, nodes: Mapping[str, Node], maps: Mapping[str, ConfigMap]) -> dict[str, PathCondition]:
        reports = self._reports.by_host(maps)
        found = {host: paths for host, paths in reports.items() if paths is not None}
        roster = self._roster.read(maps).hosts
        live = {host.name for host in roster if host.alive}
        at: dict[str, tuple[PathProblem, ...]] = {}
        for problem in explain(found, live):
            at[problem.host] = (*at.get(problem.host, ()), problem)
        return {
            host.name: condition(
                found.get(host.name), at.get(host.name, ()), alive=host.alive, environment=self._environment
            )
            for host in roster
            if host.name in nodes
        }

    def _write(self, key: tuple[str, str], wanted: PathCondition, now: float) -> None:
        """Write one Node's condition; a Node that changes at the same moment is tried again."""
        name, uid = key
        try:
            node = self._client.get(NODES, name)
            if node["metadata"].get("uid") != uid:
                return
            patch = with_condition(node, wanted, micro_time()[:19] + "Z")
            if patch is not None:
                self._client.patch(NODES, name, patch, subresource="status")
            self._written[key] = wanted
        except NotFoundError as error:
            log.debug("Node %s has gone: %s", name, error)
        except RancherctlError as error:
            if not (isinstance(error, ConflictError) or concerns_one(error)):
                raise
            wait = self._backoffs.failed(key, now, error)
            log.info("cannot write the condition of Node %s, retrying in %.1f s: %s", name, wait, error)
