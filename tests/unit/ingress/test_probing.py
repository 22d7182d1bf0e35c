"""HTTP checks and waiting: IPv6 addresses as Host, pauses with an API that ends watches at once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from rancherctl.ingress.operator import http_check, waiting
from rancherctl.ingress.translate.rules import MAX_ROUTES, translate
from rancherctl.kube.client import GoneError, Resource
from tests.fakes import ingress as fake


def test_a_rule_without_a_host_is_checked_with_the_address_as_host() -> None:
    asked = http_check.checks_for(translate(fake.ingress("a", default="web:80")), ["192.0.2.1", "fd00::1"])
    assert [(q.address, q.host) for q in asked] == [("192.0.2.1", "192.0.2.1"), ("fd00::1", "[fd00::1]")]


class EndingWatches:
    """An API whose watches end at once, because their version is too old."""

    def __init__(self) -> None:
        self.reads = 0

    def get(self, _: Resource, name: str, **__: Any) -> dict[str, Any]:
        self.reads += 1
        return {"metadata": {"name": name, "namespace": "default"}, "spec": {}}

    def watch(self, *_: Any, **__: Any) -> Iterator[Any]:
        raise GoneError("too old")


def test_a_watch_that_ends_at_once_is_restarted_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(waiting.time, "monotonic", lambda: now[0])

    def wait(seconds: float) -> None:
        assert seconds > 0
        now[0] += seconds

    api = EndingWatches()
    seen = list(waiting.versions(api, fake.ingress("a"), 20.0, wait=wait, choose=random.Random(1)))  # type: ignore[arg-type]
    assert len(seen) == api.reads
    assert 4 <= api.reads <= 15
    assert now[0] == pytest.approx(20.0)


def test_the_maximum_of_paths_is_served_and_one_more_is_reported() -> None:
    rules = [("a.com", "Exact", f"/{n}", "web:80") for n in range(MAX_ROUTES)]
    full = translate(fake.ingress("a", rules))
    assert (len(full.routes), full.problems) == (MAX_ROUTES, ())
    more = translate(fake.ingress("a", [*rules, ("a.com", "Exact", "/more", "web:80")]))
    assert len(more.routes) == MAX_ROUTES
    assert [p.reason for p in more.problems] == ["TooManyPaths"]
    again = translate(fake.ingress("a", [*rules, rules[0]]))
    assert again.problems == ()
