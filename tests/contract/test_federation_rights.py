"""What a federation's tokens are worth in a member, shown by writes that a real API server refuses."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from rancherctl.contract import FEDERATION_LABEL, FEDERATION_UID_ANNOTATION
from rancherctl.errors import AuthError
from rancherctl.federation import tokens
from rancherctl.federation.operator import member_objects
from rancherctl.kube import apply as kube
from rancherctl.kube.client import (
    CONFIGMAPS,
    NAMESPACES,
    PODS,
    SECRETS,
    SERVICES,
    InvalidObjectError,
    Json,
    Resource,
    UnauthorizedError,
)
from rancherctl.kube.rest import RestClient
from tests.lab.apiserver import ApiServer, running

ROLES = Resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False)
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
REFUSED = (AuthError, InvalidObjectError)
MARKS = {"labels": {FEDERATION_LABEL: "acme"}, "annotations": {FEDERATION_UID_ANNOTATION: "fed"}}


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    with running() as found, found.client() as admin:
        inventory = member_objects.inventory("acme")
        kube.apply(admin, kube.plan(admin, member_objects.objects("acme", "fed"), inventory), inventory)
        admin.create(NAMESPACES, {"metadata": {"name": "open", "labels": {FEDERATION_LABEL: "acme"}}})
        admin.create(NAMESPACES, {"metadata": {"name": "closed"}})
        with client(found, tokens.CONTROLLER) as api:
            in_force(api)
        yield found


def token(server: ApiServer, account: str, seconds: int = tokens.WORK_SECONDS) -> str:
    with server.client() as admin:
        session = admin.get(SECRETS, tokens.SESSION, namespace=tokens.member_namespace("acme"))["metadata"]["uid"]
        path, body = tokens.request("acme", account, seconds, session)
        return str(tokens.parse(admin.raw("POST", path, body=body), time.time()).value)


def client(server: ApiServer, account: str) -> RestClient:
    return RestClient(server.url, ca=server.ca, token=token(server, account))


def in_force(api: RestClient) -> None:
    """Wait until the API server has read the policies: it does so about a second after they were written."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            api.create(SERVICES, service("probe"), namespace="closed")
        except REFUSED:
            return
        api.delete(SERVICES, "probe", namespace="closed")
        time.sleep(0.1)
    raise AssertionError("the admission policies are not in force")


def service(name: str, **metadata: Any) -> Json:
    return {"metadata": {"name": name, **metadata}, "spec": {"ports": [{"port": 80}]}}


@pytest.fixture
def controller(server: ApiServer) -> Iterator[RestClient]:
    with client(server, tokens.CONTROLLER) as api:
        yield api


def test_it_writes_marked_services_where_it_may(controller: RestClient) -> None:
    controller.create(SERVICES, service("web", **MARKS), namespace="open")
    controller.patch(SERVICES, "web", {"spec": {"selector": {"a": "b"}}}, namespace="open")
    controller.patch(SERVICES, "web", {"metadata": {"labels": {FEDERATION_LABEL: None}}}, namespace="open")  # release
    with pytest.raises(REFUSED, match="label"):
        controller.delete(SERVICES, "web", namespace="open")


@pytest.mark.parametrize(
    ("namespace", "metadata", "why"),
    [
        ("closed", MARKS, "not open to the federation acme"),
        ("open", {}, "only objects with its label"),
        ("open", {"labels": {FEDERATION_LABEL: "other"}}, "only objects with its label"),
        ("kube-system", MARKS, "kube-"),
        ("rancherctl-federation-acme", MARKS, "rancherctl-"),
    ],
)
def test_services_elsewhere_or_without_its_label_are_refused(
    controller: RestClient, namespace: str, metadata: Json, why: str
) -> None:
    with pytest.raises(REFUSED) as caught:
        controller.create(SERVICES, service("evil", **metadata), namespace=namespace)
    assert why in caught.value.why


def test_services_of_others_are_neither_changed_nor_deleted(server: ApiServer, controller: RestClient) -> None:
    with server.client() as admin:
        admin.create(SERVICES, service("theirs"), namespace="open")
    with pytest.raises(REFUSED):
        controller.patch(SERVICES, "theirs", {"spec": {"selector": {"a": "b"}}}, namespace="open")
    with pytest.raises(REFUSED):
        controller.delete(SERVICES, "theirs", namespace="open")


