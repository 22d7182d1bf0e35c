"""DnsProblemController: what hosts could not publish about a Service is an Event on it."""

from __future__ import annotations

import json
from typing import Any

from rancherctl.agents.controllers.dns_problems import DnsProblemController
from rancherctl.contract import NAMESPACE, REPORT_PREFIX
from rancherctl.kube import objects
from rancherctl.kube.client import AlreadyExistsError
from rancherctl.kube.objects import ConfigMap, Meta
from rancherctl.kube.snapshot import Snapshot, Table
from tests.fakes.controllers import Leadership


class Events:
    def __init__(self) -> None:
        self.stored: dict[str, Any] = {}
        self.writes = 0

    def create(self, _: Any, body: Any, *, namespace: str) -> Any:
        self.writes += 1
        name = f"{namespace}/{body['metadata']['name']}"
        if name in self.stored:
            raise AlreadyExistsError("it is there")
        self.stored[name] = body

    def patch(self, _: Any, name: str, body: Any, *, namespace: str) -> Any:
        self.writes += 1
        self.stored[f"{namespace}/{name}"] |= body


def report(host: str, problems: object) -> dict[str, ConfigMap]:
    text = json.dumps({"sections": {"dns": {"problems": problems}}})
    return {
        f"{NAMESPACE}/{REPORT_PREFIX}{host}": ConfigMap(Meta(NAMESPACE, f"{REPORT_PREFIX}{host}"), {"report": text})
    }


def snapshot(maps: dict[str, ConfigMap], *names: str) -> Snapshot:
    meta = [{"namespace": "shop", "name": n, "uid": f"{n}-12345678"} for n in names]
    services = {f"shop/{m['name']}": objects.service({"metadata": m, "spec": {}}) for m in meta}
    return Snapshot({"services": Table(services, synced=True), "configmaps": Table(maps, synced=True)})


def test_a_problem_is_one_event_on_its_service_until_its_text_changes() -> None:
    client, leader, times = Events(), Leadership(), [0.0]
    controller = DnsProblemController(client, leader, lambda: times[0])  # type: ignore[arg-type]
    leader.leading = False
    first = report("h1", {"shop/big": "1 of 2 records", "shop/gone": "x", "…": "and 3 more"})
    controller.reconcile(snapshot(first, "big", "fine"))
    assert client.writes == 0, "a standby writes nothing"
    leader.leading = True
    every = first | report("h2", {"shop/big": "1 of 2 records"})
    for _ in range(3):
        controller.reconcile(snapshot(every, "big", "fine"))
    ((name, event),) = client.stored.items()
    assert client.writes == 1
    assert name == "shop/big.big-1234.dns.rancherctl"
    assert (event["reason"], event["type"], event["message"]) == ("DnsRecordsIncomplete", "Warning", "1 of 2 records")
    assert event["involvedObject"]["kind"] == "Service"
    controller.reconcile(snapshot(report("h1", {"shop/big": "1 of 3 records"}), "big"))
    assert event["message"] == "1 of 3 records"


def test_damaged_reports_are_ignored() -> None:
    client = Events()
    controller = DnsProblemController(client, Leadership(), lambda: 0.0)  # type: ignore[arg-type]
    damaged: tuple[object, ...] = ([], None, {"shop/a": 5}, {"a": "x"}, "text")
    for bad in damaged:
        controller.reconcile(snapshot(report("h1", bad), "a"))
    assert client.writes == 0
