"""The status of an environment distinguishes healthy, broken and unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rancherctl.bundle.model import Bundle, manifest
from rancherctl.change import Unknown
from rancherctl.environments.components.machine import MachineFacts
from rancherctl.environments.context import Context
from rancherctl.environments.health import HostHealth
from rancherctl.environments.inventory import from_flags
from rancherctl.environments.observe import ObservedHost, ObservedHosts
from rancherctl.environments.pki.wanted import CertificateFolder
from rancherctl.environments.status import _ApiStatus, _host, _Observation, _units, alarms, status
from rancherctl.environments.stored_json import json_field
from rancherctl.errors import AuthError, UnreachableError
from rancherctl.hosts.facts import HostFacts
from rancherctl.hosts.model import Host, Unit
from rancherctl.hosts.observe import parse
from rancherctl.hosts.state import ObservedResources
from rancherctl.hosts.transport import Transport
from rancherctl.kube import objects

HOST = from_flags("demo", ["root@10.0.0.11"]).environment.hosts[0]


def seen(*unknown: Unknown) -> ObservedHost:
    return ObservedHost(
        HOST,
        MachineFacts(),
        {"nodes": (Unit("rancherctl-kubelet.service"),)},
        ObservedResources(unknown=unknown),
        CertificateFolder({}, {}),
    )


def test_problems_in_an_agents_report_are_problems_of_its_host() -> None:
    """HAProxy runs, but another program has its port: the unit alone would look healthy."""
    report = {
        "lb": {"ports": {"80": "port 80: Address already in use"}, "alarm": ""},
        "dns": {"alarm": "", "error": "named does not answer"},
        "network": {"routes": 3},
        "odd": "text",
    }
    reporting = HostHealth("h1", "10.0.0.11", ("worker",), True, ready=True, alive=True, report=report)
    assert reporting.problems() == (
        "DNS server: named does not answer",
        "load balancer: port 80: Address already in use",
    )
    silent = HostHealth("h1", "10.0.0.11", ("worker",), True, ready=True, alive=False, report=report)
    assert silent.problems() == ("agent heartbeat missing",), "an old report is ignored"


def host_health(age: float | None, member: dict[str, Any] | None) -> HostHealth:
    """The status of a host whose agent started ``age`` seconds ago and whose entry in the roster is ``member``."""
    ages = {} if age is None else {"rancherctl-agent.service": age}
    found = ObservedHost(HOST, MachineFacts(), {}, ObservedResources(ages=ages), CertificateFolder({}, {}))
    environment = from_flags("demo", ["root@10.0.0.11"]).environment
    context = Context(lambda host: None, Bundle(Path(), manifest("1.36.3", "", "", ())))  # type: ignore[arg-type, return-value]
    node = objects.node(
        {"metadata": {"name": HOST.name}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    )
    api = _ApiStatus("", {HOST.name: node}, {HOST.name: member} if member else {})
    return _host(
        _Observation(
            environment, context, {HOST.name: HostFacts()}, ObservedHosts({HOST.name: found}), {}, api, {}, {}
        ),
        HOST,
    )


def test_an_agent_that_has_just_started_is_not_a_problem() -> None:
    """Right after an apply the controller has not seen its heartbeat yet."""
    young = host_health(3.0, {"alive": False})
    assert (young.alive, young.starting, young.problems()) == (False, True, ())
    assert not host_health(3.0, {"alive": True}).starting
    for age in (None, 40.0):
        old = host_health(age, {"alive": False})
        assert (old.starting, old.problems()) == (False, ("agent heartbeat missing",)), age


def test_a_unit_that_systemd_restarted_has_no_age() -> None:
    """A unit that crashes repeatedly would always look young."""
    fields = {"LoadState": "loaded", "ActiveState": "active"}
    units = {
        "a": {**fields, "age": "3.5"},
        "b": {**fields, "age": "3.5", "NRestarts": "2"},
        "c": {**fields, "NRestarts": "0"},
    }
    answer = {"paths": {}, "errors": {}, "ran_with": {}, "packages": {}, "users": {}, "units": units}
    assert parse([Unit(name) for name in units], answer).ages == {"a": 3.5}


def test_without_a_bundle_a_note_says_that_programs_are_not_compared() -> None:
    def away(host: Host) -> Transport:
        raise UnreachableError(f"{host.name}: no answer")

    environment = from_flags("demo", ["root@10.0.0.11"]).environment
    found = status(environment, Context(away, Bundle(Path(), manifest("1.36.3", "", "", ()))))
    assert found.state == "down"
    assert any("no bundle is chosen" in note for note in found.notes)


def test_units_that_could_not_be_read_are_unknown_not_stopped() -> None:
    assert [unit.active for unit in _units(seen())] == [False]
    assert _units(seen(Unknown("units", "systemctl show did not end within 60 s"))) == ()
    status = HostHealth(
        "h1",
        "10.0.0.11",
        ("worker",),
        True,
        ready=True,
        alive=True,
        unread=("units: systemctl show did not end within 60 s",),
    )
    assert status.problems() == ("could not be read: units: systemctl show did not end within 60 s",)


def test_alarms_are_read_from_the_rosters_configmap() -> None:
    assert alarms({"data": {"roster": "{}", "alarms": "2 of 4 hosts have no heartbeat\nh1: …"}}) == (
        "2 of 4 hosts have no heartbeat",
        "h1: …",
    )
    for nothing in (None, {}, {"data": None}, {"data": {"roster": "{}"}}):
        assert alarms(nothing) == ()


def test_a_host_that_refuses_the_login_gets_its_own_remedy() -> None:
    """Neither power nor sshd are the cause of a changed host key."""

    def refused(host: Host) -> Transport:
        raise AuthError(
            f"{host.name}: its host key is not the known one: stopped",
            hint="only if the host was really reinstalled: ssh-keygen -R h1",
        )

    environment = from_flags("demo", ["root@10.0.0.11"]).environment
    found = status(environment, Context(refused, Bundle(Path(), manifest("1.36.3", "", "", ()))))
    assert "h1: SSH login refused: its host key is not the known one: stopped" in found.problems()
    assert found.remedies()[0] == "h1: only if the host was really reinstalled: ssh-keygen -R h1"
    assert not any("check power" in line for line in found.remedies())


def problems_of(report: Any) -> tuple[str, ...]:
    return HostHealth("h1", "10.0.0.11", ("worker",), True, ready=True, alive=True, report=report).problems()


def test_nodes_without_a_usable_address_are_named() -> None:
    assert problems_of({"network": {"unusable": ["odd"]}}) == (
        "pod network: cannot route to nodes with unusable addresses: ['odd']",
    )
    assert problems_of({"network": {"routes": 3, "alarm": "", "unusable": []}}) == ()


@pytest.mark.parametrize("report", [[], ["x"], "x", {"lb": []}, {"lb": None}, {"lb": {"error": ["x"] * 1000}}])
def test_a_report_of_any_form_gives_short_lines(report: Any) -> None:
    assert all(len(line) < 400 for line in problems_of(report))


def test_a_report_that_cannot_be_parsed_is_empty() -> None:
    for text in ("{", "[]", "[" * 100_000):
        assert json_field({"data": {"report": text}}, "report") == {}
