"""Agent: a role that hangs stops the heartbeat and the watchdog, and is named."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest

from rancherctl.agents import agent as agent_module
from rancherctl.agents.agent import Agent
from rancherctl.agents.install import agent_config
from rancherctl.environments.inventory import from_flags
from rancherctl.kube.snapshot import Snapshot

ENV = from_flags("demo", ["root@10.0.0.11"]).environment


class Blocking:
    """A role whose reconcile waits until it is released."""

    name, tables, resync = "slow", (), 3600.0

    def __init__(self) -> None:
        self.entered, self.leave = threading.Event(), threading.Event()

    def reconcile(self, snapshot: Snapshot) -> Mapping[str, Any]:
        self.entered.set()
        assert self.leave.wait(60)
        return {}

    def stop(self) -> None:
        self.leave.set()


def test_a_hanging_role_is_named_and_ends_the_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    role = Blocking()
    agent = Agent(agent_config(ENV, ENV.hosts[0]), lambda _: [role], None, lambda _: None)  # type: ignore[arg-type]
    monkeypatch.setattr(agent_module, "HANG_SECONDS", -1.0)
    assert agent.hanging() == ()
    thread = threading.Thread(target=agent._runners[0].once)
    thread.start()
    assert role.entered.wait(60)
    assert agent.hanging() == ("slow",)
    assert not agent._may_claim_to_live()
    role.leave.set()
    thread.join(60)
    assert agent.hanging() == ()
