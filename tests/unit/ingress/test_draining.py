"""Which Ingresses a host serves: those placed on it, and those that leave it."""

from __future__ import annotations

import pytest

from rancherctl.ingress.role import draining

ME = "192.0.2.1"


def _serving(
    placed: list[str],
    served: list[str],
    statuses: dict[str, tuple[bool, list[str]]],
    leaving: dict[str, float],
    now: float,
) -> draining.Serving:
    return draining.serving(placed, served, statuses, own_address=ME, leaving=leaving, now=now, drain=2.0)


def test_an_ingress_stays_while_published_then_drains_then_goes() -> None:
    assert _serving([], ["a"], {"a": (True, [ME])}, {}, 10.0) == draining.Serving(frozenset({"a"}))
    first = _serving([], ["a"], {"a": (True, [])}, {}, 10.0)
    assert first == draining.Serving(frozenset({"a"}), {"a": 10.0}, 2.0)
    assert _serving([], ["a"], {"a": (True, [])}, {"a": 10.0}, 11.5).wake == pytest.approx(0.5)
    assert _serving([], ["a"], {"a": (True, [])}, {"a": 10.0}, 12.0) == draining.Serving(frozenset())
    assert _serving(["a"], ["a"], {"a": (True, [])}, {"a": 10.0}, 12.0) == draining.Serving(frozenset({"a"}))


def test_a_deleted_ingress_goes_at_once_and_a_foreign_one_after_its_limit_despite_its_status() -> None:
    assert _serving([], ["a"], {}, {}, 10.0) == draining.Serving(frozenset())
    assert _serving([], ["a"], {"a": (False, [ME])}, {"a": 10.0}, 14.9).keys == {"a"}
    assert _serving([], ["a"], {"a": (False, [ME])}, {"a": 10.0}, 15.0).keys == frozenset()
