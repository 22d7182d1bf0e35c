"""NetworkPolicyController: one Event for each policy, renewed in time; no failure delays the others."""

from typing import Any

import pytest

from rancherctl.agents.controllers.network_policies import MESSAGE, NetworkPolicyController
from rancherctl.agents.controllers.repeated_events import MAX_WRITES, REPEAT_SECONDS
from rancherctl.errors import AuthError, RancherctlError, UnreachableError
from rancherctl.kube.client import AlreadyExistsError
from rancherctl.kube.objects import Meta
from rancherctl.kube.snapshot import Snapshot, Table
from tests.fakes.controllers import Leadership


class EventWrites:
    def __init__(self) -> None:
        self.written: list[str] = []
        self.again: list[Any] = []
        self.asked = 0
        self.broken: dict[str, RancherctlError] = {}

    def create(self, _: Any, body: Any, *, namespace: str) -> Any:
        self.asked += 1
        if namespace in self.broken:
            raise self.broken[namespace]
        if namespace in self.written:
            raise AlreadyExistsError("it is there")
        self.written.append(namespace)
        return body

    def patch(self, _: Any, name: str, body: Any, *, namespace: str) -> Any:
        self.again.append((name, body))


@pytest.fixture
def client() -> EventWrites:
    return EventWrites()


@pytest.fixture
def times() -> list[float]:
    return [1000.0]


@pytest.fixture
def controller(client: EventWrites, times: list[float]) -> NetworkPolicyController:
    return NetworkPolicyController(client, Leadership(), lambda: times[0])  # type: ignore[arg-type]


def snapshot(*namespaces: str) -> Snapshot:
    return Snapshot(
        {
            "networkpolicies": Table(
                {f"{n}/p": Meta(n, "p", uid=f"uid-{n}") for n in namespaces}, synced=True, healthy=True
            )
        }
    )


def test_a_policy_whose_event_fails_is_retried_and_delays_no_other(
    client: EventWrites, controller: NetworkPolicyController, times: list[float]
) -> None:
    client.broken["ending"] = AuthError("not allowed: the namespace is being terminated")
    same = snapshot("ending", "good")
    controller.reconcile(same)
    assert client.written == ["good"]
    client.broken.clear()
    controller.reconcile(same)
    assert client.written == ["good"], "it is not retried at once"
    controller.reconcile(snapshot("ending", "good", "new"))
    assert client.written == ["good", "new"], "a new policy does not wait for it"
    times[0] += 1.0
    controller.reconcile(snapshot("ending", "good", "new"))
    assert client.written == ["good", "new", "ending"]


def test_an_unreachable_api_is_asked_only_once(client: EventWrites, controller: NetworkPolicyController) -> None:
    client.broken = {f"n{n}": UnreachableError("down") for n in range(50)}
    with pytest.raises(UnreachableError):
        controller.reconcile(snapshot(*client.broken))
    assert client.asked == 1


def test_events_of_thousands_of_policies_are_written_in_batches(
    client: EventWrites, controller: NetworkPolicyController
) -> None:
    many = snapshot(*(f"n{n}" for n in range(2 * MAX_WRITES + 1)))
    for count in (MAX_WRITES, 2 * MAX_WRITES, 2 * MAX_WRITES + 1, 2 * MAX_WRITES + 1):
        controller.reconcile(many)
        assert len(client.written) == count
    assert client.asked == 2 * MAX_WRITES + 1


def test_an_event_is_renewed_before_the_api_drops_it(
    client: EventWrites, controller: NetworkPolicyController, times: list[float]
) -> None:
    same = snapshot("a")
    controller.reconcile(same)
    times[0] += REPEAT_SECONDS - 1.0
    controller.reconcile(same)
    assert client.asked == 1
    times[0] += 61.0
    controller.reconcile(same)
    ((name, body),) = client.again
    found = controller.events.event(Meta("a", "p", uid="uid-a"), MESSAGE, "2026-01-01T00:00:00.0Z")
    assert name == found["metadata"]["name"]
    assert body.keys() == {"lastTimestamp", "message"}
    client.written.clear()  # the API dropped it
    times[0] += REPEAT_SECONDS + 61.0
    controller.reconcile(same)
    assert client.written == ["a"]
