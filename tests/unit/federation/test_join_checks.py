"""What prevents a join, and which rights it needs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rancherctl.federation.cluster import cluster
from rancherctl.federation.operator import member_objects
from rancherctl.federation.operator.join import cluster_object
from rancherctl.federation.operator.join_checks import Seen, Wanted, problems, warnings
from rancherctl.federation.operator.rights_check import Need, needs

SEEN = Seen("fed-uid", "member-uid", {"default": {"metadata": {"name": "default"}}}, {}, (), "v1.36.3")
WANTED = Wanted("m1", ("https://203.0.113.7:6443",), "ca")


def test_a_member_without_problems_joins() -> None:
    assert problems("acme", WANTED, SEEN) == []


@pytest.mark.parametrize(
    ("version", "refused"), [("v1.29.9", True), ("v1.30.0", False), ("v2.0.1", False), ("", False)]
)
def test_a_member_needs_admission_policies(version: str, refused: bool) -> None:
    """A version that cannot be read refuses nothing: the API itself refuses policies that it does not know."""
    found = problems("acme", WANTED, replace(SEEN, version=version))
    assert bool(found) is refused
    assert not refused or "1.30 or newer" in found[0]


def test_rights_that_are_missing_are_problems() -> None:
    line = "you may not create namespaces at m1"
    assert problems("acme", WANTED, replace(SEEN, missing=(line,))) == [line]


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"deletionTimestamp": "2026-11-29T00:00:00Z"}, "still being removed"),
        ({"annotations": {"federation.rancherctl.io/federation-uid": "old"}}, "an older federation with this name"),
        ({}, "uid unknown"),
        ({"annotations": {"federation.rancherctl.io/federation-uid": "fed-uid"}}, ""),
    ],
    ids=["ending", "older federation", "no uid", "our own"],
)
def test_leftovers_of_an_earlier_join(metadata: dict[str, Any], said: str) -> None:
    own = {"rancherctl-federation-acme": {"metadata": {"name": "rancherctl-federation-acme", **metadata}}}
    found = problems("acme", WANTED, replace(SEEN, namespaces=own))
    assert [said in line for line in found] == ([True] if said else [])


def test_needed_rights_are_those_of_the_objects() -> None:
    found = needs(member_objects.objects("acme", "uid"))
    assert Need("create", "admissionregistration.k8s.io", "validatingadmissionpolicies") in found
    assert Need("patch", "admissionregistration.k8s.io", "validatingadmissionpolicybindings") in found
    assert Need("create", "", "secrets", "rancherctl-federation-acme") in found
    assert str(Need("create", "apps", "deployments", "shop")) == "create deployments.apps in shop"


def test_other_minors_are_a_warning() -> None:
    older = replace(SEEN, version="v1.34.2", federation_version="v1.36.3")
    assert problems("acme", WANTED, older) == []
    (line,) = warnings("acme", WANTED, older)
    assert "m1 runs Kubernetes v1.34.2, the federation acme v1.36.3" in line
    assert warnings("acme", WANTED, replace(older, version="v1.36.1")) == []


def test_one_server_that_can_be_reached_is_enough() -> None:
    """The others are named, and left out of the Cluster unless an earlier join has put them there."""
    servers = ("https://203.0.113.7:6443", "https://203.0.113.8:6443")
    one_is_off = replace(WANTED, servers=servers, reachable=lambda s: "No route to host" if ".7:" in s else "")
    assert problems("acme", one_is_off, SEEN) == []
    (line,) = warnings("acme", one_is_off, SEEN)
    assert "cannot reach https://203.0.113.7:6443 of m1: No route to host" in line
    assert cluster_object(one_is_off, SEEN)["spec"]["servers"] == [servers[1]]
    known = cluster({"metadata": {"name": "m1"}, "spec": {"servers": list(servers)}})
    again = replace(SEEN, clusters={"m1": known})
    assert cluster_object(one_is_off, again)["spec"]["servers"] == list(servers)


def test_if_no_server_can_be_reached_each_is_named() -> None:
    servers = ("https://203.0.113.7:6443", "https://203.0.113.8:6443")
    off = replace(WANTED, servers=servers, reachable=lambda _: "No route to host")
    found = problems("acme", off, SEEN)
    assert [server in line for server, line in zip(servers, found, strict=True)] == [True, True]
    assert warnings("acme", off, SEEN) == []


def test_labels_that_the_environment_no_longer_has_leave_the_cluster() -> None:
    known = cluster({"metadata": {"name": "m1", "labels": {"env": "test", "tier": "gold"}}, "spec": {"servers": []}})
    wanted = replace(WANTED, labels={"zone": "a"}, removed_labels=("env",))
    found = cluster_object(wanted, replace(SEEN, clusters={"m1": known}))
    assert found["metadata"]["labels"] == {"tier": "gold", "zone": "a"}
