"""NamedSecrets: which secrets are watched, which are asked for, and what is known of them."""

from __future__ import annotations

from typing import Any

import pytest

from rancherctl.agents import named_secrets
from rancherctl.agents.named_secrets import ASK_SECONDS, NamedSecrets, Published
from rancherctl.errors import AuthError, NotFoundError, UnreachableError
from rancherctl.kube.objects import Secret
from rancherctl.kube.snapshot import Table
from tests.fakes import mtls


class World:
    """An API with secrets, and the watches that were opened. The thread that asks is not started: call ``ask``."""

    def __init__(self, limit: int = 2) -> None:
        self.watches: dict[str, Published] = {}
        self.secrets: dict[str, Any] = {}
        self.asked: list[str] = []
        self.changes = 0
        self.named = NamedSecrets(self, self.changed, self.watch, limit)  # type: ignore[arg-type]

    def changed(self) -> None:
        self.changes += 1

    def watch(self, key: str, publish: Published) -> Any:
        world = self

        class Watch:
            def start(self) -> None:
                world.watches[key] = publish

            def stop(self) -> None:
                del world.watches[key]

        return Watch()

    def get(self, _: Any, name: str, *, namespace: str, **__: Any) -> Any:
        key = f"{namespace}/{name}"
        self.asked.append(key)
        found = self.secrets.get(key, NotFoundError("no"))
        if isinstance(found, Exception):
            raise found
        return found

    def publish(self, key: str, secret: Secret | None, *, synced: bool = True) -> None:
        self.watches[key](Table({key: secret} if secret else {}, synced=synced))


class NoThread:
    """Stands for the worker."""

    running = 0

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def start(self) -> None:
        NoThread.running += 1

    def stop(self, _: float | None) -> None:
        NoThread.running -= 1


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(named_secrets, "Worker", NoThread)
    NoThread.running = 0
    return World()


def secret(name: str, version: str = "1") -> Secret:
    return mtls.secret(name, {"ca.crt": b"x"}, version=version)


def test_what_was_not_listed_yet_is_unknown_and_then_known_or_absent(world: World) -> None:
    assert world.named.follow(["default/a", "default/b"]) == {}
    world.publish("default/a", None, synced=False)
    assert world.named.follow(["default/a", "default/b"]) == {}
    assert world.changes == 0
    world.publish("default/a", secret("a"))
    world.publish("default/b", None)
    assert world.named.follow(["default/a", "default/b"]) == {"default/a": secret("a"), "default/b": None}
    assert world.changes == 2


def test_the_result_is_the_same_object_until_something_changes(world: World) -> None:
    world.named.follow(["default/a"])
    world.publish("default/a", secret("a"))
    known = world.named.follow(["default/a"])
    world.publish("default/a", secret("a"))
    assert world.named.follow(["default/a"]) is known
    world.publish("default/a", secret("a", "2"))
    assert world.named.follow(["default/a"]) == {"default/a": secret("a", "2")}


def test_a_secret_without_any_ingress_is_not_read_any_more(world: World) -> None:
    world.named.follow(["default/a"])
    publish = world.watches["default/a"]
    publish(Table({"default/a": secret("a")}, synced=True))
    assert world.named.follow(()) == {}
    assert world.watches == {}
    publish(Table({"default/a": secret("a", "2")}, synced=True))
    assert world.named.follow(()) == {}, "a late answer of a watch that was stopped"


def test_more_than_the_limit_are_asked_for_and_watched_when_there_is_room(world: World) -> None:
    keys = [f"default/{name}" for name in "abcd"]
    world.named.follow(keys)
    assert set(world.watches) == {"default/a", "default/b"}
    assert NoThread.running == 1
    world.secrets["default/c"] = {
        "metadata": {"namespace": "default", "name": "c", "resourceVersion": "1"},
        "type": "Opaque",
        "data": {},
    }
    assert world.named.ask() == ASK_SECONDS
    assert world.asked == ["default/c", "default/d"]
    known = world.named.follow(keys)
    assert known["default/c"] is not None
    assert known["default/d"] is None
    world.named.follow(["default/b", "default/c"])
    assert set(world.watches) == {"default/b", "default/c"}
    assert NoThread.running == 0


def test_a_secret_that_cannot_be_read_delays_no_other(world: World) -> None:
    world.named.follow([f"default/{name}" for name in "abcd"])
    world.secrets["default/c"] = AuthError("forbidden")
    with pytest.raises(AuthError):
        world.named.ask()
    assert world.asked == ["default/c", "default/d"]
    world.asked.clear()
    world.secrets["default/c"] = UnreachableError("down")
    with pytest.raises(UnreachableError):
        world.named.ask()
    assert world.asked == ["default/c"], "nothing answers now"


def test_a_secret_is_watched_by_its_name_only() -> None:
    """The watch cache's reflector, with a selector for one object."""
    spec = NamedSecrets(None, lambda: None)._reflected("team/ca", lambda _: None)._reflector.spec  # type: ignore[arg-type,attr-defined]
    assert (spec.namespace, spec.field_selector) == ("team", "metadata.name=ca")
