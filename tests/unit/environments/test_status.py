"""Status keeps three answers apart: fine, broken, and could not be told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rancherctl.bundle.model import Bundle, manifest
from rancherctl.change import Unknown
from rancherctl.environments.components.machine import MachineFacts
from rancherctl.environments.context import Context
from rancherctl.environments.health import HostStatus
from rancherctl.environments.inventory import from_flags
from rancherctl.environments.observe import ObservedHost, ObservedHosts
from rancherctl.environments.pki.wanted import Folder
from rancherctl.environments.status import _Api, _host, _json, _Look, _units, alarms, status
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
        Folder({}, {}),
    )


def test_what_an_agent_says_is_wrong_is_a_problem_of_its_host() -> None:
    """HAProxy runs, but another program has its port: the unit alone would look healthy."""
    report = {
        "lb": {"ports": {"80": "port 80: Address already in use"}, "alarm": ""},
        "dns": {"alarm": "", "error": "named does not answer"},
        "network": {"routes": 3},
        "odd": "text",
    }
    told = HostStatus("h1", "10.0.0.11", ("worker",), True, ready=True, alive=True, report=report)
    assert told.problems() == (
        "its DNS server says: named does not answer",
        "its load balancer says: port 80: Address already in use",
    )
    silent = HostStatus("h1", "10.0.0.11", ("worker",), True, ready=True, alive=False, report=report)
    assert silent.problems() == ("its agent gives no sign of life",), "what it said is old"


def look(age: float | None, member: dict[str, Any] | None) -> HostStatus:
    """The status of a host whose agent came up ``age`` seconds ago, and that the roster knows as ``member``."""
    ages = {} if age is None else {"rancherctl-agent.service": age}
    found = ObservedHost(HOST, MachineFacts(), {}, ObservedResources(ages=ages), Folder({}, {}))
    environment = from_flags("demo", ["root@10.0.0.11"]).environment
    context = Context(lambda host: None, Bundle(Path(), manifest("1.36.3", "", "", ())))  # type: ignore[arg-type, return-value]
    node = objects.node(
        {"metadata": {"name": HOST.name}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    )
    api = _Api("", {HOST.name: node}, {HOST.name: member} if member else {})
    return _host(
        _Look(environment, context, {HOST.name: HostFacts()}, ObservedHosts({HOST.name: found}), {}, api, {}), HOST
    )


def test_an_agent_that_has_just_come_up_is_starting_and_no_problem() -> None:
    """Right after an apply the controller has not seen its heartbeat yet."""
    young = look(3.0, {"alive": False})
    assert (young.alive, young.starting, young.problems()) == (False, True, ())
    assert not look(3.0, {"alive": True}).starting
    for age in (None, 40.0):
        old = look(age, {"alive": False})
        assert (old.starting, old.problems()) == (False, ("its agent gives no sign of life",)), age


def test_the_age_of_a_unit_is_known_unless_systemd_had_to_restart_it() -> None:
    """One that ends again and again is always young."""
    fields = {"LoadState": "loaded", "ActiveState": "active"}
    units = {
        "a": {**fields, "age": "3.5"},
        "b": {**fields, "age": "3.5", "NRestarts": "2"},
        "c": {**fields, "NRestarts": "0"},
    }
    answer = {"paths": {}, "errors": {}, "ran_with": {}, "packages": {}, "users": {}, "units": units}
    assert parse([Unit(name) for name in units], answer).ages == {"a": 3.5}


def test_what_no_bundle_could_be_compared_with_is_said() -> None:
    def away(host: Host) -> Transport:
        raise UnreachableError(f"{host.name}: no answer")

    environment = from_flags("demo", ["root@10.0.0.11"]).environment
    found = status(environment, Context(away, Bundle(Path(), manifest("1.36.3", "", "", ()))))
    assert found.state == "down"
    assert any("no bundle is chosen here" in note for note in found.notes)


def test_units_that_could_not_be_read_are_not_told_as_stopped() -> None:
    assert [unit.active for unit in _units(seen())] == [False]
    assert _units(seen(Unknown("units", "systemctl show did not end within 60 s"))) == ()
    status = HostStatus(
        "h1",
        "10.0.0.11",
        ("worker",),
        True,
        ready=True,
        alive=True,
        unread=("units: systemctl show did not end within 60 s",),
    )
    assert status.problems() == ("could not be read: units: systemctl show did not end within 60 s",)


def test_alarms_of_the_controller_are_read_beside_the_roster() -> None:
    assert alarms({"data": {"roster": "{}", "alarms": "2 of 4 hosts give no sign of life\nh1 says …"}}) == (
        "2 of 4 hosts give no sign of life",
        "h1 says …",
    )
    for nothing in (None, {}, {"data": None}, {"data": {"roster": "{}"}}):
        assert alarms(nothing) == ()


def test_a_host_that_lets_nobody_in_needs_no_power() -> None:
    """A changed host key is no matter of sshd."""

    def stopped(host: Host) -> Transport:
        raise AuthError(
            f"{host.name}: its host key is not the known one: stopped",
            hint="only when the host was really set up anew: ssh-keygen -R h1",
        )

    environment = from_flags("demo", ["root@10.0.0.11"]).environment
    found = status(environment, Context(stopped, Bundle(Path(), manifest("1.36.3", "", "", ()))))
    assert "h1: lets nobody in: its host key is not the known one: stopped" in found.problems()
    assert found.remedies()[0] == "h1: only when the host was really set up anew: ssh-keygen -R h1"
    assert not any("has power" in line for line in found.remedies())


def told(report: Any) -> tuple[str, ...]:
    return HostStatus("h1", "10.0.0.11", ("worker",), True, ready=True, alive=True, report=report).problems()


def test_nodes_of_which_no_route_can_be_made_are_named() -> None:
    assert told({"network": {"unusable": ["odd"]}}) == (
        "its pod network says: cannot route to nodes with unusable addresses: ['odd']",
    )
    assert told({"network": {"routes": 3, "alarm": "", "unusable": []}}) == ()


@pytest.mark.parametrize("report", [[], ["x"], "x", {"lb": []}, {"lb": None}, {"lb": {"error": ["x"] * 1000}}])
def test_a_report_of_any_form_is_told_in_few_words(report: Any) -> None:
    assert all(len(line) < 400 for line in told(report))


def test_a_report_that_cannot_be_read_is_an_empty_one() -> None:
    for text in ("{", "[]", "[" * 100_000):
        assert _json({"data": {"report": text}}, "report") == {}
