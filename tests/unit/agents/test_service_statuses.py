"""Writing of statuses of Services: what an earlier term has measured does not count in the next one."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rancherctl.agents.controllers.service_statuses import STORE_AGAIN, ServiceStatusController
from rancherctl.agents.roster_store import RosterStore
from rancherctl.contract import MOVING_KEY, NAMESPACE, REPORT_PREFIX
from rancherctl.errors import ConflictError
from rancherctl.kube import objects
from rancherctl.kube.client import Json, Resource
from rancherctl.kube.snapshot import Snapshot, Table
from rancherctl.placement.model import Placeable, Roster
from rancherctl.placement.place import place
from rancherctl.services.left_out import LeftOut
from rancherctl.services.model import HostPorts
from rancherctl.services.report import to_section
from rancherctl.services.translate import ServicePolicy
from rancherctl.services.verifier import REFUSED, VERIFY_SECONDS
from tests.fakes import services as fake
from tests.fakes.controllers import Leadership

PUBLISHED = fake.service("a", status=fake.published("10.0.0.1"))
NOTHING_YET = fake.programmed("h1")


class Writes:
    """Accepts every write; ``bodies`` has the patches and replaced objects."""

    def __init__(self) -> None:
        self.bodies: list[Json] = []

    def create(self, _: Resource, body: Json, **__: Any) -> Json:
        return body

    def replace(self, _: Resource, body: Json, **__: Any) -> Json:
        self.bodies.append(body)
        return body

    def patch(self, _: Resource, __: str, body: Json, **___: Any) -> Json:
        self.bodies.append(body)
        return body


def controller_of(api: Writes, leader: Leadership, clock: Callable[[], float]) -> ServiceStatusController:
    return ServiceStatusController(api, RosterStore(api), leader, clock, ServicePolicy())  # type: ignore[arg-type]


def snapshot(service: objects.Service = PUBLISHED, reported: HostPorts = NOTHING_YET, **balancer: Any) -> Snapshot:
    """A Service, and a host with this report; by default, kube-proxy has not programmed what is published."""
    hosts = fake.roster(1)
    report = json.dumps({"sections": {"services": to_section(reported), "lb": balancer}})
    maps = {"roster": {"roster": hosts.to_json()}, f"{REPORT_PREFIX}h1": {"report": report}}
    stored = {
        f"{NAMESPACE}/{name}": objects.config_map({"metadata": {"name": name, "namespace": NAMESPACE}, "data": data})
        for name, data in maps.items()
    }
    tables: dict[str, dict[str, Any]] = {
        "services": {service.meta.key: service},
        "endpointslices": {},
        "configmaps": stored,
    }
    return Snapshot({name: Table(items, synced=True, healthy=True) for name, items in tables.items()}, 1)


def test_a_wait_of_an_earlier_term_does_not_count() -> None:
    leader, time = Leadership(), [100.0]
    controller = controller_of(Writes(), leader, lambda: time[0])
    controller.reconcile(snapshot())
    leader.leading = False
    controller.reconcile(snapshot())
    leader.leading, time[0] = True, 100.0 + 10 * VERIFY_SECONDS
    controller.reconcile(snapshot())
    assert controller.tcp_ports == {"h1": {5432: "Service default/a"}}
    time[0] += VERIFY_SECONDS
    controller.reconcile(snapshot())
    assert controller.tcp_ports == {}


def test_hosts_that_are_left_out_are_known_while_it_leads() -> None:
    leader, time = Leadership(), [100.0]
    controller = controller_of(Writes(), leader, lambda: time[0])
    controller.reconcile(snapshot())
    assert controller.left_out == LeftOut()
    time[0] += VERIFY_SECONDS
    controller.reconcile(snapshot())
    assert controller.left_out == LeftOut({("default/a", "h1"): REFUSED})
    leader.leading = False
    controller.reconcile(snapshot())
    assert controller.left_out is None


def test_a_service_without_endpoints_never_has_a_port_of_the_load_balancer() -> None:
    """Case 69: kube-proxy rejects what comes to such a port, and the load balancer would not see it."""
    empty = fake.service("a", ("tcp", 80))
    writes = Writes()
    controller = controller_of(writes, Leadership(), lambda: 100.0)
    controller.reconcile(snapshot(empty, ports={"80": ""}))
    assert controller.tcp_ports == {}
    (body,) = writes.bodies
    assert body["status"]["loadBalancer"]["ingress"] == []
    assert "Ingresses are served on 80/TCP" in body["status"]["conditions"][0]["message"]

    published = fake.service("a", ("tcp", 80), status=fake.published("10.0.0.1"))
    controller.reconcile(snapshot(published, fake.programmed("h1", published)))
    assert controller.tcp_ports == {"h1": {80: "Service default/a"}}
    (host,) = fake.roster(1).hosts
    taken = Roster(1, 1, (replace(host, blocked=tuple(controller.tcp_ports["h1"])),))
    assert place(Placeable("x/web", ports=(80,)), taken).hosts == ()
    assert place(Placeable("x/web", ports=(8080,)), taken).hosts == ("h1",)


def test_what_hosts_are_to_prepare_is_stored_before_the_address_is_published() -> None:
    writes, new = Writes(), fake.service("a")
    controller = controller_of(writes, Leadership(), lambda: 100.0)
    controller.reconcile(snapshot(new))
    (stored,) = writes.bodies
    assert stored["data"][MOVING_KEY] == controller.moving == '{"h1":["default/a"]}'
    assert stored["data"]["roster"], "the rest stays"
    controller.reconcile(snapshot(new, HostPorts(prepared=fake.programmed("h1", new).programmed)))
    assert writes.bodies[-1]["status"]["loadBalancer"]["ingress"] == fake.published("10.0.0.1")


def test_a_roster_that_is_written_at_the_same_moment_is_read_again() -> None:
    class Busy(Writes):
        def replace(self, _: Resource, body: Json, **__: Any) -> Json:
            raise ConflictError("changed meanwhile")

    time = [100.0]
    busy = Busy()
    controller = controller_of(busy, Leadership(), lambda: time[0])
    state = snapshot(fake.service("a"))
    controller.reconcile(state)
    calls: list[Json] = []
    busy.replace = lambda _, body, **__: calls.append(body) or body  # type: ignore[method-assign]
    controller.reconcile(state)
    assert not calls
    time[0] += STORE_AGAIN
    controller.reconcile(state)
    assert len(calls) == 1
