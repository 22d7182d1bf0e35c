"""Publishing of Ingress statuses: what fails for one Ingress holds up no other."""

from typing import Any

import pytest

from rancherctl.agents.leader import NotLeaderError
from rancherctl.agents.statuses import StatusKeeper
from rancherctl.errors import RancherctlError
from rancherctl.ingress.model import Roster, RosterHost
from rancherctl.kube import objects
from rancherctl.kube.client import EVENTS, Json, Resource
from rancherctl.kube.snapshot import Snapshot, Table

SYSTEM = "rancherctl-system"


class Leading:
    leading = True


class Client:
    """Takes writes; fails for the namespaces in ``broken``."""

    def __init__(self) -> None:
        self.broken: dict[str, Exception] = {}
        self.patched: list[str] = []
        self.told: list[str] = []

    def create(self, resource: Resource, body: Json, *, namespace: str = "", **_: Any) -> Json:
        assert resource is EVENTS
        if namespace in self.broken:
            raise self.broken[namespace]
        self.told.append(namespace)
        return body

    def patch(self, resource: Resource, name: str, body: Json, *, namespace: str = "", **_: Any) -> Json:
        if f"patch {namespace}" in self.broken:
            raise self.broken[f"patch {namespace}"]
        self.patched.append(namespace)
        return body


def snapshot(number: int, *namespaces: str) -> Snapshot:
    """An Ingress with a bad scale in each namespace, one live host that reports nothing."""
    items = {
        f"{n}/web": objects.ingress(
            {
                "metadata": {"name": "web", "namespace": n, "uid": n, "resourceVersion": str(number), "annotations": {"scale": "abc"}},
                "spec": {"ingressClassName": "rancher", "rules": [{"host": f"{n}.example.org"}]},
            }
        )
        for n in namespaces
    }
    host = RosterHost(name="h1", address="192.0.2.1", internal="192.0.2.1", labels={}, lb=True, alive=True)
    roster = objects.config_map({"metadata": {"name": "roster", "namespace": SYSTEM}, "data": {"roster": Roster(1, 1, (host,)).to_json()}})
    classes = {"rancher": objects.ingress_class({"metadata": {"name": "rancher"}, "spec": {"controller": "rancherctl.io/ingress"}})}
    tables = {"ingresses": items, "ingressclasses": classes, "configmaps": {f"{SYSTEM}/roster": roster}}
    return Snapshot({name: Table(found, synced=True, healthy=True) for name, found in tables.items()}, number)


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def keeper(client: Client) -> StatusKeeper:
    return StatusKeeper(client, Leading(), lambda: 100.0)  # type: ignore[arg-type]


def test_an_event_that_cannot_be_written_stops_nothing_and_is_tried_again(client: Client, keeper: StatusKeeper) -> None:
    client.broken["ending"] = RancherctlError("not allowed")
    keeper.run(snapshot(1, "ending", "good"))
    assert set(client.patched) == {"ending", "good"}
    assert set(client.told) == {"good"}
    told = len(client.told)
    del client.broken["ending"]
    keeper.run(snapshot(2, "ending", "good"))
    assert client.told[told:], "the one that failed is written with the next change"
    assert set(client.told[told:]) == {"ending"}, "the others are not told twice"


def test_a_status_that_cannot_be_written_is_tried_again_by_time_alone(client: Client) -> None:
    now = 100.0
    keeper = StatusKeeper(client, Leading(), lambda: now)  # type: ignore[arg-type]
    client.broken["patch bad"] = RancherctlError("refused")
    same = snapshot(1, "bad", "good")
    keeper.run(same)
    assert client.patched == ["good"]
    keeper.run(same)
    assert client.patched == ["good"], "not at once"
    client.broken.clear()
    now += 1.0
    keeper.run(same)
    assert "bad" in client.patched


def test_losing_the_lead_ends_the_run(client: Client, keeper: StatusKeeper) -> None:
    client.broken["late"] = NotLeaderError("not the leader any more")
    with pytest.raises(NotLeaderError):
        keeper.run(snapshot(1, "late"))
