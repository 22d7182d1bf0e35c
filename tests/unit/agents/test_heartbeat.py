"""Heartbeat and its clock: no odd answer ends it, a late answer does not cost two turns."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from rancherctl.agents.clock import remaining
from rancherctl.agents.config import lease_seconds
from rancherctl.agents.heartbeat import Heartbeat
from tests.fakes.controllers import OddApi


def test_no_odd_answer_ends_the_heartbeat() -> None:
    api = OddApi()
    heartbeat = Heartbeat(api, "h1", 0.01)  # type: ignore[arg-type]
    heartbeat.start()
    assert api.enough.wait(60)
    heartbeat.stop()


def test_a_host_that_may_not_claim_to_live_does_not_renew_its_lease() -> None:
    asked = threading.Event()

    def alive() -> bool:
        asked.set()
        return False

    class Api:
        def patch(self, *_: Any, **__: Any) -> None:
            pytest.fail("the Lease was renewed")

    heartbeat = Heartbeat(Api(), "h1", 3600.0, alive=alive)  # type: ignore[arg-type]
    heartbeat.start()
    assert asked.wait(60)
    heartbeat.stop()


@pytest.mark.parametrize(("spent", "left"), [(0.0, 2.0), (0.5, 1.5), (2.0, 0.25), (30.0, 0.25)])
def test_a_late_answer_does_not_cost_two_turns(spent: float, left: float) -> None:
    assert remaining(2.0, spent) == left


@pytest.mark.parametrize(("hosts", "seconds"), [(1, 2.0), (200, 2.0), (201, 3.0), (1000, 10.0)])
def test_hosts_of_a_large_environment_renew_their_lease_less_often(hosts: int, seconds: float) -> None:
    assert lease_seconds(hosts) == seconds
