"""Writing of Ingress statuses: a failure for one Ingress delays no other."""

from collections.abc import Mapping
from typing import Any

import pytest

from rancherctl.agents.controllers.ingress_statuses import IngressStatusController
from rancherctl.agents.leader import NotLeaderError
from rancherctl.errors import RancherctlError, UnreachableError
from rancherctl.kube import objects
from rancherctl.kube.client import EVENTS, Json, Resource, ThrottledError
from rancherctl.kube.snapshot import Snapshot, Table
from rancherctl.placement.model import Roster, RosterHost
from tests.fakes.controllers import Leadership

SYSTEM = "rancherctl-system"


class StatusWrites:
    """Accepts writes; raises for the namespaces in ``broken``."""

    def __init__(self) -> None:
        self.broken: dict[str, Exception] = {}
        self.patched: list[str] = []
        self.recorded: list[str] = []
        self.requests = 0

    def create(self, resource: Resource, body: Json, *, namespace: str = "", **_: Any) -> Json:
        assert resource is EVENTS
        self.requests += 1
        if namespace in self.broken:
            raise self.broken[namespace]
        self.recorded.append(namespace)
        return body

    def patch(self, resource: Resource, name: str, body: Json, *, namespace: str = "", **_: Any) -> Json:
        self.requests += 1
        if error := self.broken.get(f"patch {namespace}") or self.broken.get("patch"):
            raise error
        self.patched.append(namespace)
        return body


def snapshot(number: int, *namespaces: str, paths: int = 0, published: str = "") -> Snapshot:
    """An Ingress with an invalid scale (and invalid ``paths``) in each namespace, one live host that reports nothing.

    ``published``: the namespace whose Ingress has an address that must be removed.
    """
    items = {
        f"{n}/web": objects.ingress(
            {
                "metadata": {
                    "name": "web",
                    "namespace": n,
                    "uid": n,
                    "resourceVersion": str(number),
                    "annotations": {"scale": "abc"},
                },
                "spec": {
                    "ingressClassName": "rancher",
                    "rules": [
                        {
                            "host": f"{n}.example.org",
                            "http": {"paths": [{"path": f"wrong{i}", "pathType": "Exact"} for i in range(paths)]},
                        }
                    ],
                },
                "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}] if n == published else []}},
            }
        )
        for n in namespaces
    }
    host = RosterHost(name="h1", address="192.0.2.1", internal="192.0.2.1", labels={}, lb=True, alive=True)
    roster = objects.config_map(
        {"metadata": {"name": "roster", "namespace": SYSTEM}, "data": {"roster": Roster(1, 1, (host,)).to_json()}}
    )
    classes = {
        "rancher": objects.ingress_class(
            {"metadata": {"name": "rancher"}, "spec": {"controller": "rancherctl.io/ingress"}}
        )
    }
    maps = {f"{SYSTEM}/roster": roster}
    tables: dict[str, Mapping[str, Any]] = {"ingresses": items, "ingressclasses": classes, "configmaps": maps}
    return Snapshot({name: Table(found, synced=True, healthy=True) for name, found in tables.items()}, number)


@pytest.fixture
def client() -> StatusWrites:
    return StatusWrites()


@pytest.fixture
def times() -> list[float]:
    return [100.0]


@pytest.fixture
def controller(client: StatusWrites, times: list[float]) -> IngressStatusController:
    return IngressStatusController(client, Leadership(), lambda: times[0])  # type: ignore[arg-type]


def test_an_event_that_cannot_be_written_stops_nothing_and_is_retried(
    client: StatusWrites, controller: IngressStatusController, times: list[float]
) -> None:
    client.broken["ending"] = RancherctlError("not allowed")
    controller.reconcile(snapshot(1, "ending", "good"))
    assert set(client.patched) == {"ending", "good"}
    assert set(client.recorded) == {"good"}
    recorded, requests = len(client.recorded), client.requests
    controller.reconcile(snapshot(2, "ending", "good"))
    assert client.recorded[recorded:] == [], "other Events are not written twice"
    assert client.requests - requests == 2, (
        "only the two statuses of the newer objects: an Event that failed is not retried with every change"
    )
    del client.broken["ending"]
    times[0] += 2.0
    controller.reconcile(snapshot(2, "ending", "good"))
    assert set(client.recorded[recorded:]) == {"ending"}


