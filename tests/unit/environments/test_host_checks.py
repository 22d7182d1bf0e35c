"""Which facts of a host are problems, and which are warnings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rancherctl.environments import host_checks
from rancherctl.hosts.fact_values import AddressFact, DiskFact, ListenerFact, RouteFact, SysctlFact, UnitFact
from rancherctl.hosts.facts import HostFacts
from tests.fakes.preflight_hosts import CONTROL_PLANE, ENV, GIB, GOOD, WORKER


def found(facts: HostFacts) -> list[str]:
    return host_checks.problems(ENV, CONTROL_PLANE, facts, "amd64")


def test_a_suitable_host_has_no_problems_and_no_warnings() -> None:
    assert found(GOOD) == []
    assert host_checks.warnings(CONTROL_PLANE, GOOD) == []


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"os_id": "rocky", "os_name": "Rocky Linux 9"}, "Rocky Linux 9, which is not supported"),
        ({"os_version": "11"}, "not supported"),
        ({"arch": "arm64"}, "is arm64, the bundle is for amd64"),
        ({"selinux": "enforcing"}, "SELinux is enforcing"),
        ({"python": "3.9.2"}, "Python 3.9.2, needs 3.11"),
        ({"skew": 301.0}, "clock is +301 s off"),
        ({"memory_bytes": GIB}, "1.0 GiB of memory"),
        ({"disks": {"/opt": DiskFact(GIB, GIB // 10, "/dev/a", "/opt")}}, "/opt has 0.1 GiB free"),
        ({"features": {"overlay": False}}, "kernel lacks overlay"),
        ({"devices": frozenset()}, "/dev/kmsg"),
        ({"sysctls": {"vm/overcommit_memory": SysctlFact("0", False)}}, "overcommit_memory is 0, kubelet needs 1"),
        (
            {"units": {"named": UnitFact("active", "enabled")}},
            "named.service is running (systemctl disable --now named)",
        ),
        ({"units": {"docker": UnitFact("active", "enabled")}}, "docker.service is running"),
        (
            {"listeners": (ListenerFact("tcp", "*", 80, ("nginx",)),)},
            "port 80/tcp is used by nginx; it is needed for load balancers",
        ),
        ({"listeners": (ListenerFact("udp", "0.0.0.0", 53, ("dnsmasq",)),)}, "port 53/udp is used by dnsmasq"),
        ({"listeners": (ListenerFact("udp", "::", 53, ("unbound",)),)}, "port 53/udp is used by unbound"),
        ({"listeners": (ListenerFact("tcp", "*", 53, ("coredns",)),)}, "port 53/tcp is used by coredns"),
        (
            {"listeners": (ListenerFact("udp", "169.254.20.10", 53, ("node-cache",)),)},
            "port 53/udp is used by node-cache",
        ),
        ({"listeners": (ListenerFact("tcp", "*", 6443, ()),)}, "port 6443/tcp is used by an unknown process"),
        (
            {"routes": (RouteFact("10.42.7.0/24", "", "wg0", "static"),)},
            "route 10.42.7.0/24 overlaps spec.network.podCIDR",
        ),
        (
            {"addresses": (AddressFact("eth0", "192.0.2.1", 24, 4, "global"),)},
            "10.0.0.11 is not on this machine (it has 192.0.2.1)",
        ),
        ({"marker": {"environment": "other", "host": "h1"}}, "belongs to environment 'other'"),
        ({"marker": {"environment": "demo", "host": "h7"}}, "is already host 'h7'"),
    ],
)
def test_each_unsuitable_fact_is_a_problem(change: dict[str, Any], text: str) -> None:
    lines = found(replace(GOOD, **change))
    assert any(text in line for line in lines), lines
    assert all(line.startswith("h1: ") for line in lines)


@pytest.mark.parametrize("address", ["127.0.0.53", "::1", "192.168.122.1"])
def test_a_resolver_on_other_addresses_does_not_conflict(address: str) -> None:
    """unbound listens on 127.0.0.1 and ::1 by default, libvirt's dnsmasq on its bridge."""
    facts = replace(
        GOOD, listeners=(ListenerFact("udp", address, 53, ("unbound",)), ListenerFact("tcp", address, 53, ("unbound",)))
    )
    assert host_checks.problems(ENV, ENV.hosts[0], facts, "amd64") == []


def test_all_problems_of_a_host_are_reported_together() -> None:
    assert len(found(replace(GOOD, arch="arm64", selinux="enforcing", devices=frozenset()))) == 3


def test_an_unknown_fact_is_a_warning_not_a_problem() -> None:
    assert host_checks.problems(ENV, CONTROL_PLANE, HostFacts(unread={"disk": "no answer"}), "amd64") == []
    assert host_checks.warnings(CONTROL_PLANE, HostFacts(unread={"disk": "no answer"})) == [
        "h1: disk is unknown: no answer"
    ]


