"""Which ports must be free on a host."""

from __future__ import annotations

from rancherctl.environments import ports
from tests.fakes.preflight_hosts import CONTROL_PLANE, ENV, WORKER


def test_only_control_plane_hosts_need_its_ports() -> None:
    assert ("tcp", 6443) not in ports.needed(ENV, WORKER)
    assert {("tcp", 6443), ("tcp", 2379)} <= ports.needed(ENV, CONTROL_PLANE).keys()