def test_what_it_marked_can_be_removed_after_a_namespace_was_closed(server: ApiServer, controller: RestClient) -> None:
    with server.client() as admin:
        admin.create(NAMESPACES, {"metadata": {"name": "shut", "labels": {FEDERATION_LABEL: "acme"}}})
        controller.create(SERVICES, service("web", **MARKS), namespace="shut")
        admin.patch(NAMESPACES, "shut", {"metadata": {"labels": {FEDERATION_LABEL: None}}})
    with pytest.raises(REFUSED):
        controller.create(SERVICES, service("more", **MARKS), namespace="shut")
    controller.delete(SERVICES, "web", namespace="shut")


def test_namespaces_are_made_with_the_label_and_others_are_not_opened(controller: RestClient) -> None:
    controller.create(NAMESPACES, {"metadata": {"name": "made", "labels": {FEDERATION_LABEL: "acme"}}})
    for name, labels in (("bare", {}), ("kube-evil", {FEDERATION_LABEL: "acme"})):
        with pytest.raises(REFUSED):
            controller.create(NAMESPACES, {"metadata": {"name": name, "labels": labels}})
    with pytest.raises(REFUSED):
        controller.patch(NAMESPACES, "closed", {"metadata": {"labels": {FEDERATION_LABEL: "acme"}}})
    with pytest.raises(AuthError):
        controller.delete(NAMESPACES, "made")


@pytest.mark.parametrize(
    ("resource", "namespace", "body"),
    [
        (SECRETS, "open", {"metadata": {"name": "x"}, "type": "kubernetes.io/service-account-token"}),
        (PODS, "open", {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "a", "image": "a"}]}}),
        (DEPLOYMENTS, "open", {"metadata": {"name": "x"}, "spec": {}}),
        (CONFIGMAPS, "open", {"metadata": {"name": "x"}}),
        (ROLES, "", {"metadata": {"name": "x"}, "rules": []}),
    ],
)
def test_other_kinds_are_refused(controller: RestClient, resource: Resource, namespace: str, body: Json) -> None:
    with pytest.raises(AuthError):
        controller.create(resource, body, namespace=namespace)


def test_it_reads_no_secrets_and_no_configuration_of_tenants(controller: RestClient) -> None:
    for resource in (SECRETS, CONFIGMAPS, PODS):
        with pytest.raises(AuthError):
            controller.list(resource, namespace="open")
    controller.list(CONFIGMAPS, namespace=tokens.member_namespace("acme"))


def test_a_stolen_renewer_token_gets_short_bound_tokens_of_two_accounts_and_nothing_else(server: ApiServer) -> None:
    with server.client() as admin:
        session = admin.get(SECRETS, tokens.SESSION, namespace=tokens.member_namespace("acme"))["metadata"]["uid"]
    with client(server, tokens.RENEWER) as api:
        path, body = tokens.request("acme", tokens.CONTROLLER, tokens.WORK_SECONDS, session)
        assert tokens.parse(api.raw("POST", path, body=body), time.time()).seconds <= tokens.WORK_SECONDS
        path, longer = tokens.request("acme", tokens.CONTROLLER, 7200, session)
        unbound = json.dumps({"spec": {"expirationSeconds": 3600}}).encode()
        other = path.replace("/controller/", "/default/")
        for where, what in ((path, longer), (path, unbound), (other, body)):
            with pytest.raises(REFUSED):
                api.raw("POST", where, body=what)
        for resource in (SERVICES, SECRETS, NAMESPACES):
            with pytest.raises(AuthError):
                api.list(resource)


def test_the_end_of_the_session_ends_every_token_at_once(server: ApiServer) -> None:
    """The last test of the module: it removes the session."""
    with client(server, tokens.CONTROLLER) as controller, client(server, tokens.RENEWER) as renewer:
        controller.list(SERVICES)
        with server.client() as admin:
            admin.delete(SECRETS, tokens.SESSION, namespace=tokens.member_namespace("acme"))
        deadline = time.monotonic() + 30
        for api in (controller, renewer):
            while True:
                try:
                    api.raw("GET", "/api/v1/services")
                except UnauthorizedError:
                    break
                except AuthError as error:  # the renewer has no right to list
                    answer = str(error)
                else:
                    answer = "listed"
                assert time.monotonic() < deadline, answer
                time.sleep(0.1)
