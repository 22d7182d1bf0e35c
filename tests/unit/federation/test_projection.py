"""What travels to members: what the user said, and nothing that an API server filled in (rule R-e)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rancherctl.federation import projection
from rancherctl.federation.objects import federated_service
from tests.fakes.federation import service_json


def owned(manager: str, *ports: str, policy: bool = False, operation: str = "Update") -> dict[str, Any]:
    """An entry of managedFields that owns the nodePort of these ports."""
    spec: dict[str, Any] = {"f:ports": {port: {"f:nodePort": {}, "f:port": {}} for port in ports}}
    if policy:
        spec["f:ipFamilyPolicy"] = {}
    return {"manager": manager, "operation": operation, "fieldsV1": {"f:spec": spec}}


PORT_80 = 'k:{"port":80,"protocol":"TCP"}'


def with_managers(obj: dict[str, Any], *entries: dict[str, Any]) -> dict[str, Any]:
    return {**obj, "metadata": {**obj["metadata"], "managedFields": list(entries)}}


def test_what_the_api_server_allocated_never_travels() -> None:
    spec = projection.body("Service", service_json())["spec"]
    assert not {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "healthCheckNodePort"} & spec.keys()
    assert spec["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 8080}]
    assert spec["selector"] == {"app": "web"}


def test_a_node_port_and_a_family_policy_that_somebody_said_travel() -> None:
    obj = with_managers(service_json(), owned("kubectl-create", PORT_80, policy=True))
    spec = projection.body("Service", obj)["spec"]
    assert spec["ports"][0]["nodePort"] == 31234
    assert spec["ipFamilyPolicy"] == "SingleStack"


def test_our_own_entries_and_those_of_subresources_say_nothing() -> None:
    ours = owned("rancherctl-federation", PORT_80, operation="Apply")
    status = {**owned("x", PORT_80), "subresource": "status"}
    assert "nodePort" not in projection.body("Service", with_managers(service_json(), ours, status))["spec"]["ports"][0]


def test_a_headless_service_stays_headless() -> None:
    body = projection.body("Service", service_json(type="ClusterIP", clusterIP="None", clusterIPs=["None"]))
    assert body["spec"]["clusterIP"] == "None"
    assert "clusterIPs" not in body["spec"]


def test_marks_of_other_tools_and_of_the_federation_do_not_travel() -> None:
    obj = service_json()
    obj["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "external-dns.alpha.kubernetes.io/hostname": "a.example",
        "federation.rancherctl.io/status": "{}",
        "federation.kubernetes.io/federation-control-plane": "false",
        "team": "shop",
    }
    obj["metadata"]["labels"] = {"app": "web", "federation.rancherctl.io/federation": "forged"}
    assert projection.body("Service", obj)["metadata"] == {"labels": {"app": "web"}, "annotations": {"team": "shop"}}


@pytest.mark.parametrize(
    ("said", "stored"),
    [
        ({"ports": [{"port": 80}]}, {"ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}]}),
        ({}, {"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster"}),
        (
            {"type": "LoadBalancer"},
            {
                "type": "LoadBalancer",
                "externalTrafficPolicy": "Cluster",
                "allocateLoadBalancerNodePorts": True,
                "healthCheckNodePort": 30001,
                "clusterIP": "10.43.0.9",
                "ipFamilyPolicy": "SingleStack",
            },
        ),
        (
            {"sessionAffinity": "ClientIP"},
            {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}}},
        ),
        (
            {"type": "ExternalName", "externalName": "a.example"},
            {"type": "ExternalName", "externalName": "a.example", "sessionAffinity": "None"},
        ),
        ({"clusterIP": "None"}, {"clusterIP": "None", "clusterIPs": ["None"], "ipFamilies": ["IPv4"]}),
        (
            {"ports": [{"port": 1}, {"port": 2}]},
            {"ports": [{"port": 2, "nodePort": 30002}, {"port": 1, "nodePort": 30001}]},
        ),
    ],
)
def test_defaults_and_allocated_values_make_no_difference(said: dict[str, Any], stored: dict[str, Any]) -> None:
    assert projection.spec_digest(said) == projection.spec_digest(stored)
    assert projection.first_difference(said, stored) == ""


@pytest.mark.parametrize(
    ("wanted", "live", "field"),
    [
        ({"selector": {"a": "b"}}, {"selector": {"a": "c"}}, "spec.selector"),
        ({"ports": [{"port": 80}]}, {"ports": [{"port": 81}]}, "spec.ports"),
        ({"ports": [{"port": 80}]}, {"ports": [{"port": 80, "targetPort": 8080}]}, "spec.ports"),
        ({"ports": [{"port": 80, "nodePort": 30080}]}, {"ports": [{"port": 80, "nodePort": 30081}]}, "spec.ports"),
        ({"clusterIP": "None"}, {"clusterIP": "10.43.0.1"}, "spec.clusterIP"),
        ({}, {"externalIPs": ["192.0.2.1"]}, "spec.externalIPs"),
        ({"type": "LoadBalancer"}, {"type": "NodePort"}, "spec.allocateLoadBalancerNodePorts"),
    ],
)
def test_the_first_field_that_differs_is_named(wanted: dict[str, Any], live: dict[str, Any], field: str) -> None:
    assert projection.first_difference(wanted, live) == field


def test_taking_over_keeps_what_the_member_allocated() -> None:
    live = {
        "clusterIP": "10.43.5.5",
        "clusterIPs": ["10.43.5.5"],
        "selector": {"old": "1"},
        "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30500}, {"port": 81, "nodePort": 30501}],
    }
    kept = projection.kept_in_member(live, {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]})
    assert kept["clusterIP"] == "10.43.5.5"
    assert kept["selector"] == {"app": "web"}
    assert kept["ports"] == [{"port": 80, "targetPort": 8080, "nodePort": 30500}]


def test_the_digest_changes_with_what_travels_and_with_nothing_else() -> None:
    plain = federated_service(service_json())
    other = service_json(clusterIP="10.43.1.1", healthCheckNodePort=30009)
    other["metadata"]["annotations"]["federation.rancherctl.io/adopt"] = "never"
    assert federated_service(other).digest == plain.digest
    changed = service_json(selector={"app": "other"})
    assert federated_service(changed).digest != plain.digest
    assert json.dumps(plain.body)  # a plain value that can be stored
