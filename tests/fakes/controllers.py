"""An API, a leadership and a clock in memory for tests of the controllers and of the agent's threads."""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping
from typing import Any

from rancherctl.agents.controllers.host_objects import HostObjectsController
from rancherctl.agents.controllers.roster import RosterController
from rancherctl.agents.fence import Fenced
from rancherctl.agents.leader import NotLeaderError
from rancherctl.agents.roster_store import RosterStore
from rancherctl.contract import CONTROLLER_NAME, NAMESPACE
from rancherctl.kube import objects
from rancherctl.kube.client import AlreadyExistsError
from rancherctl.kube.objects import Meta, Node
from rancherctl.kube.snapshot import Snapshot, Table
from rancherctl.placement.model import Roster

NAMES = ("h1", "h2", "h3", "h4")


class ApiStore:
    """Stores what is written; knows nothing of what should be there."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.writes: list[str] = []

    def create(self, resource: Any, body: dict[str, Any], **_: Any) -> dict[str, Any]:
        key = (resource.plural, body["metadata"]["name"])
        if key in self.objects:
            raise AlreadyExistsError(f"{key} exists")
        self.writes.append(f"create {key[0]}/{key[1]}")
        self.objects[key] = copy.deepcopy(body)
        return body

    def replace(self, resource: Any, body: dict[str, Any], **_: Any) -> dict[str, Any]:
        assert body["metadata"]["resourceVersion"], "a roster is never written without a precondition"
        self.writes.append(f"replace {resource.plural}/{body['metadata']['name']}")
        self.objects[(resource.plural, body["metadata"]["name"])] = copy.deepcopy(body)
        return body

    def delete(self, resource: Any, name: str, *, options: Any, **_: Any) -> None:
        assert options["preconditions"].keys() == {"uid", "resourceVersion"}, (
            "only the version that was seen is deleted"
        )
        self.writes.append(f"delete {resource.plural}/{name}")
        del self.objects[(resource.plural, name)]

    def roster(self) -> Roster:
        return Roster.from_json(self.objects[("configmaps", "roster")]["data"]["roster"])


class Leadership:
    """Stands in for agents.leader.Leader."""

    def __init__(self) -> None:
        self.leading, self.epoch, self.lease = True, 1, CONTROLLER_NAME

    def check(self) -> int:
        if not self.leading:
            raise NotLeaderError("not the leader")
        return self.epoch


class SimulatedCluster:
    """Time, Leases and the API; in each ``tick`` of a second all hosts but ``silent`` renew."""

    def __init__(self, answering: Mapping[str, str] | None = None) -> None:
        self.now, self.api, self.leadership = 100.0, ApiStore(), Leadership()
        self.renewed = dict.fromkeys(NAMES, 0)
        self.asked: list[set[str]] = []
        self.service_ports: Mapping[str, Mapping[int, str]] | None = {}
        self.answers = frozenset(answering or ())
        self.fenced = Fenced(self.api, self.leadership.check)  # type: ignore[arg-type]
        self.controller = self.new_controller()
        self.host_objects = HostObjectsController(self.fenced, self.leadership)  # type: ignore[arg-type]

    def new_controller(self) -> RosterController:
        return RosterController(
            RosterStore(self.fenced),
            self.leadership,  # type: ignore[arg-type]
            lambda: self.now,
            answering=self.answering,
            service_ports=lambda: self.service_ports,
        )

    def answering(self, hosts: Mapping[str, str]) -> frozenset[str]:
        self.asked.append(set(hosts))
        return self.answers & hosts.keys()

    def snapshot(self, nodes: tuple[str, ...] = NAMES, *, healthy: bool = True) -> Snapshot:
        def lease(name: str, renew: str) -> objects.Lease:
            return objects.Lease(Meta(NAMESPACE, name), name, renew)

        leases = {f"{NAMESPACE}/host-{n}": lease(f"host-{n}", str(r)) for n, r in self.renewed.items()}
        leases[f"{NAMESPACE}/{CONTROLLER_NAME}"] = lease(CONTROLLER_NAME, str(self.now))
        maps = {
            f"{NAMESPACE}/{name}": objects.ConfigMap(Meta(NAMESPACE, name, resource_version="7"), body.get("data", {}))
            for (kind, name), body in self.api.objects.items()
            if kind == "configmaps"
        }
        found = {
            n: Node(
                Meta("", n, labels={"rancherctl.io/load-balancer": "true"}),
                (("InternalIP", f"10.77.0.{n[1]}"),),
                (),
                True,
                False,
            )
            for n in nodes
        }
        tables: dict[str, Mapping[str, Any]] = {"leases": leases, "configmaps": maps, "nodes": found}
        return Snapshot({k: Table(v, synced=True, healthy=healthy) for k, v in tables.items()})

    def tick(self, *, silent: tuple[str, ...] = (), seconds: int = 1, nodes: tuple[str, ...] = NAMES) -> None:
        for _ in range(seconds):
            self.now += 1.0
            self.renewed = {n: r if n in silent else r + 1 for n, r in self.renewed.items()}
            self.controller.reconcile(self.snapshot(nodes))

    def stored(self) -> dict[str, str]:
        return dict(self.api.objects[("configmaps", "roster")]["data"])

    def blocked(self) -> dict[str, tuple[int, ...]]:
        return {h.name: h.blocked for h in self.api.roster().hosts if h.blocked}

    def users(self) -> dict[str, Mapping[int, str]]:
        return {h.name: h.users for h in self.api.roster().hosts if h.users}

    def alive(self) -> set[str]:
        return {h.name for h in self.api.roster().hosts if h.alive}


class OddApi:
    """An API whose first answers raise an unexpected error; ``enough`` is set by the third request."""

    def __init__(self) -> None:
        self.asked, self.enough = 0, threading.Event()

    def patch(self, *_: Any, **__: Any) -> Any:
        self.asked += 1
        if self.asked >= 3:
            self.enough.set()
            return {}
        raise KeyError("spec")

    get = patch
