"""NetworkPolicies are told about once each; a namespace that ends keeps none of the others from being told."""

from typing import Any

import pytest

from rancherctl.agents.policies import PolicyKeeper
from rancherctl.errors import AuthError, RancherctlError, UnreachableError
from rancherctl.kube.objects import Meta
from rancherctl.kube.snapshot import Snapshot, Table


class Leading:
    leading = True


class Client:
    def __init__(self) -> None:
        self.told: list[str] = []
        self.asked = 0
        self.broken: dict[str, RancherctlError] = {}

    def create(self, _: Any, body: Any, *, namespace: str) -> Any:
        self.asked += 1
        if namespace in self.broken:
            raise self.broken[namespace]
        self.told.append(namespace)
        return body


def snapshot(*namespaces: str) -> Snapshot:
    return Snapshot({"networkpolicies": Table({f"{n}/p": Meta(n, "p", uid=f"uid-{n}") for n in namespaces}, synced=True, healthy=True)})


def test_one_that_cannot_be_told_holds_up_no_other_and_is_tried_again() -> None:
    client = Client()
    keeper = PolicyKeeper(client, Leading())  # type: ignore[arg-type]
    client.broken["ending"] = AuthError("not allowed: the namespace is being terminated")
    with pytest.raises(AuthError):
        keeper.run(snapshot("ending", "good"))
    assert client.told == ["good"]
    client.broken.clear()
    keeper.run(snapshot("ending", "good"))
    keeper.run(snapshot("ending", "good"))
    assert client.told == ["good", "ending"]


def test_an_api_that_cannot_be_reached_is_asked_once() -> None:
    client = Client()
    client.broken = {f"n{n}": UnreachableError("down") for n in range(50)}
    with pytest.raises(UnreachableError):
        PolicyKeeper(client, Leading()).run(snapshot(*client.broken))  # type: ignore[arg-type]
    assert client.asked == 1
