"""An environment with ``spec.federation``: which components it has, and what its file may say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rancherctl.environments import immutable_fields, ports
from rancherctl.environments.components.apiserver import flags as apiserver_flags
from rancherctl.environments.components.managers import FEDERATION_CONTROLLERS, controller_manager_flags
from rancherctl.environments.components.registry import components_of
from rancherctl.environments.dump import dump
from rancherctl.environments.host_roles import host_roles
from rancherctl.environments.inventory import from_flags, load
from rancherctl.environments.manifests import manifests
from rancherctl.environments.model import Environment, FederationSettings
from rancherctl.environments.pki.leaves import leaves
from rancherctl.errors import InvalidInputError, RefusedError

FILE = """\
metadata: {name: acme}
spec:
  federation: {zone: acme.example, servers: ["10.0.0.53", "ns1.acme.example:5353"], ttl: 60, whenNone: remove}
  hosts: [{name: f1, address: 10.0.0.31, roles: [etcd, controlplane]}]
"""
FEDERATION = load(FILE).environment
PLAIN = from_flags("demo", ["root@10.0.0.11"]).environment


def problems(text: str) -> str:
    with pytest.raises(InvalidInputError) as caught:
        load(text)
    return "\n".join(caught.value.problems)


def test_a_file_is_read_and_written() -> None:
    assert FEDERATION.federation == FederationSettings(
        "acme.example", servers=("10.0.0.53", "ns1.acme.example:5353"), ttl=60, when_none="remove"
    )
    assert load(dump(FEDERATION)).environment == FEDERATION
    assert "federation" not in dump(PLAIN)


def test_every_problem_is_reported_with_its_place() -> None:
    text = FILE.replace("roles: [etcd, controlplane]", "roles: [etcd, controlplane, worker]")
    text = text.replace("ttl: 60", "ttl: 0").replace("whenNone: remove", "whenNone: drop, providr: x")
    found = problems(text)
    for part in ("a federation runs no workloads", "ttl", "must be keep or remove", "providr"):
        assert part in found


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ('servers: ["10.0.0.53", "ns1.acme.example:5353"], ', "", "needs a primary name server"),
        ("zone: acme.example, ", "", "zone: is required"),
        ("zone: acme.example", "zone: Acme_", "is not a domain name"),
        ('"10.0.0.53"', '"10.0.0.53:99999"', "is not a port"),
        ("name: acme", f"name: {'a' * 42}", "may have 41 characters"),
        ("name: acme", "name: svc", "means something else"),
        ("zone: acme.example", "zone: acme.example, provider: none", "uses no servers"),
        ("zone: acme.example", "zone: acme.example, provider: route53", "must be rfc2136 or none"),
    ],
)
def test_what_a_federation_cannot_be(old: str, new: str, part: str) -> None:
    assert part in problems(FILE.replace(old, new, 1))


def test_a_small_service_range_is_a_warning() -> None:
    text = FILE.replace("  federation:", "  network: {serviceCIDR: 10.43.0.0/24}\n  federation:")
    assert any("has room for 254 federated Services" in line for line in load(text).warnings)


def test_flags_make_a_control_plane_without_workers() -> None:
    federation = FederationSettings("acme.example", servers=("10.0.0.53",))
    made = from_flags("acme", ["root@10.0.0.31"], federation=federation).environment
    assert made.hosts[0].roles == {"etcd", "controlplane"}
    with pytest.raises(InvalidInputError, match="federation"):
        from_flags("acme", ["root@10.0.0.31"], federation=replace(federation, zone="acme_example", servers=("a b",)))


def units(environment: Environment) -> set[str]:
    return {port for c in components_of(environment, environment.hosts[0]) for port in c.ports.values()}


def test_a_federation_has_neither_scheduler_nor_kube_proxy_nor_roles_beside_the_network() -> None:
    assert units(PLAIN) - units(FEDERATION) == {"kube-scheduler", "kube-proxy"}
    assert [spec.name for spec in host_roles(FEDERATION, FEDERATION.hosts[0])] == ["network"]
    assert FEDERATION.lb_hosts() == ()
    assert ("tcp", 53) not in ports.taken(FEDERATION, FEDERATION.hosts[0])
    names = {leaf.name for leaf in leaves(FEDERATION, FEDERATION.hosts[0])}
    assert {leaf.name for leaf in leaves(PLAIN, PLAIN.hosts[0])} - names == {"kube-proxy", "kube-scheduler"}
    assert "federation" in names


def test_kubernetes_runs_the_listed_controllers_and_gives_more_node_ports() -> None:
    assert controller_manager_flags(FEDERATION)["controllers"] == ",".join(FEDERATION_CONTROLLERS)
    assert "controllers" not in controller_manager_flags(PLAIN)
    assert apiserver_flags(FEDERATION, FEDERATION.hosts[0])["service-node-port-range"] == "10000-65535"
    assert "service-node-port-range" not in apiserver_flags(PLAIN, PLAIN.hosts[0])


def test_its_api_has_the_kind_cluster_and_no_class_of_ingresses() -> None:
    def kinds(environment: Environment) -> set[str]:
        return {f"{obj['kind']}/{obj['metadata']['name']}" for obj in manifests(environment)}

    assert "CustomResourceDefinition/clusters.federation.rancherctl.io" in kinds(FEDERATION)
    assert "ValidatingAdmissionPolicy/rancherctl-federation-no-pods" in kinds(FEDERATION)
    assert {"IngressClass/rancher", "Service/kube-dns"} <= kinds(PLAIN) - kinds(FEDERATION)


def test_an_environment_cannot_become_a_federation_nor_change_its_zone() -> None:
    plain = replace(FEDERATION, federation=None)
    for old, new in ((plain, FEDERATION), (FEDERATION, plain)):
        with pytest.raises(RefusedError) as caught:
            immutable_fields.refuse(old, new)
        assert "cannot become a federation, nor stop being one" in (caught.value.why or "")
        marker = immutable_fields.marker_of(old, old.hosts[0])
        with pytest.raises(RefusedError):
            immutable_fields.refuse_markers(new, {"f1": marker})
    other = replace(FEDERATION, federation=FederationSettings("other.example", servers=("10.0.0.53",)))
    with pytest.raises(RefusedError) as caught:
        immutable_fields.refuse(FEDERATION, other)
    assert "spec.federation.zone is acme.example and cannot become other.example" in (caught.value.why or "")
    slower = replace(FEDERATION, federation=replace(FEDERATION.federation, ttl=300))  # type: ignore[type-var]
    immutable_fields.refuse(FEDERATION, slower)
