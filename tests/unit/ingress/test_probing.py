"""Probes and waiting: IPv6 addresses as Host, patience with an API that ends watches at once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from rancherctl.ingress.operator import http_check, waiting
from rancherctl.ingress.status.events import event
from rancherctl.ingress.translate.rules import MAX_ROUTES, translate
from rancherctl.kube.client import INGRESSES, GoneError, Resource
from rancherctl.placement.model import Problem
from tests.fakes import ingress as fake


def test_an_address_that_stands_for_any_name_is_a_valid_host() -> None:
    asked = http_check.checks_for(translate(fake.ingress("a", default="web:80")), ["192.0.2.1", "fd00::1"])
    assert [(q.address, q.host) for q in asked] == [("192.0.2.1", "192.0.2.1"), ("fd00::1", "[fd00::1]")]


class Restless:
    """An API whose watches end at once, because their version is too old."""

    def __init__(self) -> None:
        self.looks = 0

    def get(self, _: Resource, name: str, **__: Any) -> dict[str, Any]:
        self.looks += 1
        return {"metadata": {"name": name, "namespace": "default"}, "spec": {}}

    def watch(self, *_: Any, **__: Any) -> Iterator[Any]:
        raise GoneError("too old")


def test_a_watch_that_ends_at_once_is_not_begun_again_without_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(waiting.time, "monotonic", lambda: now[0])

    def wait(seconds: float) -> None:
        assert seconds > 0
        now[0] += seconds

    api = Restless()
    seen = list(waiting.versions(api, fake.ingress("a"), 20.0, wait=wait, choose=random.Random(1)))  # type: ignore[arg-type]
    assert len(seen) == api.looks
    assert 4 <= api.looks <= 15
    assert now[0] == pytest.approx(20.0)


def test_as_many_paths_as_are_allowed_are_all_served_and_one_more_is_told() -> None:
    rules = [("a.com", "Exact", f"/{n}", "web:80") for n in range(MAX_ROUTES)]
    full = translate(fake.ingress("a", rules))
    assert (len(full.routes), full.problems) == (MAX_ROUTES, ())
    more = translate(fake.ingress("a", [*rules, ("a.com", "Exact", "/more", "web:80")]))
    assert len(more.routes) == MAX_ROUTES
    assert [p.reason for p in more.problems] == ["TooManyPaths"]
    again = translate(fake.ingress("a", [*rules, rules[0]]))
    assert again.problems == ()


@pytest.mark.parametrize("odd", ["a" * 199 + ".b" * 20, "a" * 199 + "-b" * 20])
def test_events_of_long_names_have_valid_names(odd: str) -> None:
    name = event(INGRESSES, fake.ingress(odd).meta, Problem("R", "m"), "2026-01-01T00:00:00Z")["metadata"]["name"]
    assert ".." not in name
    assert "-." not in name
