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
from rancherctl.kube.tables import TableSpec

ENV = from_flags("demo", ["root@10.0.0.11"]).environment


class Blocking:
    """A role whose reconcile waits until it is released."""

    name, resync = "slow", 3600.0
    tables: tuple[TableSpec, ...] = ()

    def __init__(self) -> None:
        self.entered, self.leave = threading.Event(), threading.Event()

    def reconcile(self, snapshot: Snapshot) -> Mapping[str, Any]:
        self.entered.set()
        assert self.leave.wait(60)
        return {}

    def stop(self) -> None:
        self.leave.set()


class Accepting:
    """An API that accepts every patch."""

    def patch(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {}


def test_a_hanging_role_is_named_and_ends_the_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    role = Blocking()
    config = agent_config(ENV, ENV.hosts[0])
    agent = Agent(config, lambda _: [role], Accepting(), lambda _: None)  # type: ignore[arg-type]
    assert not agent.alive(), "before its first report, a host does not count as alive"
    for name in config.roles:
        agent.report.put(name, {})
    agent.report.write(agent.report.due() or "")
    assert agent.alive()
    monkeypatch.setattr(agent_module, "HANG_SECONDS", -1.0)
    assert agent.hanging() == ()
    thread = threading.Thread(target=agent.runners[0].once)
    thread.start()
    assert role.entered.wait(60)
    assert agent.hanging() == ("slow",)
    assert not agent.alive()
    role.leave.set()
    thread.join(60)
    assert agent.hanging() == ()
    assert agent.alive()
