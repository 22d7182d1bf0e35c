"""Writing of statuses of Services: what an earlier term has measured does not count in the next one."""

import json
from typing import Any

from rancherctl.agents.controllers.service_statuses import ServiceStatusController
from rancherctl.contract import NAMESPACE, REPORT_PREFIX
from rancherctl.kube import objects
from rancherctl.kube.client import Json, Resource
from rancherctl.kube.snapshot import Snapshot, Table
from rancherctl.services.left_out import LeftOut
from rancherctl.services.report import to_section
from rancherctl.services.translate import ServicePolicy
from rancherctl.services.verifier import REFUSED, VERIFY_SECONDS
from tests.fakes import services as fake
from tests.fakes.controllers import Leadership


class Writes:
    """Accepts every write."""

    def create(self, _: Resource, body: Json, **__: Any) -> Json:
        return body

    def patch(self, _: Resource, __: str, body: Json, **___: Any) -> Json:
        return body


def snapshot() -> Snapshot:
    """A published Service that kube-proxy of its host has not programmed."""
    hosts = fake.roster(1)
    service = fake.service("a", status=fake.published("10.0.0.1"))
    report = json.dumps({"sections": {"services": to_section(fake.programmed("h1"))}})
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
    controller = ServiceStatusController(Writes(), leader, lambda: time[0], ServicePolicy())  # type: ignore[arg-type]
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
    controller = ServiceStatusController(Writes(), leader, lambda: time[0], ServicePolicy())  # type: ignore[arg-type]
    controller.reconcile(snapshot())
    assert controller.left_out == LeftOut()
    time[0] += VERIFY_SECONDS
    controller.reconcile(snapshot())
    assert controller.left_out == LeftOut({("default/a", "h1"): REFUSED})
    leader.leading = False
    controller.reconcile(snapshot())
    assert controller.left_out is None
