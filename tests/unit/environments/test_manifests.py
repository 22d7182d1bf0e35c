"""Objects of every environment: their paths, rights as small as they should be, and the record of the last apply."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rancherctl.contract import LOAD_BALANCER_LABEL, PUBLIC_ADDRESS_ANNOTATION, host_namespace
from rancherctl.credentials import tokens
from rancherctl.environments.inventory import from_flags, load
from rancherctl.environments.manifests import manifests
from rancherctl.environments.manifests.base import record
from rancherctl.environments.model import Environment, IngressSettings
from rancherctl.ingress.translate.classes import is_rancher
from rancherctl.kube import objects
from rancherctl.kube.kinds import Kinds

ENV = from_flags("demo", ["root@10.0.0.11", "root@10.0.0.12"]).environment
CONTROL, WORKER = ENV.hosts


class NoDiscovery:
    def raw(self, method: str, path: str, *, body: bytes | None = None, timeout: float = 10.0) -> bytes:
        raise AssertionError(f"{method} {path} was not expected")


def test_every_manifest_has_a_path_in_the_api() -> None:
    kinds = Kinds(NoDiscovery())  # every kind is known without asking
    paths = {
        kinds.find(body).path(body["metadata"].get("namespace", ""), body["metadata"]["name"])
        for body in manifests(ENV)
    }
    assert "/apis/networking.k8s.io/v1/ingressclasses/rancher" in paths
    assert "/api/v1/namespaces/kube-system/services/kube-dns" in paths
    assert "/apis/rbac.authorization.k8s.io/v1/namespaces/rancherctl-system/roles/rancherctl:agent:h2" in paths


@pytest.mark.parametrize("default", [True, False])
def test_an_ingress_without_a_class_gets_the_class_rancher_unless_the_file_disables_that(default: bool) -> None:
    environment = replace(ENV, ingress=IngressSettings(default_class=default))
    (body,) = [b for b in manifests(environment) if b["kind"] == "IngressClass"]
    bare = objects.ingress({"metadata": {"name": "bare", "namespace": "default"}, "spec": {}})
    assert is_rancher(bare, {"rancher": objects.ingress_class(body)}) is default


def test_an_agent_writes_its_own_lease_and_report_and_nothing_else() -> None:
    writing = {"create", "update", "patch", "delete", "deletecollection", "*"}
    roles = [
        b
        for b in manifests(ENV)
        if b["kind"] in ("Role", "ClusterRole") and b["metadata"]["name"].startswith("rancherctl:agent")
    ]
    assert len(roles) == 2 + 2 * len(ENV.hosts)
    for role in roles:
        for rule in role["rules"]:
            verbs = writing & set(rule["verbs"])
            if rule["resources"] == ["certificatesigningrequests"]:
                assert verbs == {"create"}
            elif verbs:
                host = role["metadata"]["name"].rpartition(":")[2]
                assert verbs == {"update", "patch"}
                assert rule["resourceNames"] in ([f"host-{host}"], [f"report-{host}"])
    subjects = {b["metadata"]["name"]: b["subjects"] for b in manifests(ENV) if b["kind"] == "RoleBinding"}
    assert subjects["rancherctl:agent:h2"] == [
        {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "rancherctl:agent:h2"}
    ]


def test_the_controller_writes_statuses_events_and_approvals_and_its_own_namespace() -> None:
    roles = {
        (b["kind"], b["metadata"].get("namespace", "")): b
        for b in manifests(ENV)
        if b["metadata"]["name"] == "rancherctl:controller" and "rules" in b
    }
    hosts = {("Role", host_namespace(h.name)) for h in ENV.hosts if ENV.carries_load_balancers(h)}
    assert roles.keys() == {("ClusterRole", ""), ("Role", "rancherctl-system"), *hosts}
    assert hosts
    for host in hosts:
        assert roles[host]["rules"] == [
            {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create", "update", "delete"]}
        ]
    reading = {"get", "list", "watch"}
    written = {
        (r, v)
        for rule in roles["ClusterRole", ""]["rules"]
        for r in rule["resources"]
        for v in rule["verbs"]
        if v not in reading
    }
    assert written == {
        ("ingresses/status", "patch"),
        ("services/status", "patch"),
        ("nodes/status", "patch"),
        ("events", "create"),
        ("events", "patch"),
        ("certificatesigningrequests/approval", "update"),
        ("signers", "approve"),
    }


def test_hosts_read_secrets_of_their_own_namespace_only_and_the_controller_all_of_them() -> None:
    readers = set()
    for body in manifests(ENV):
        for rule in body.get("rules", ()):
            assert "*" not in rule["resources"]
            if "secrets" in rule["resources"] and "get" in rule["verbs"]:
                readers.add((body["metadata"]["name"], body["metadata"].get("namespace", "")))
                assert set(rule["verbs"]) == {"get", "list", "watch"}
    agents = {(f"rancherctl:agent:{h.name}", f"rancherctl-host-{h.name}") for h in ENV.hosts}
    assert readers - agents == {("rancherctl:controller", "")}
    assert readers & agents
    users = {
        (b["metadata"]["namespace"], b["subjects"][0]["name"])
        for b in manifests(ENV)
        if b["kind"] == "RoleBinding" and b["metadata"]["namespace"].startswith("rancherctl-host-")
    }
    assert {(n, u) for n, u in users if u != "rancherctl:controller"} == {
        (f"rancherctl-host-{u.rpartition(':')[2]}", u) for _, u in users if u != "rancherctl:controller"
    }


def test_the_api_limits_refresh_tokens_to_short_ones_that_end_with_a_session() -> None:
    policy, binding = (
        b
        for b in manifests(ENV)
        if b["kind"].startswith("ValidatingAdmissionPolicy") and b["metadata"]["name"].endswith("tokens")
    )
    assert binding["spec"] == {"policyName": policy["metadata"]["name"], "validationActions": ["Deny"]}
    (condition,) = policy["spec"]["matchConditions"]
    who = f"system:serviceaccount:rancherctl-operators:{tokens.refresher('alice')}"
    assert who.startswith(condition["expression"].split("'")[1])
    lifetime, bound = (v["expression"] for v in policy["spec"]["validations"])
    assert lifetime == "object.spec.expirationSeconds <= 3600"
    assert "startsWith('session-' + request.name + '-')" in bound
    assert tokens.session_secret("alice", "laptop").startswith("session-alice-")


def test_no_host_may_write_what_apply_sets_on_nodes_for_the_roster() -> None:
    (policy,) = (
        b
        for b in manifests(ENV)
        if b["kind"] == "ValidatingAdmissionPolicy" and b["metadata"]["name"].endswith("nodes")
    )
    text = " ".join(v["expression"] for v in policy["spec"]["validations"])
    read = {PUBLIC_ADDRESS_ANNOTATION, LOAD_BALANCER_LABEL}
    assert [key for key in read if f"[?'{key}']" not in text] == []
    assert policy["spec"]["matchConstraints"]["resourceRules"][0]["resources"] == ["nodes", "nodes/status"]
    assert policy["spec"]["failurePolicy"] == "Ignore", "a Node that its kubelet cannot update is the worse harm"


def test_the_environment_can_be_restored_from_its_record() -> None:
    assert load(record(ENV)["data"]["environment"]).environment == ENV


def test_the_record_is_the_same_for_all_operators() -> None:
    """Paths of one operator's machine mean nothing elsewhere: two operators' applies would undo each other's record."""

    def of(home: str) -> Environment:
        own = [
            replace(h, ssh=replace(h.ssh, identity=f"{home}/key", config=f"{home}/conf", known_hosts=f"{home}/known"))
            for h in ENV.hosts
        ]
        return replace(ENV, hosts=tuple(own))

    assert record(of("/home/ann")) == record(of("/home/bob")) == record(ENV)
