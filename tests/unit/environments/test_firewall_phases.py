"""Phases of --open-firewall: rules come before anything else, and go after the agents, which would restore them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from rancherctl.bundle.model import Bundle, manifest
from rancherctl.cli.env.environment_file import with_firewall
from rancherctl.environments import dump, inventory, paths_between, preflight
from rancherctl.environments.context import Context
from rancherctl.environments.observe import ObservedHosts
from rancherctl.environments.phases import PHASES
from rancherctl.environments.phases.firewall import CLOSE_FIREWALL, OPEN_FIREWALL, FirewallRules
from rancherctl.environments.plan import PhasePlan
from rancherctl.environments.run import EnvironmentRun
from rancherctl.errors import RancherctlError
from rancherctl.hosts import firewall_rules
from rancherctl.hosts.facts import HostFacts
from rancherctl.hosts.firewall import FilterChain, FirewallFact, RuleChange
from rancherctl.hosts.firewall_rules import PresentRules
from rancherctl.hosts.transport import Transport
from tests.fakes.preflight_hosts import ENV, ConnectingHost

OPENED = replace(ENV, network=replace(ENV.network, open_firewall=True))
DENYING = FirewallFact("ufw", (FilterChain("ip", "filter", "INPUT", "input"),))


class Firewalls:
    """Firewalls by host: what is there, and which commands ran."""

    def __init__(self) -> None:
        self.present = {"h1": PresentRules(DENYING), "h2": PresentRules(FirewallFact())}
        self.ran: list[str] = []
        self.reads = 0

    def read(self, transport: SimpleNamespace) -> PresentRules:
        self.reads += 1
        return self.present[transport.name]

    def apply(self, transport: SimpleNamespace, changes: Sequence[RuleChange]) -> None:
        self.ran += [f"{transport.name}: {change.name}" for change in changes]


@pytest.fixture
def firewalls(monkeypatch: pytest.MonkeyPatch) -> Firewalls:
    found = Firewalls()
    monkeypatch.setattr(firewall_rules, "read", found.read)
    monkeypatch.setattr(firewall_rules, "apply", found.apply)
    return found


def run(monkeypatch: pytest.MonkeyPatch, wanted: Any, stored: Any) -> EnvironmentRun:
    monkeypatch.setattr(EnvironmentRun, "read_stored", lambda _run: stored)
    context = Context(lambda host: SimpleNamespace(name=host.name), None)  # type: ignore[arg-type]
    monkeypatch.setattr(EnvironmentRun, "hosts", lambda _run: wanted.hosts)
    return EnvironmentRun(wanted, context, ObservedHosts({}, {}))


def lines(phase: FirewallRules, of: EnvironmentRun) -> list[str]:
    return [f"{step.host}: {step.line()}" for step in phase.plan(of).steps]


def test_the_order_of_opening_and_closing() -> None:
    names = [phase.name for phase in PHASES]
    assert names.index("lock") < names.index("firewall") < names.index("packages")
    assert names.index("agents") < names.index("firewall-close") < names.index("record")


def test_hosts_that_deny_get_rules_which_the_plan_shows(firewalls: Firewalls, monkeypatch: pytest.MonkeyPatch) -> None:
    current = run(monkeypatch, OPENED, None)
    shown = lines(OPEN_FIREWALL, current)
    assert shown[0] == "h1: create firewall rule ufw allow from 10.0.0.11"
    assert all(line.startswith("h1: create firewall rule ufw ") for line in shown)
    assert lines(CLOSE_FIREWALL, current) == []
    assert firewalls.ran == []
    OPEN_FIREWALL.apply(current, PhasePlan("firewall", "", ()))
    assert len(firewalls.ran) == len(shown)
    assert "h1" in current.changed
    assert "h2" not in current.changed


def test_rules_are_removed_if_the_last_apply_had_them(firewalls: Firewalls, monkeypatch: pytest.MonkeyPatch) -> None:
    firewalls.present["h1"] = replace(firewalls.present["h1"], ufw=frozenset({("allow", "from", "10.0.0.12")}))
    current = run(monkeypatch, ENV, OPENED)
    assert lines(OPEN_FIREWALL, current) == []
    assert lines(CLOSE_FIREWALL, current) == ["h1: remove firewall rule ufw allow from 10.0.0.12"]


def test_hosts_of_an_environment_without_rules_are_not_read(
    firewalls: Firewalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stored in (None, ENV):
        current = run(monkeypatch, ENV, stored)
        assert [*lines(OPEN_FIREWALL, current), *lines(CLOSE_FIREWALL, current)] == []
    assert firewalls.reads == 0


def test_a_firewall_that_cannot_be_read_stops_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(_: object) -> PresentRules:
        raise RancherctlError("h1: cannot read its firewall")

    monkeypatch.setattr(firewall_rules, "read", read)
    with pytest.raises(RancherctlError, match="cannot read its firewall"):
        lines(OPEN_FIREWALL, run(monkeypatch, OPENED, None))


def test_the_option_is_part_of_the_environment_and_its_file() -> None:
    assert with_firewall(ENV, None) is ENV
    assert with_firewall(ENV, True) == OPENED
    assert with_firewall(OPENED, False) == ENV
    assert inventory.load(dump.dump(OPENED), "file").environment == OPENED
    assert "openFirewall" not in dump.dump(ENV)


def test_connections_that_the_apply_opens_are_not_a_problem_of_preflight() -> None:
    facts = {"h1": HostFacts(firewall=DENYING), "h2": HostFacts(firewall=FirewallFact())}
    assert preflight._opened(ENV, facts) == frozenset()
    opened = preflight._opened(OPENED, facts)
    assert opened == {"10.0.0.11"}
    blocked: list[list[object]] = [["10.0.0.11", 6443, "no answer"], ["10.0.0.12", 10250, "no answer"]]
    context = Context(
        lambda host: cast("Transport", ConnectingHost(host.name, blocked)),
        Bundle(Path(), manifest("1.36.3", "amd64", "", ())),
    )
    found = paths_between.problems(OPENED, {"h2"}, {"h1", "h2"}, context, opened)
    assert all("10.0.0.12" in line for line in found)
    assert found
