"""Waiting for an Ingress: pauses with an API that ends watches at once."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from rancherctl.ingress.operator import waiting
from rancherctl.kube.client import GoneError, Resource
from tests.fakes import ingress as fake


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
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def wait(seconds: float) -> None:
        assert seconds > 0
        now[0] += seconds

    api = EndingWatches()
    seen = list(waiting.versions(api, fake.ingress("a"), 20.0, wait=wait, choose=random.Random(1)))  # type: ignore[arg-type]
    assert len(seen) == api.reads
    assert 4 <= api.reads <= 15
    assert now[0] == pytest.approx(20.0)
