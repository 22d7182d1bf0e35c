"""Members of a federation as processes of their own: fake APIs that give Services addresses and carry out orders."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Final

from rancherctl.net import is_ip
from tests.fakes.kube_store import Json, Store
from tests.fakes.member_api import MemberApi

SERVICES, NODES = "/api/v1/services", "/api/v1/nodes"
Key = tuple[str, str, str]


@dataclass
class MemberStore(Store):
    """Gives each new Service of type LoadBalancer an address or a host name, as the member's own controller does."""

    address: str = ""
    services: int = 0

    def put(self, collection: str, namespace: str, obj: Json, *, kind: str = "ADDED") -> Json:
        if collection == SERVICES and kind == "ADDED":
            self.services += 1
            if obj["spec"].get("type") == "LoadBalancer":
                entry = {"ip" if is_ip(self.address) else "hostname": self.address}
                obj = {**obj, "status": {"loadBalancer": {"ingress": [entry]}}}
        return super().put(collection, namespace, obj, kind=kind)


@dataclass
class MemberProcess:
    """One member; ``send`` an order of ``ORDERS`` with its arguments and ``recv`` the answer."""

    name: str
    url: str
    pipe: Connection
    process: BaseProcess

    def ask(self, order: str, *words: Any) -> Any:
        """Send an order and wait for its answer."""
        self.pipe.send((order, *words))
        return self.pipe.recv()


@dataclass(frozen=True)
class MemberPlace:
    """A member to start: its name, the address of its Services, and where its only Node is."""

    name: str
    address: str
    region: str
    zone: str


@dataclass
class Members:
    """All members; ``all`` sends one order to each before it waits for the answers."""

    members: list[MemberProcess] = field(default_factory=list)

    def send(self, order: str, *words: Any) -> None:
        for member in self.members:
            member.pipe.send((order, *words))

    def answers(self) -> list[Any]:
        return [member.pipe.recv() for member in self.members]

    def ask(self, order: str, *words: Any) -> list[Any]:
        self.send(order, *words)
        return self.answers()


@contextlib.contextmanager
def member_processes(places: Sequence[MemberPlace]) -> Iterator[Members]:
    """Start them; they end with the block."""
    spawn, started = multiprocessing.get_context("spawn"), []
    try:
        for place in places:
            near, far = multiprocessing.Pipe()
            process = spawn.Process(target=serve, args=(place, far), daemon=True)
            process.start()
            started.append((place.name, near, process))
        yield Members([MemberProcess(name, near.recv(), near, process) for name, near, process in started])
    finally:
        for _, near, process in started:
            near.close()
            process.terminate()
            process.join(10)


def serve(place: MemberPlace, pipe: Connection) -> None:
    """The process of one member."""
    api = MemberApi(name=place.name, bookmark_seconds=60, store=MemberStore(address=place.address))
    labels = {"topology.kubernetes.io/region": place.region, "topology.kubernetes.io/zone": place.zone}
    api.store.put(NODES, "", {"metadata": {"name": f"{place.name}-1", "labels": labels}})
    pipe.send(api.url)
    with contextlib.suppress(EOFError):
        while True:
            order, *words = pipe.recv()
            pipe.send(ORDERS[order](api, *words))


def _count(api: MemberApi, count: int, timeout: float) -> float:
    """Wait for a number of Services; the monotonic time then, 0.0 if they did not come in time."""
    store: Any = api.store
    with store.changed:
        return time.monotonic() if store.changed.wait_for(lambda: store.services >= count, timeout) else 0.0


def _wait(api: MemberApi, namespace: str, name: str, timeout: float) -> float:
    """Wait for one Service; the monotonic time then, 0.0 if it did not come in time."""
    key = (SERVICES, namespace, name)
    with api.store.changed:
        return time.monotonic() if api.store.changed.wait_for(lambda: key in api.store.objects, timeout) else 0.0


def _drift(api: MemberApi, namespace: str, name: str, timeout: float) -> float:
    """Change the port of a copy; the seconds until it is as it was, 0.0 if that took too long."""
    key = (SERVICES, namespace, name)
    with api.store.changed:
        found = api.store.objects[key]
        ports = found["spec"]["ports"]
        changed = {**found, "spec": {**found["spec"], "ports": [{**ports[0], "port": 4711}]}}
        began = time.monotonic()
        api.store.put(SERVICES, namespace, changed, kind="MODIFIED")
        restored = api.store.changed.wait_for(
            lambda: api.store.objects[key]["spec"]["ports"][0]["port"] != 4711, timeout
        )
        return time.monotonic() - began if restored else 0.0


def _writes(api: MemberApi) -> int:
    """How many requests have changed an object of the member."""
    return sum(method != "GET" and not path.endswith("/token") for method, path in api.requests)


ORDERS: Final[dict[str, Callable[..., Any]]] = {"count": _count, "wait": _wait, "drift": _drift, "writes": _writes}
