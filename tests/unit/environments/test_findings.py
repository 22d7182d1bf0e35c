"""Preflight: what stops an apply, what only warns, and that a fact that could not be told does neither wrongly."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from rancherctl.bundle.model import Bundle, manifest
from rancherctl.environments import host_checks, paths_between, ports, preflight
from rancherctl.environments.context import Context
from rancherctl.environments.inventory import from_flags
from rancherctl.environments.preflight import machine
from rancherctl.errors import PreflightError, UnreachableError
from rancherctl.events import Event
from rancherctl.hosts.command import Command, Result
from rancherctl.hosts.fact_values import AddressFact, DiskFact, ListenerFact, RouteFact, SysctlFact, UnitFact
from rancherctl.hosts.facts import HostFacts
from rancherctl.hosts.transport import Transport
from tests.fakes.transport import split_request

ENV = from_flags("demo", ["root@10.0.0.11", "root@10.0.0.12"]).environment
BOSS, WORKER = ENV.hosts
GIB = 1 << 30
GOOD = HostFacts(
    clock=1.0,
    skew=0.1,
    skew_error=0.1,
    os_id="debian",
    os_version="13",
    os_name="Debian GNU/Linux 13",
    arch="amd64",
    hostname="h1",
    machine_id="m1",
    memory_bytes=4 * GIB,
    swap_bytes=0,
    disks={"/opt": DiskFact(9 * GIB, 9 * GIB, "/dev/a", "/"), "/var/lib": DiskFact(9 * GIB, 9 * GIB, "/dev/a", "/")},
    cgroup=2,
    capabilities=(1 << 41) - 1,
    macs={"eth0": "aa:aa"},
    addresses=(AddressFact("eth0", "10.0.0.11", 24, 4, "global"),),
    routes=(RouteFact("default", "10.0.0.1", "eth0", ""), RouteFact("10.0.0.0/24", "", "eth0", "kernel")),
    systemd_state="running",
    units={},
    listeners=(
        ListenerFact("tcp", "0.0.0.0", 22, ("sshd",)),
        ListenerFact("udp", "127.0.0.53", 53, ("systemd-resolve",)),
    ),
    python="3.13.5",
    selinux="disabled",
    features={"overlay": True, "nf_tables": True, "veth": True},
    sysctls={"vm/overcommit_memory": SysctlFact("0", True)},
    devices=frozenset({"/dev/kmsg"}),
    marker={},
)


def found(facts: HostFacts) -> list[str]:
    return host_checks.problems(ENV, BOSS, facts, "amd64")


def test_a_good_host_has_nothing_to_mend() -> None:
    assert found(GOOD) == []
    assert host_checks.warnings(BOSS, GOOD) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"os_id": "rocky", "os_name": "Rocky Linux 9"}, "Rocky Linux 9, which is not supported"),
        ({"os_version": "11"}, "not supported"),
        ({"arch": "arm64"}, "is arm64, the bundle is for amd64"),
        ({"selinux": "enforcing"}, "SELinux is enforcing"),
        ({"python": "3.9.2"}, "Python 3.9.2"),
        ({"skew": 301.0}, "clock is +301 s off"),
        ({"memory_bytes": GIB}, "1.0 GiB of memory"),
        ({"disks": {"/opt": DiskFact(GIB, GIB // 10, "/dev/a", "/opt")}}, "/opt has 0.1 GiB free"),
        ({"features": {"overlay": False}}, "no overlay"),
        ({"devices": frozenset()}, "/dev/kmsg"),
        ({"sysctls": {"vm/overcommit_memory": SysctlFact("0", False)}}, "overcommit_memory is 0, kubelet needs 1"),
        (
            {"units": {"named": UnitFact("active", "enabled")}},
            "named.service is running (systemctl disable --now named)",
        ),
        ({"units": {"docker": UnitFact("active", "enabled")}}, "docker.service is running"),
        (
            {"listeners": (ListenerFact("tcp", "*", 80, ("nginx",)),)},
            "port 80/tcp is taken by nginx; it is needed for load balancers",
        ),
        ({"listeners": (ListenerFact("udp", "0.0.0.0", 53, ("dnsmasq",)),)}, "port 53/udp is taken by dnsmasq"),
        ({"listeners": (ListenerFact("udp", "::", 53, ("unbound",)),)}, "port 53/udp is taken by unbound"),
        ({"listeners": (ListenerFact("tcp", "*", 53, ("coredns",)),)}, "port 53/tcp is taken by coredns"),
        (
            {"listeners": (ListenerFact("udp", "169.254.20.10", 53, ("node-cache",)),)},
            "port 53/udp is taken by node-cache",
        ),
        ({"listeners": (ListenerFact("tcp", "*", 6443, ()),)}, "port 6443/tcp is taken by an unknown process"),
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
def test_everything_that_has_to_be_mended_first(change: dict[str, object], said: str) -> None:
    lines = found(replace(GOOD, **change))
    assert any(said in line for line in lines), lines
    assert all(line.startswith("h1: ") for line in lines)


@pytest.mark.parametrize("address", ["127.0.0.53", "::1", "192.168.122.1"])
def test_a_resolver_that_listens_elsewhere_is_not_in_the_way(address: str) -> None:
    """unbound listens on 127.0.0.1 and ::1 by default, libvirt's dnsmasq on its bridge."""
    facts = replace(
        GOOD, listeners=(ListenerFact("udp", address, 53, ("unbound",)), ListenerFact("tcp", address, 53, ("unbound",)))
    )
    assert host_checks.problems(ENV, ENV.hosts[0], facts, "amd64") == []


