"""A cluster in memory whose watches are behind its API, and the controllers of the roster and of Services in it."""

from __future__ import annotations

import copy
import json
import random
import threading
from collections.abc import Callable
from typing import Any

from rancherctl.agents.controller_process import Cluster, ControllerProcess
from rancherctl.agents.controllers.service_statuses import ServiceStatusController
from rancherctl.agents.environment_controllers import environment_controllers
from rancherctl.agents.fence import Fenced
from rancherctl.agents.install import agent_config
from rancherctl.contract import (
    CONTROLLER_NAME,
    EXCLUDE_LABEL,
    HOST_LEASE_PREFIX,
    LOAD_BALANCER_LABEL,
    MOVING_KEY,
    NAMESPACE,
    REPORT_PREFIX,
    ROSTER_NAME,
    SERVICE_CLASS,
)
from rancherctl.environments.inventory import from_flags
from rancherctl.errors import ConflictError, NotFoundError
from rancherctl.kube import client, objects
from rancherctl.kube.client import AlreadyExistsError, Json, Resource
from rancherctl.kube.snapshot import Snapshot, Table
from rancherctl.kube.tables import TableSpec
from rancherctl.placement.model import Roster
from rancherctl.roles import controllers
from rancherctl.services import moving
from rancherctl.services.model import HostPorts, ports_of, programmed_digest
from rancherctl.services.report import to_section
from tests.fakes import services as fake
from tests.fakes.controllers import Leadership
from tests.fakes.kube_store import RefusedError, Store, merge_patch

HOSTS = ("h1", "h2", "h3", "h4")
ENVIRONMENT = from_flags("demo", ["root@10.0.0.1"]).environment
CONFIG = agent_config(ENVIRONMENT, ENVIRONMENT.hosts[0])
SPECS = {spec.name: spec for spec in (*controllers.ROSTER.tables, *controllers.SERVICE_STATUSES.tables)}


class StoreClient:
    """The writes of a KubeClient in a Store. ``conflicts`` has each write that was answered with 409."""

    def __init__(self, store: Store) -> None:
        self.store, self.conflicts = store, list[str]()

    def create(self, resource: Resource, body: Json, *, namespace: str = "", **_: Any) -> Json:
        new = copy.deepcopy(body)
        return self._answer(resource, body, lambda: self.store.create(resource.path(), namespace, new))

    def replace(self, resource: Resource, body: Json, **_: Any) -> Json:
        meta = body["metadata"]
        where = resource.path(), meta.get("namespace", ""), meta["name"]
        return self._answer(resource, body, lambda: self.store.update(*where, body))

    def patch(self, resource: Resource, name: str, body: Json, *, namespace: str = "", **_: Any) -> Json:
        where = resource.path(), namespace, name

        def write() -> Json:
            with self.store.changed:
                return self.store.update(*where, merge_patch(self.store.get(*where), body))

        return self._answer(resource, {"metadata": {"name": name}}, write)

    def _answer(self, resource: Resource, body: Json, write: Callable[[], Json]) -> Json:
        try:
            return copy.deepcopy(write())
        except RefusedError as refusal:
            if refusal.code == 404:
                raise NotFoundError(refusal.message) from refusal
            self.conflicts.append(f"{resource.plural}/{body['metadata']['name']}")
            error = AlreadyExistsError if refusal.reason == "AlreadyExists" else ConflictError
            raise error(refusal.message) from refusal


class LateCache:
    """Tables as of some version of the store each. ``deliver`` lets watches make progress."""

    def __init__(self, store: Store) -> None:
        self._store, self._number = store, 0
        empty: Table[Any] = Table(synced=True, healthy=True, resource_version=str(Store.version), epoch=1)
        self._tables = dict.fromkeys(SPECS, empty)
        self._next = dict.fromkeys(SPECS, 0)

    def start(self) -> None:
        """Nothing to start."""

    def stop(self, timeout: float) -> None:
        """Nothing to stop."""

    def snapshot(self) -> Snapshot:
        return Snapshot(dict(self._tables), self._number)

    def deliver(self, choose: random.Random | None = None) -> None:
        """Each watch delivers some of what it has not delivered yet; all of it without ``choose``."""
        for name, spec in SPECS.items():
            end = len(self._store.history)
            self._deliver(name, spec, choose.randint(self._next[name], end) if choose else end)
        self._number += 1

    def _deliver(self, name: str, spec: TableSpec, end: int) -> None:
        start, self._next[name] = self._next[name], end
        past = [event for event in self._store.history[start:end] if event.collection == spec.resource.path()]
        if not past:
            return
        items = dict(self._tables[name].items)
        for event in past:
            view = spec.parse(event.object)
            key = objects.meta(event.object).key
            if event.type == "DELETED":
                items.pop(key)
            else:
                items[key] = view
        version = str(past[-1].version)
        self._tables[name] = Table(items, synced=True, healthy=True, resource_version=version, epoch=1)


