"""The open connections of a run: one per host, all stopped before the first is closed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from rancherctl.hosts.connections import Connections
from rancherctl.hosts.model import SshAddress
from rancherctl.hosts.transport import RemoteTransport


class Recorded:
    def __init__(self, name: str, calls: list[str]) -> None:
        self.name, self.calls = name, calls

    def stop(self) -> None:
        self.calls.append(f"stop {self.name}")

    def close(self) -> None:
        self.calls.append(f"close {self.name}")


class Factory:
    """Makes recorded transports; every host leads through one jump host."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def create(self, address: SshAddress, name: str) -> RemoteTransport:
        return cast(RemoteTransport, Recorded(name, self.calls))

    def shared(self) -> Sequence[RemoteTransport]:
        return (cast(RemoteTransport, Recorded("jump", self.calls)),)


def test_all_hosts_are_stopped_before_the_first_is_closed_and_jump_hosts_come_last() -> None:
    """While one host is still connecting, no other begins another attempt."""
    factory = Factory()
    connections = Connections(factory=factory)
    for name in ("h1", "h2"):
        connections.address(SshAddress("10.0.0.1"), name)
    connections.close()
    assert factory.calls == ["stop h1", "stop h2", "stop jump", "close h1", "close h2", "close jump"]


def test_one_host_has_one_transport() -> None:
    connections = Connections(factory=Factory())
    first = connections.address(SshAddress("10.0.0.1"), "h1")
    assert connections.address(SshAddress("10.0.0.1"), "h1") is first
    assert connections.address(SshAddress("10.0.0.1"), "h2") is not first
