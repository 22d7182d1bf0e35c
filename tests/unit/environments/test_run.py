"""A run over the hosts: unknown ones, and Ctrl-C."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from rancherctl.bundle.model import Bundle, manifest
from rancherctl.change import Unknown
from rancherctl.environments.context import Context
from rancherctl.environments.inventory import from_flags
from rancherctl.environments.observe import ObservedHosts
from rancherctl.environments.phase_names import HOST_PHASES
from rancherctl.environments.phases import PHASES
from rancherctl.environments.reconcile import planned
from rancherctl.environments.run import EnvironmentRun
from rancherctl.errors import RancherctlError, UnreachableError
from rancherctl.events import Event
from rancherctl.hosts.model import Host
from rancherctl.hosts.transport import Transport

ENV = from_flags("demo", ["root@10.0.0.11", "root@10.0.0.12"]).environment
CONTROL, WORKER = ENV.hosts


def _unexpected(host: Host) -> Transport:
    raise AssertionError(f"{host.name} must not be contacted")


def test_phases_run_in_an_order_in_which_later_ones_find_what_they_need() -> None:
    names = [phase.name for phase in PHASES]
    order = "preflight lock firewall packages artefacts certificates etcd control-plane objects nodes agents"
    order += " firewall-close ready record"
    assert [name for name in names if name in order.split()] == order.split()
    assert set(HOST_PHASES) < set(names)


def test_an_unreachable_host_is_unknown_in_the_plan() -> None:
    lost = ObservedHosts(
        {}, {WORKER.name: UnreachableError(f"{WORKER.name}: cannot connect to 10.0.0.12:22", why="timed out")}
    )
    plan = planned(
        EnvironmentRun(
            ENV, Context(transport=_unexpected, bundle=Bundle(Path(), manifest(ENV.kubernetes, "", "", ()))), lost
        )
    )
    assert plan.unknown == (Unknown("h2", "cannot connect to 10.0.0.12:22: timed out"),)


def test_ctrl_c_ends_the_work_of_each_host_at_its_next_event() -> None:
    messages: list[str] = []
    context = Context(
        transport=_unexpected,
        bundle=Bundle(Path(), manifest(ENV.kubernetes, "", "", ())),
        emit=lambda event: messages.append(event.message),
    )
    run = EnvironmentRun(ENV, context, ObservedHosts({}, {}))
    begun, stopping = threading.Event(), threading.Event()
    ended: list[str] = []

    def stop_everything(event: Event) -> None:
        messages.append(event.message)
        stopping.set()

    run.context = replace(context, emit=stop_everything)

    def work(host: Host) -> None:
        if host is CONTROL:
            assert begun.wait(60)
            raise KeyboardInterrupt
        begun.set()
        assert stopping.wait(60)
        try:
            run.emit("artefacts")(Event("upload", "next block", host.name, "progress"))
        except RancherctlError:
            ended.append(host.name)
            raise

    with pytest.raises(KeyboardInterrupt):
        run.each(next(p for p in PHASES if p.name == "artefacts"), ENV.hosts, work)
    assert ended == [WORKER.name]
    assert len(messages) == 1
    assert "press Ctrl-C again" in messages[0]
