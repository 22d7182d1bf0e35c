"""Rights in the API: agents and controllers may read what they watch and write what they declare.

Their credentials lie on hosts that run the pods of tenants.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rancherctl.agents import role_registry
from rancherctl.agents.environment_controllers import environment_controllers
from rancherctl.agents.install import agent_config
from rancherctl.contract import host_namespace
from rancherctl.environments.inventory import from_flags
from rancherctl.environments.manifests import manifests
from rancherctl.hosts.local import LocalTransport
from rancherctl.kube.tables import TableSpec

ENV = from_flags("demo", ["root@10.0.0.11", "root@10.0.0.12"]).environment
CONFIG = agent_config(ENV, ENV.hosts[0])
WATCH = {"list", "watch"}
RELEASED = Path(__file__).parents[2] / "data" / "environments" / "manifests" / "demo.json"
"""The objects that release 0.1 (commit bd1e011) applies to this environment."""


def rights(name: str) -> list[tuple[bool, dict[str, Any]]]:
    """(in the namespace rancherctl-system only, rule) of all roles with that name."""
    return [
        ("namespace" in b["metadata"], rule)
        for b in manifests(ENV)
        if b["metadata"]["name"] == name and "rules" in b
        for rule in b["rules"]
    ]


def readable(name: str) -> set[tuple[bool, str, str]]:
    """(namespaced, group, resource) that may be watched."""
    return {
        (own, rule["apiGroups"][0], r)
        for own, rule in rights(name)
        if WATCH & set(rule["verbs"])
        for r in rule["resources"]
    }


def watched(specs: list[TableSpec]) -> set[tuple[bool, str, str]]:
    return {(bool(spec.namespace), spec.resource.group, spec.resource.plural) for spec in specs}


def test_the_controllers_may_read_exactly_what_they_watch() -> None:
    controllers = environment_controllers(CONFIG, None, None)  # type: ignore[arg-type]
    tables = [table for controller in controllers for table in controller.spec.tables]
    assert readable("rancherctl:controller") == watched(tables)


def test_the_controllers_may_write_exactly_what_they_write() -> None:
    writing = {
        (own, r): set(rule["verbs"]) - WATCH - {"get"}
        for own, rule in rights("rancherctl:controller")
        for r in rule["resources"]
    }
    assert {what: verbs for what, verbs in writing.items() if verbs} == {
        (False, "ingresses/status"): {"patch"},
        (False, "services/status"): {"patch"},
        (False, "nodes/status"): {"patch"},
        (False, "events"): {"create", "patch"},
        (False, "certificatesigningrequests/approval"): {"update"},
        (False, "signers"): {"approve"},
        (True, "leases"): {"create", "update", "delete"},
        (True, "configmaps"): {"create", "update", "delete"},
        (True, "secrets"): {"create", "update", "delete"},
    }


def test_an_agent_may_read_exactly_what_its_roles_watch() -> None:
    roles = role_registry.build_roles(CONFIG, LocalTransport(), lambda names: None)
    tables = [spec for role in roles for spec in role.tables]
    own = [spec for spec in tables if spec.namespace == host_namespace(CONFIG.node)]
    assert readable("rancherctl:agent") == watched([spec for spec in tables if spec not in own])
    assert readable(f"rancherctl:agent:{CONFIG.node}") == watched(own) == {(True, "", "secrets")}


def test_an_agent_sees_only_its_own_certificate_requests() -> None:
    """It knows their names because it creates them; others' requests show who renews what."""
    verbs = [
        set(rule["verbs"])
        for _, rule in rights("rancherctl:agent")
        if rule["resources"] == ["certificatesigningrequests"]
    ]
    assert verbs == [{"create", "get"}]


def _without_messages(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_messages(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_messages(item) for key, item in value.items() if key != "message"}
    return value


def _objects(bodies: list[Any]) -> dict[tuple[str, str, str], Any]:
    return {(b["kind"], b["metadata"].get("namespace", ""), b["metadata"]["name"]): b for b in bodies}


def _granted(rules: list[Any]) -> set[tuple[str, str, str, str]]:
    """(group, resource, verb, name) of rules."""
    return {
        (group, resource, verb, name)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", ["*"])
    }


def test_the_objects_of_the_previous_release_stay_and_rights_only_grow() -> None:
    """Agents of the previous release keep running during an upgrade: apply must not take rights from them.

    The messages of policies are for people: they may change.
    """
    now = _objects(_without_messages(list(manifests(ENV))))
    before = _objects(_without_messages(json.loads(RELEASED.read_text())))
    grown = {}
    for key, old in before.items():
        if now[key] != old:
            assert {**now[key], "rules": old.get("rules")} == old, key
            grown[key[2]] = _granted(now[key]["rules"]) - _granted(old["rules"])
            assert _granted(old["rules"]) <= _granted(now[key]["rules"])
    watched = {
        (group, resource, verb, "*")
        for group, resource in (
            ("", "namespaces"),
            ("", "secrets"),
            ("", "services"),
            ("discovery.k8s.io", "endpointslices"),
        )
        for verb in ("get", "list", "watch")
    }
    written = {("", f"{kind}/status", "patch", "*") for kind in ("services", "nodes")}
    assert grown == {"rancherctl:controller": watched | written}
    added = now.keys() - before.keys()
    policies = {"rancherctl-node-drain", "rancherctl-service-ports", "rancherctl-service-addresses"}
    assert {key[2] for key in added if key[0].startswith("ValidatingAdmissionPolicy")} == policies
    assert {key[:2] for key in added if key[2] not in policies} == {
        ("Namespace", ""),
        *((kind, host_namespace(h.name)) for h in ENV.hosts for kind in ("Role", "RoleBinding")),
    }