def test_a_member_may_use_its_own_ports_and_routes() -> None:
    member = replace(
        GOOD,
        marker={"environment": "demo", "host": "h1"},
        units={"containerd": UnitFact("active", "enabled")},
        listeners=(ListenerFact("tcp", "*", 6443, ("kube-apiserver",)),),
        routes=(RouteFact("10.42.1.0/24", "10.0.0.12", "eth0", "173"),),
    )
    assert found(member) == []


def machine(name: str, macs: dict[str, str], **changes: object) -> HostFacts:
    """Facts of a host of ENV; its address is on eth0."""
    address = next(host.address for host in ENV.hosts if host.name == name)
    addresses = (AddressFact("eth0", address, 24, 4, "global"), AddressFact("virbr0", "192.168.122.1", 24, 4, "global"))
    base = replace(GOOD, hostname=name, machine_id=f"m-{name}", macs=macs, addresses=addresses)
    return replace(base, **changes)  # type: ignore[arg-type]


def test_two_names_for_one_machine_are_a_problem() -> None:
    one, two = (host.name for host in ENV.hosts[:2])
    facts = {one: machine(one, {"eth0": "aa:aa"}), two: machine(two, {"eth0": "aa:aa"}, machine_id=f"m-{one}")}
    assert host_checks.shared_identities(ENV.hosts, facts) == [
        f"{two}: has the same machine ID m-{one} as {one} (is it the same machine?)",
        f"{two}: has the same MAC address aa:aa as {one} (is it the same machine?)",
    ]
    assert host_checks.shared_identities(ENV.hosts, facts | {two: machine(two, {"eth0": "cc:cc"})}) == []


@pytest.mark.parametrize("interface", ["virbr0", "docker0", "lxdbr0", "br-1a2b3c", "enp0s3", "veth1", "dummy0"])
def test_interfaces_without_the_hosts_address_may_have_equal_mac_addresses(interface: str) -> None:
    """Bridges of libvirt, Docker and LXD, and the NAT interface that Vagrant gives to each VirtualBox machine."""
    facts = {
        host.name: machine(host.name, {"eth0": f"aa:{number}", interface: "52:54:00:12:35:02"})
        for number, host in enumerate(ENV.hosts)
    }
    assert host_checks.shared_identities(ENV.hosts, facts) == []


def test_swap_cgroup_v1_and_a_small_skew_are_warnings() -> None:
    lines = host_checks.warnings(CONTROL_PLANE, replace(GOOD, swap_bytes=GIB, cgroup=1, skew=20.0))
    assert ["swap" in lines[0], "cgroup v1" in lines[1], "+20 s off" in lines[2]] == [True] * 3


def test_a_host_without_python_is_a_problem() -> None:
    facts = replace(GOOD, python=None, unread={"python": "sh: 1: python3: not found"})
    assert found(facts) == ["h1: Python 3 is not installed (apt-get install python3)"]
    assert host_checks.warnings(CONTROL_PLANE, facts) == []
    assert found(replace(GOOD, python=None, unread={"python": "no answer"})) == []


def test_hosts_on_several_subnets_need_vxlan() -> None:
    near = replace(GOOD, features={"vxlan": False})
    far = replace(GOOD, features={"vxlan": True}, addresses=(AddressFact("eth0", "10.0.0.12", 28, 4, "global"),))
    assert (
        host_checks.tunnels(
            ENV, {"h1": near, "h2": replace(near, addresses=(AddressFact("eth0", "10.0.0.12", 24, 4, "global"),))}
        )
        == []
    )
    assert host_checks.tunnels(ENV, {"h1": near, "h2": far}) == [
        "h1: kernel lacks vxlan, needed between subnets 10.0.0.0/24 and 10.0.0.0/28 (modprobe vxlan, or another kernel)"
    ]
    assert host_checks.tunnels(replace(ENV, network=replace(ENV.network, mode="none")), {"h1": near, "h2": far}) == []
    assert host_checks.tunnels(ENV, {"h1": replace(near, features=None), "h2": far}) == []
    forced = replace(ENV, network=replace(ENV.network, mode="vxlan"))
    assert host_checks.tunnels(forced, {"h1": near, "h2": replace(near, features={"vxlan": True})}) == [
        "h1: kernel lacks vxlan, needed for spec.network.mode vxlan (modprobe vxlan, or another kernel)"
    ]


def test_a_control_plane_with_one_cpu_is_a_warning() -> None:
    assert any("1 CPU" in line for line in host_checks.warnings(CONTROL_PLANE, replace(GOOD, cpus=1)))
    assert (
        host_checks.warnings(WORKER, replace(GOOD, cpus=1))
        == host_checks.warnings(CONTROL_PLANE, replace(GOOD, cpus=2))
        == []
    )