def test_all_problems_of_a_host_come_at_once() -> None:
    assert len(found(replace(GOOD, arch="arm64", selinux="enforcing", devices=frozenset()))) == 3


def test_what_could_not_be_told_warns_and_stops_nothing() -> None:
    assert host_checks.problems(ENV, BOSS, HostFacts(unread={"disk": "no answer"}), "amd64") == []
    assert host_checks.warnings(BOSS, HostFacts(unread={"disk": "no answer"})) == [
        "h1: disk could not be told: no answer"
    ]


def test_a_host_of_ours_may_use_its_own_ports_and_routes() -> None:
    ours = replace(
        GOOD,
        marker={"environment": "demo", "host": "h1"},
        units={"containerd": UnitFact("active", "enabled")},
        listeners=(ListenerFact("tcp", "*", 6443, ("kube-apiserver",)),),
        routes=(RouteFact("10.42.1.0/24", "10.0.0.12", "eth0", "173"),),
    )
    assert found(ours) == []


def test_a_worker_needs_no_ports_of_the_control_plane() -> None:
    assert ("tcp", 6443) not in ports.needed(ENV, WORKER)
    assert {("tcp", 6443), ("tcp", 2379)} <= ports.needed(ENV, BOSS).keys()


def test_two_names_for_one_machine_are_found() -> None:
    lines = host_checks.together(
        {"h1": GOOD, "h2": replace(GOOD, hostname="h2", macs={"eth0": "aa:aa", "veth1": "bb:bb"})}
    )
    assert lines == [
        "h2: has the same machine id m1 as h1 (are they one machine?)",
        "h2: has the same MAC address aa:aa as h1 (are they one machine?)",
    ]
    assert (
        host_checks.together({"h1": GOOD, "h2": replace(GOOD, hostname="h2", machine_id="m2", macs={"eth0": "cc:cc"})})
        == []
    )


def test_swap_cgroup_v1_and_a_small_skew_are_warnings() -> None:
    lines = host_checks.warnings(BOSS, replace(GOOD, swap_bytes=GIB, cgroup=1, skew=20.0))
    assert ["swap" in lines[0], "cgroup v1" in lines[1], "+20 s off" in lines[2]] == [True] * 3


def test_configuration_follows_the_facts() -> None:
    assert machine(GOOD).cgroup_v2
    lxc = machine(replace(GOOD, cgroup=1, capabilities=0, units={"systemd-resolved": UnitFact("active", "enabled")}))
    assert (lxc.cgroup_v2, lxc.may_lower_oom, lxc.resolv_conf) == (False, False, "/run/systemd/resolve/resolv.conf")
    assert machine(HostFacts()).may_lower_oom  # could not be told: as on a plain host


def test_hosts_must_reach_the_api_and_the_kubelets() -> None:
    both = {"h1", "h2"}
    assert paths_between.wanted(ENV, WORKER, both) == [("10.0.0.11", 10250), ("10.0.0.11", 6443)]
    assert ("10.0.0.12", 10250) in paths_between.wanted(ENV, BOSS, both)
    assert paths_between.wanted(ENV, BOSS, {"h1"}) == []


def test_a_host_without_python_is_told_before_anything_is_changed() -> None:
    facts = replace(GOOD, python=None, unread={"python": "sh: 1: python3: not found"})
    assert found(facts) == ["h1: has no Python 3, by which it is set up (apt-get install python3)"]
    assert host_checks.warnings(BOSS, facts) == []
    assert found(replace(GOOD, python=None, unread={"python": "no answer"})) == []