class LateCluster:
    """Hosts h1 … h4 and their agents, the leader with its controllers, and a clock."""

    def __init__(self) -> None:
        self.store, self.now, self.leadership = Store(), 100.0, Leadership()
        self.client, self._beat = StoreClient(self.store), 0
        for host in HOSTS:
            labels = {LOAD_BALANCER_LABEL: "true"}
            status = {"addresses": [{"type": "InternalIP", "address": fake.address(host)}]}
            self.store.put(client.NODES.path(), "", {"metadata": {"name": host, "labels": labels}, "status": status})
        self.elect()

    def elect(self) -> None:
        """Begin the next term, in a new process that has seen all."""
        self.leadership.epoch += 1
        fenced, leader = Fenced(self.client, self.leadership.check), self.leadership  # type: ignore[arg-type]
        every = environment_controllers(CONFIG, fenced, leader, clock=lambda: self.now)  # type: ignore[arg-type]
        chosen = [each for each in every if each.spec in (controllers.ROSTER, controllers.SERVICE_STATUSES)]
        (self.services,) = (each for each in chosen if isinstance(each, ServiceStatusController))
        self.cache = LateCache(self.store)
        self.cache.deliver()
        clusters, wake = [Cluster("demo", self.cache, chosen)], threading.Event()
        self._process = ControllerProcess(leader, clusters, lambda _: None, wake)  # type: ignore[arg-type]

    def step(self, seconds: float) -> None:
        """Time passes, all hosts and the leader renew their Leases, and the controllers look once."""
        self.now += seconds
        self._beat += 1
        for name in (CONTROLLER_NAME, *(HOST_LEASE_PREFIX + host for host in HOSTS)):
            self._write(client.LEASES, NAMESPACE, {"metadata": {"name": name}, "spec": {"renewTime": str(self._beat)}})
        self._process.step(self.now)

    def settle(self, rounds: int = 30) -> None:
        """Everybody sees everything and does what it should."""
        for _ in range(rounds):
            for host in HOSTS:
                self.obey(host)
            self.cache.deliver()
            self.step(0.6)
        self.cache.deliver()

    def change(self, choose: random.Random) -> None:
        """Something happens: a Service comes, changes or goes, a host is excluded or back, or does as it is asked."""
        host, name = choose.choice(HOSTS), f"s{choose.randrange(8)}"
        what = choose.randrange(8)
        if what == 0:
            self.exclude(host, excluded=choose.random() < 0.3)
        elif what == 1 and (client.SERVICES.path(), "default", name) in self.store.objects:
            self.store.delete(client.SERVICES.path(), "default", name)
        elif what <= 3:
            self.want(name, choose.randint(1, 3))
        else:
            self.obey(host)

    def want(self, name: str, scale: int) -> None:
        """Create a Service that wants so many addresses, or change it."""
        port = 5000 + int(name[1:])
        known = self.store.objects.get((client.SERVICES.path(), "default", name), {})
        body = {
            "metadata": {"name": name, "annotations": {"scale": str(scale)}},
            "spec": {
                "type": "LoadBalancer",
                "loadBalancerClass": SERVICE_CLASS,
                "clusterIPs": ["10.43.0.9"],
                "ipFamilies": ["IPv4"],
                "ports": [{"protocol": "TCP", "port": port}],
            },
            "status": known.get("status", {}),
        }
        self._write(client.SERVICES, "default", body)

    def exclude(self, host: str, *, excluded: bool) -> None:
        """Set or remove Kubernetes' label that takes a host out."""
        node = copy.deepcopy(self.store.get(client.NODES.path(), "", host))
        node["metadata"]["labels"] = {LOAD_BALANCER_LABEL: "true"} | ({EXCLUDE_LABEL: ""} if excluded else {})
        self.store.update(client.NODES.path(), "", host, node)

    def obey(self, host: str) -> None:
        """The agent of a host prepares what is asked, and kube-proxy has what is published; both are reported."""
        stored = self.stored() if (client.CONFIGMAPS.path(), NAMESPACE, ROSTER_NAME) in self.store.objects else {}
        asked = moving.of_host(stored.get(MOVING_KEY, ""), host)
        here = {service.meta.key: service for service in self.known_services()}
        digests = {key: programmed_digest(fake.address(host), ports_of(service)) for key, service in here.items()}
        ports = HostPorts(
            programmed={key: digests[key] for key, s in here.items() if fake.address(host) in s.lb_addresses},
            prepared={key: digests[key] for key in asked & here.keys()},
            draining={},
        )
        data = {"report": json.dumps({"sections": {"services": to_section(ports)}})}
        self._write(client.CONFIGMAPS, NAMESPACE, {"metadata": {"name": REPORT_PREFIX + host}, "data": data})

    def known_services(self) -> list[objects.Service]:
        found = (obj for (path, _, _), obj in self.store.objects.items() if path == client.SERVICES.path())
        return [objects.service(obj) for obj in found]

    def stored(self) -> dict[str, str]:
        """What the roster's ConfigMap has in the API."""
        return dict(self.store.get(client.CONFIGMAPS.path(), NAMESPACE, ROSTER_NAME)["data"])

    def roster(self) -> Roster:
        return Roster.from_json(self.stored()[ROSTER_NAME])

    def versions(self) -> list[dict[str, str]]:
        """All that was ever stored there."""
        past = (event for event in self.store.history if event.collection == client.CONFIGMAPS.path())
        return [event.object["data"] for event in past if event.object["metadata"]["name"] == ROSTER_NAME]

    def _write(self, resource: Resource, namespace: str, body: Json) -> None:
        if (resource.path(), namespace, body["metadata"]["name"]) in self.store.objects:
            self.store.update(resource.path(), namespace, body["metadata"]["name"], body)
        else:
            self.store.create(resource.path(), namespace, body)
