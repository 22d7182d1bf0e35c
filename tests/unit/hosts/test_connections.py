"""Closing all connections of a run, as Ctrl-C does."""

from __future__ import annotations

from typing import cast

import pytest

from rancherctl.hosts.connections import Connections
from rancherctl.hosts.model import SshAddress
from rancherctl.hosts.ssh.transport import SshTransport


def test_no_host_begins_another_try_while_the_first_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    class Connecting:
        def __init__(self, name: str) -> None:
            self.name = name

        def stop(self) -> None:
            said.append(f"stop {self.name}")

        def close(self) -> None:
            said.append(f"close {self.name}")

    connections = Connections()
    monkeypatch.setattr(connections, "_make", lambda _address, name: cast(SshTransport, Connecting(name)))
    for name in ("h1", "h2"):
        connections.address(SshAddress("10.0.0.1"), name)
    connections.close()
    assert said == ["stop h1", "stop h2", "close h1", "close h2"]
