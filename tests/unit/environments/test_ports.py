"""Which ports must be free on a host."""

from __future__ import annotations

from dataclasses import replace

from rancherctl.agents.install import ingress_reserved
from rancherctl.environments import ports
from rancherctl.ingress.annotations.ports import reserved_for
from tests.fakes.preflight_hosts import CONTROL_PLANE, ENV, WORKER


def test_only_control_plane_hosts_need_its_ports() -> None:
    assert ("tcp", 6443) not in ports.needed(ENV, WORKER)
    assert {("tcp", 6443), ("tcp", 2379)} <= ports.needed(ENV, CONTROL_PLANE).keys()


def test_ingresses_get_no_port_that_an_environment_uses() -> None:
    """Beside those of the load balancers themselves, each port of each component is reserved for it everywhere."""
    for host in (CONTROL_PLANE, WORKER):
        used = {number for protocol, number in ports.needed(ENV, host) if protocol == "tcp"} - {80, 443}
        assert [number for number in sorted(used) if not reserved_for(number)] == []


def test_ports_that_the_file_chooses_are_reserved_in_its_environment_only() -> None:
    assert ingress_reserved(ENV) == ()
    hosts = (replace(CONTROL_PLANE, ssh=replace(CONTROL_PLANE.ssh, port=2222)), WORKER)
    other = replace(ENV, hosts=hosts, api=replace(ENV.api, port=8443))
    assert ingress_reserved(other) == (2222, 8443)
