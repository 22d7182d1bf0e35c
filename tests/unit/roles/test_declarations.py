"""Declarations of roles and controllers: complete, loadable, light to import."""

from __future__ import annotations

import importlib

import pytest

from rancherctl.agents import units
from rancherctl.agents.install import agent_config, host_resources
from rancherctl.environments import host_roles, ports
from rancherctl.environments.inventory import load
from rancherctl.environments.removal import requests
from rancherctl.hosts.model import Host, Unit
from rancherctl.kube import client, objects
from rancherctl.kube.rbac import READ, Right
from rancherctl.kube.tables import TableSpec
from rancherctl.role_spec import PortUse, RoleSpec
from rancherctl.roles.controllers import CONTROLLERS
from rancherctl.roles.registry import ROLES, agent_rights, role

ENV = load(
    """
metadata: {name: demo}
spec:
  ingress: {hosts: {labels: {lb: "yes"}}}
  hosts:
  - {name: h1, address: 10.0.0.11, roles: [etcd, controlplane, worker], labels: {lb: "yes"}}
  - {name: h2, address: 10.0.0.12, roles: [worker]}
"""
).environment
FIRST, SECOND = ENV.hosts
EXTRA = RoleSpec(
    name="extra",
    title="extra service",
    module="tests.unit.roles.none",
    tables=(TableSpec("secrets", client.Resource("", "v1", "secrets", "Secret"), objects.meta),),
    rights=(Right("", "pods/log", ("get",)),),
    ports=(PortUse("udp", 5555, "the extra service"),),
)


def test_names_are_unique_and_those_that_hosts_store() -> None:
    assert [spec.name for spec in ROLES] == ["network", "dns", "lb", "services", "pod-paths"]
    assert len({spec.name for spec in CONTROLLERS}) == len(CONTROLLERS)


@pytest.mark.parametrize("spec", ROLES, ids=lambda spec: spec.name)
def test_the_code_of_a_role_is_where_its_declaration_says(spec: RoleSpec) -> None:
    module = importlib.import_module(spec.module)
    assert callable(module.build)
    installed = {r.name for r in module.resources(agent_config(ENV, FIRST)) if isinstance(r, Unit)}
    assert installed == set(spec.units), "the declared units are the installed ones"


def test_the_agent_starts_after_the_units_of_its_roles() -> None:
    after = next(line for line in units.agent("/x").splitlines() if line.startswith("After="))
    assert {unit for spec in ROLES for unit in spec.units} <= set(after.split())


def test_only_hosts_with_load_balancers_have_the_role_lb_with_its_ports_and_unit() -> None:
    assert [s.name for s in host_roles.host_roles(ENV, FIRST)] == ["network", "dns", "lb", "services", "pod-paths"]
    assert [s.name for s in host_roles.host_roles(ENV, SECOND)] == ["network", "dns", "pod-paths"]
    assert [("tcp", 80) in ports.taken(ENV, host) for host in ENV.hosts] == [True, False]
    installed = [{r.name for r in host_resources(ENV, host) if isinstance(r, Unit)} for host in ENV.hosts]
    assert [set(role("lb").units) <= names for names in installed] == [True, False]


def test_a_declared_role_gets_its_rights_and_ports_without_another_edit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_roles, "ROLES", (*ROLES, EXTRA))
    assert ports.needed(ENV, SECOND)[("udp", 5555)] == "the extra service"
    assert agent_config(ENV, SECOND).roles == ("network", "dns", "pod-paths", "extra")
    added = set(agent_rights((*ROLES, EXTRA))) - set(agent_rights())
    assert added == {Right("", "secrets", READ), Right("", "pods/log", ("get",))}


@pytest.mark.parametrize("host", ENV.hosts, ids=lambda host: host.name)
def test_a_removal_includes_everything_that_roles_declare(host: Host) -> None:
    """On every host, whatever its roles are now: an earlier file may have given it others."""
    request = requests.request(ENV, host, "clear")
    for spec in ROLES:
        assert set(spec.paths) <= set(request["paths"])
        assert set(spec.runtime_paths) <= set(request["maybe"])
        assert set(spec.devices) <= set(request["devices"])
        assert set(spec.nft_tables) <= set(request["tables"])


def test_a_section_of_an_unexpected_form_raises_nothing() -> None:
    """Reports are written by agents: a damaged one must not break `env status`."""
    for spec in ROLES:
        for section in ({}, {"ports": 7, "unusable": None}, {"ports": {"80": ""}}, {"error": {"x": 1}}):
            assert all(isinstance(line, str) for line in spec.health(section))


@pytest.mark.parametrize(
    ("name", "section", "expected"),
    [
        ("network", {"alarm": "lost hosts", "unusable": ["h3"]}, 2),
        ("dns", {"error": "named does not answer", "alarm": "hidden by the error"}, 1),
        ("lb", {"ports": {"80": "port 80: in use", "443": "port 443: in use"}}, 1),
        ("lb", {"error": "HAProxy is down", "ports": {"80": "hidden by the error"}}, 1),
        ("lb", {"ports": {"80": ""}}, 0),
    ],
)
def test_a_role_turns_its_report_section_into_problems(name: str, section: dict[str, object], expected: int) -> None:
    assert len(role(name).health(section)) == expected