def test_a_status_that_cannot_be_written_is_retried_without_any_change(client: StatusWrites) -> None:
    now = 100.0
    controller = IngressStatusController(client, Leadership(), lambda: now)  # type: ignore[arg-type]
    client.broken["patch bad"] = RancherctlError("refused")
    same = snapshot(1, "bad", "good")
    controller.reconcile(same)
    assert client.patched == ["good"]
    controller.reconcile(same)
    assert client.patched == ["good"], "not immediately"
    client.broken.clear()
    now += 1.0
    controller.reconcile(same)
    assert "bad" in client.patched


def test_losing_the_leadership_ends_the_call(client: StatusWrites, controller: IngressStatusController) -> None:
    client.broken["late"] = NotLeaderError("not the leader any more")
    with pytest.raises(NotLeaderError):
        controller.reconcile(snapshot(1, "late"))


def test_changes_of_leases_cause_no_work(
    client: StatusWrites, controller: IngressStatusController, times: list[float]
) -> None:
    """In large environments some Lease changes many times a second."""
    client.broken["patch bad"] = RancherctlError("refused")
    first = snapshot(1, "bad")
    controller.reconcile(first)
    requests = client.requests
    for number in range(2, 50):
        controller.reconcile(Snapshot({**first.tables, "leases": Table({}, synced=True, healthy=True)}, number))
    assert client.requests == requests


def test_a_failing_status_is_not_retried_with_every_change_of_another_ingress(
    client: StatusWrites, controller: IngressStatusController, times: list[float]
) -> None:
    client.broken["patch bad"] = RancherctlError("refused")
    controller.reconcile(snapshot(1, "bad", "good"))
    requests = client.requests
    for number in range(2, 12):
        controller.reconcile(snapshot(number, "bad", "good"))
    assert client.requests - requests == 10
    assert client.patched == ["good"] * 11


def test_a_written_status_is_not_written_again_before_the_watch_delivers_it(
    client: StatusWrites, controller: IngressStatusController, times: list[float]
) -> None:
    controller.reconcile(snapshot(1, "a"))
    controller.reconcile(snapshot(1, "a"))
    assert client.patched == ["a"]
    times[0] += 10.0
    controller.reconcile(snapshot(1, "a"))
    assert client.patched == ["a", "a"], "but it is written again if the watch delivers nothing"


@pytest.mark.parametrize(
    "error", [ThrottledError("busy", retry_after=60.0), UnreachableError("gone"), NotLeaderError("no")]
)
def test_an_error_that_concerns_all_writes_is_raised_at_once(
    client: StatusWrites, controller: IngressStatusController, error: Exception
) -> None:
    client.broken["patch"] = error
    with pytest.raises(type(error)) as raised:
        controller.reconcile(snapshot(1, *(f"n{n}" for n in range(500))))
    assert raised.value is error, "so that the controller waits as long as the API asks"
    assert client.requests <= 16


def test_a_thousand_statuses_are_written_in_batches_and_withdrawals_first(
    client: StatusWrites, controller: IngressStatusController
) -> None:
    """Between batches the other controllers run: a host that dies meanwhile is noticed."""
    every = [f"n{n:04}" for n in range(1000)]
    all_of_them = snapshot(1, *every, published="n0999")
    controller.reconcile(all_of_them)
    assert "n0999" in client.patched
    assert len(client.patched) <= 200
    for _ in range(9):
        controller.reconcile(all_of_them)
    assert sorted(client.patched) == every


def test_one_ingress_with_thousands_of_problems_does_not_delay_the_others(
    client: StatusWrites, controller: IngressStatusController
) -> None:
    controller.reconcile(snapshot(1, "flood", "z", paths=3000))
    controller.reconcile(snapshot(1, "flood", "z", paths=3000))
    assert len([n for n in client.recorded if n == "flood"]) <= 10
    assert "z" in client.recorded
