"""Publishing of Ingress statuses: what fails for one Ingress holds up no other."""

from typing import Any

import pytest

from rancherctl.agents.controllers.ingress_statuses import IngressStatusController
from rancherctl.agents.leader import NotLeaderError
from rancherctl.errors import RancherctlError, UnreachableError
from rancherctl.kube import objects
from rancherctl.kube.client import EVENTS, Json, Resource, ThrottledError
from rancherctl.kube.snapshot import Snapshot, Table
from rancherctl.placement.model import Roster, RosterHost

SYSTEM = "rancherctl-system"


class Leading:
    leading = True


class Client:
    """Takes writes; fails for the namespaces in ``broken``."""

    def __init__(self) -> None:
        self.broken: dict[str, Exception] = {}
        self.patched: list[str] = []
        self.told: list[str] = []
        self.asked = 0

    def create(self, resource: Resource, body: Json, *, namespace: str = "", **_: Any) -> Json:
        assert resource is EVENTS
        self.asked += 1
        if namespace in self.broken:
            raise self.broken[namespace]
        self.told.append(namespace)
        return body

    def patch(self, resource: Resource, name: str, body: Json, *, namespace: str = "", **_: Any) -> Json:
        self.asked += 1
        if error := self.broken.get(f"patch {namespace}") or self.broken.get("patch"):
            raise error
        self.patched.append(namespace)
        return body


def snapshot(number: int, *namespaces: str, paths: int = 0, published: str = "") -> Snapshot:
    """An Ingress with a bad scale (and ``paths`` that cannot be) in each namespace, one live host that reports nothing.

    ``published``: the namespace whose Ingress has an address that must go.
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
    tables = {"ingresses": items, "ingressclasses": classes, "configmaps": {f"{SYSTEM}/roster": roster}}
    return Snapshot({name: Table(found, synced=True, healthy=True) for name, found in tables.items()}, number)


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def times() -> list[float]:
    return [100.0]


@pytest.fixture
def controller(client: Client, times: list[float]) -> IngressStatusController:
    return IngressStatusController(client, Leading(), lambda: times[0])  # type: ignore[arg-type]


def test_an_event_that_cannot_be_written_stops_nothing_and_is_tried_again(
    client: Client, controller: IngressStatusController, times: list[float]
) -> None:
    client.broken["ending"] = RancherctlError("not allowed")
    controller.reconcile(snapshot(1, "ending", "good"))
    assert set(client.patched) == {"ending", "good"}
    assert set(client.told) == {"good"}
    told, asked = len(client.told), client.asked
    controller.reconcile(snapshot(2, "ending", "good"))
    assert client.told[told:] == [], "the others are not told twice"
    assert client.asked - asked == 2, (
        "the two statuses of the newer objects: a namespace that ends slowly is not asked with every change"
    )
    del client.broken["ending"]
    times[0] += 2.0
    controller.reconcile(snapshot(2, "ending", "good"))
    assert set(client.told[told:]) == {"ending"}


def test_a_status_that_cannot_be_written_is_tried_again_by_time_alone(client: Client) -> None:
    now = 100.0
    controller = IngressStatusController(client, Leading(), lambda: now)  # type: ignore[arg-type]
    client.broken["patch bad"] = RancherctlError("refused")
    same = snapshot(1, "bad", "good")
    controller.reconcile(same)
    assert client.patched == ["good"]
    controller.reconcile(same)
    assert client.patched == ["good"], "not at once"
    client.broken.clear()
    now += 1.0
    controller.reconcile(same)
    assert "bad" in client.patched


def test_losing_the_lead_ends_the_run(client: Client, controller: IngressStatusController) -> None:
    client.broken["late"] = NotLeaderError("not the leader any more")
    with pytest.raises(NotLeaderError):
        controller.reconcile(snapshot(1, "late"))


def test_leases_are_no_reason_to_look(client: Client, controller: IngressStatusController, times: list[float]) -> None:
    """Hosts renew theirs many times a second."""
    client.broken["patch bad"] = RancherctlError("refused")
    first = snapshot(1, "bad")
    controller.reconcile(first)
    asked = client.asked
    for number in range(2, 50):
        controller.reconcile(Snapshot({**first.tables, "leases": Table({}, synced=True, healthy=True)}, number))
    assert client.asked == asked


def test_one_that_fails_is_not_tried_with_every_change_of_another(
    client: Client, controller: IngressStatusController, times: list[float]
) -> None:
    client.broken["patch bad"] = RancherctlError("refused")
    controller.reconcile(snapshot(1, "bad", "good"))
    asked = client.asked
    for number in range(2, 12):
        controller.reconcile(snapshot(number, "bad", "good"))
    assert client.asked - asked == 10
    assert client.patched == ["good"] * 11


def test_a_written_status_is_not_written_again_before_the_watch_brought_it(
    client: Client, controller: IngressStatusController, times: list[float]
) -> None:
    controller.reconcile(snapshot(1, "a"))
    controller.reconcile(snapshot(1, "a"))
    assert client.patched == ["a"]
    times[0] += 10.0
    controller.reconcile(snapshot(1, "a"))
    assert client.patched == ["a", "a"], "but it is if nothing comes at all"


@pytest.mark.parametrize(
    "error", [ThrottledError("busy", retry_after=60.0), UnreachableError("gone"), NotLeaderError("no")]
)
def test_an_api_that_asks_for_patience_gets_it(
    client: Client, controller: IngressStatusController, error: Exception
) -> None:
    client.broken["patch"] = error
    with pytest.raises(type(error)) as raised:
        controller.reconcile(snapshot(1, *(f"n{n}" for n in range(500))))
    assert raised.value is error, "so the controller waits as long as it was told"
    assert client.asked <= 16


def test_a_thousand_statuses_are_written_part_by_part_and_what_must_go_first(
    client: Client, controller: IngressStatusController
) -> None:
    """Between the parts the other keepers look: a host that dies meanwhile is noticed."""
    every = [f"n{n:04}" for n in range(1000)]
    all_of_them = snapshot(1, *every, published="n0999")
    controller.reconcile(all_of_them)
    assert "n0999" in client.patched
    assert len(client.patched) <= 200
    for _ in range(9):
        controller.reconcile(all_of_them)
    assert sorted(client.patched) == every


def test_one_ingress_with_thousands_of_problems_does_not_hold_up_the_others(
    client: Client, controller: IngressStatusController
) -> None:
    controller.reconcile(snapshot(1, "flood", "z", paths=3000))
    controller.reconcile(snapshot(1, "flood", "z", paths=3000))
    assert len([n for n in client.told if n == "flood"]) <= 10
    assert "z" in client.told
