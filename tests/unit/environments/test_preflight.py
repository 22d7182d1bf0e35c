"""Preflight gathers the facts of all hosts and reports all problems together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from rancherctl.bundle.model import Bundle, manifest
from rancherctl.environments import preflight
from rancherctl.environments.context import Context
from rancherctl.environments.inventory import from_flags
from rancherctl.environments.preflight import machine
from rancherctl.errors import PreflightError, UnreachableError
from rancherctl.events import Event
from rancherctl.hosts.fact_values import AddressFact, UnitFact
from rancherctl.hosts.facts import HostFacts
from rancherctl.hosts.transport import Transport
from tests.fakes.preflight_hosts import ENV, GOOD, ConnectingHost


def test_ctrl_c_while_facts_are_gathered_emits_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def read_facts(transport: ConnectingHost) -> HostFacts:
        raise KeyboardInterrupt

    events: list[Event] = []
    nothing = Bundle(Path(), manifest("1.36.3", "amd64", "", ()))
    monkeypatch.setattr("rancherctl.hosts.facts.read_facts", read_facts)
    with pytest.raises(KeyboardInterrupt):
        preflight.preflight(
            ENV, Context(lambda host: cast("Transport", ConnectingHost(host.name, [])), nothing, emit=events.append)
        )
    assert [event.phase for event in events if event.level == "warning"] == ["interrupt"]


def test_blocked_connections_are_reported_with_all_other_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise they would show only at the next apply, after the others are fixed."""

    def read_facts(transport: ConnectingHost) -> HostFacts:
        if transport.name == "h3":
            raise UnreachableError("h3: no answer")
        return {"h1": replace(GOOD, swap_bytes=0), "h2": replace(other, selinux="enforcing")}[transport.name]

    other = replace(
        GOOD, hostname="h2", machine_id="m2", macs={}, addresses=(AddressFact("eth0", "10.0.0.12", 24, 4, "global"),)
    )
    blocked: list[list[object]] = [["10.0.0.11", 6443, "no answer within 3 s"], ["10.0.0.13", 10250, "no route"]]
    environment = from_flags("demo", ["root@10.0.0.11", "root@10.0.0.12", "root@10.0.0.13"]).environment
    context = Context(
        lambda host: cast("Transport", ConnectingHost(host.name, blocked)),
        Bundle(Path(), manifest("1.36.3", "amd64", "", ())),
    )
    monkeypatch.setattr("rancherctl.hosts.facts.read_facts", read_facts)
    with pytest.raises(PreflightError) as caught:
        preflight.preflight(environment, context)
    assert [line.partition(" (")[0] for line in caught.value.problems] == [
        "h3: no answer",
        "h2: SELinux is enforcing, which is not supported",
        "h2: cannot reach 10.0.0.11 port 6443: no answer within 3 s",
    ]


def test_configurations_follow_the_facts() -> None:
    assert machine(GOOD).cgroup_v2
    lxc = machine(replace(GOOD, cgroup=1, capabilities=0, units={"systemd-resolved": UnitFact("active", "enabled")}))
    assert (lxc.cgroup_v2, lxc.may_lower_oom, lxc.resolv_conf) == (False, False, "/run/systemd/resolve/resolv.conf")
    assert machine(HostFacts()).may_lower_oom  # unknown: as on a usual host
