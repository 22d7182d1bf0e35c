"""Hosts as preflight sees them: the facts of a suitable host, and answers about connections between hosts."""

from __future__ import annotations

import json

from rancherctl.environments.inventory import from_flags
from rancherctl.hosts.command import Command, Result
from rancherctl.hosts.fact_values import AddressFact, DiskFact, ListenerFact, RouteFact, SysctlFact
from rancherctl.hosts.facts import HostFacts
from tests.fakes.transport import split_request

ENV = from_flags("demo", ["root@10.0.0.11", "root@10.0.0.12"]).environment
CONTROL_PLANE, WORKER = ENV.hosts
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


class ConnectingHost:
    """A host that answers only whether connections from it are ``blocked``."""

    def __init__(self, name: str, blocked: list[list[object]]) -> None:
        self.name, self.blocked = name, blocked

    def run(self, command: Command, *, check: bool = True) -> Result:
        targets = split_request(command.stdin or b"")[1]["targets"]
        answer = {"ok": {"blocked": [line for line in self.blocked if line[:2] in targets]}}
        return Result(command, 0, json.dumps(answer).encode(), b"")