def test_hosts_on_two_subnets_need_vxlan() -> None:
    near = replace(GOOD, features={"vxlan": False})
    far = replace(GOOD, features={"vxlan": True}, addresses=(AddressFact("eth0", "10.0.0.12", 28, 4, "global"),))
    assert (
        host_checks.tunnels(
            ENV, {"h1": near, "h2": replace(near, addresses=(AddressFact("eth0", "10.0.0.12", 24, 4, "global"),))}
        )
        == []
    )
    assert host_checks.tunnels(ENV, {"h1": near, "h2": far}) == [
        "h1: its kernel has no vxlan, which the hosts need between 10.0.0.0/24 and 10.0.0.0/28 (modprobe vxlan, or another kernel)"
    ]
    assert host_checks.tunnels(replace(ENV, network=replace(ENV.network, mode="none")), {"h1": near, "h2": far}) == []
    assert host_checks.tunnels(ENV, {"h1": replace(near, features=None), "h2": far}) == []


def test_a_control_plane_with_one_cpu_is_a_warning() -> None:
    assert any("1 CPU" in line for line in host_checks.warnings(BOSS, replace(GOOD, cpus=1)))
    assert (
        host_checks.warnings(WORKER, replace(GOOD, cpus=1)) == host_checks.warnings(BOSS, replace(GOOD, cpus=2)) == []
    )


class Bare:
    """A host that answers the way between hosts as ``blocked`` says, and nothing else."""

    def __init__(self, name: str, blocked: list[list[object]]) -> None:
        self.name, self.blocked = name, blocked

    def run(self, command: Command, *, check: bool = True) -> Result:
        targets = split_request(command.stdin or b"")[1]["targets"]
        answer = {"ok": {"blocked": [line for line in self.blocked if line[:2] in targets]}}
        return Result(command, 0, json.dumps(answer).encode(), b"")


def test_ctrl_c_while_hosts_are_asked_says_what_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def read_facts(transport: Bare) -> HostFacts:
        raise KeyboardInterrupt

    told: list[Event] = []
    nothing = Bundle(Path(), manifest("1.36.3", "amd64", "", ()))
    monkeypatch.setattr("rancherctl.hosts.facts.read_facts", read_facts)
    with pytest.raises(KeyboardInterrupt):
        preflight.preflight(
            ENV, Context(lambda host: cast("Transport", Bare(host.name, [])), nothing, emit=told.append)
        )
    assert [event.phase for event in told if event.level == "warning"] == ["interrupt"]


@pytest.mark.parametrize(
    ("new", "told"),
    [
        (set(), []),
        ({"h2"}, ["h1: does not reach 10.0.0.12 port 10250", "h2: does not reach 10.0.0.11 port 6443"]),
        ({"h1", "h2"}, ["h1: does not reach 10.0.0.12 port 10250", "h2: does not reach 10.0.0.11 port 6443"]),
    ],
)
def test_ways_from_and_to_new_hosts_are_tried(new: set[str], told: list[str]) -> None:
    """A host that joins has to be reached by those that are there; what runs already is not asked at each apply."""
    blocked: list[list[object]] = [
        ["10.0.0.11", 6443, "no answer within 3 s"],
        ["10.0.0.12", 10250, "no answer within 3 s"],
    ]
    context = Context(
        lambda host: cast("Transport", Bare(host.name, blocked)), Bundle(Path(), manifest("1.36.3", "amd64", "", ()))
    )
    found = paths_between.problems(ENV, new, {"h1", "h2"}, context)
    assert [line.partition(": no answer")[0] for line in found] == told


def test_closed_ways_are_told_with_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at the next try, when what was told first is mended."""

    def read_facts(transport: Bare) -> HostFacts:
        if transport.name == "h3":
            raise UnreachableError("h3: no answer")
        return {"h1": replace(GOOD, swap_bytes=0), "h2": replace(other, selinux="enforcing")}[transport.name]

    other = replace(
        GOOD, hostname="h2", machine_id="m2", macs={}, addresses=(AddressFact("eth0", "10.0.0.12", 24, 4, "global"),)
    )
    blocked: list[list[object]] = [["10.0.0.11", 6443, "no answer within 3 s"], ["10.0.0.13", 10250, "no route"]]
    environment = from_flags("demo", ["root@10.0.0.11", "root@10.0.0.12", "root@10.0.0.13"]).environment
    context = Context(
        lambda host: cast("Transport", Bare(host.name, blocked)), Bundle(Path(), manifest("1.36.3", "amd64", "", ()))
    )
    monkeypatch.setattr("rancherctl.hosts.facts.read_facts", read_facts)
    with pytest.raises(PreflightError) as caught:
        preflight.preflight(environment, context)
    assert [line.partition(" (")[0] for line in caught.value.problems] == [
        "h3: no answer",
        "h2: SELinux is enforcing, which is not supported",
        "h2: does not reach 10.0.0.11 port 6443: no answer within 3 s",
    ]
