"""What a federation may do in a member, with a real API server: what a stolen token is worth, by refused writes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from rancherctl import bound_tokens
from rancherctl.contract import FEDERATION_LABEL, FEDERATION_UID_ANNOTATION
from rancherctl.errors import AuthError, NotFoundError, RancherctlError
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
    UnauthorizedError,
)
from rancherctl.kube.rest import RestClient
from tests.lab.apiserver import running

UID = "uid-of-acme"
GIVE_UP = 60.0
DAY = 24 * 3600
NAMESPACE = tokens.member_namespace("acme")


def service(name: str, namespace: str, *, label: str = "acme", uid: str = UID, port: int = 80) -> Json:
    """A Service; by default marked as a copy of the federation acme."""
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {FEDERATION_LABEL: label} if label else {},
            "annotations": {FEDERATION_UID_ANNOTATION: uid} if uid else {},
        },
        "spec": {"ports": [{"port": port}]},
    }


def namespace(name: str, *, label: str = "acme", uid: str = UID) -> Json:
    found: Json = service(name, "", label=label, uid=uid)["metadata"]
    del found["namespace"]
    return {"metadata": found}


@dataclass
class MemberApi:
    """A member's API as its administrator and as both accounts of the federation see it."""

    admin: RestClient
    controller: RestClient
    renewer: RestClient
    session: str


def token(client: RestClient, account: str, seconds: int, session: str, **bound: Any) -> str:
    """Request a token; ``bound`` replaces fields of what it is bound to."""
    path, body = tokens.request("acme", account, seconds, session)
    data = json.loads(body)
    if bound:
        data["spec"]["boundObjectRef"] = {**data["spec"]["boundObjectRef"], **bound} if any(bound.values()) else None
    return str(bound_tokens.parse(client.raw("POST", path, body=json.dumps(data).encode()), time.time()).value)


@pytest.fixture(scope="module")
def member() -> Iterator[MemberApi]:
    """A member that acme has joined. default and opened are open to it, private is not; both have Services."""
    with ExitStack() as stack:
        server = stack.enter_context(running())
        admin = stack.enter_context(server.client())
        inventory = member_objects.inventory("acme")
        kube.apply(admin, kube.plan(admin, member_objects.objects("acme", UID), inventory), inventory)
        for name in ("opened", "private", "kube-addons", "rancherctl-other", NAMESPACE):
            if name != NAMESPACE:
                admin.create(NAMESPACES, namespace(name, label="", uid=""))
            admin.create(SERVICES, service("foreign", name, label="", uid=""), namespace=name)
            admin.create(SERVICES, service("copy", name), namespace=name)
        admin.create(SERVICES, service("labelled", "opened", uid=""), namespace="opened")
        for name in ("default", "opened", "kube-addons", "rancherctl-other"):
            admin.patch(NAMESPACES, name, member_objects.open_namespace("acme"))
        session = str(admin.get(SECRETS, tokens.SESSION, namespace=NAMESPACE)["metadata"]["uid"])

        def client(account: str, seconds: int) -> RestClient:
            text = token(admin, account, seconds, session)
            return stack.enter_context(RestClient(server.url, ca=server.ca, token=text))

        found = MemberApi(admin, client("controller", 3600), client("renewer", 30 * DAY), session)
        _in_force(found)
        yield found


def _in_force(member: MemberApi) -> None:
    """Wait until each policy refuses something: the API server reads new ones within some seconds."""
    writes: tuple[Callable[[], object], ...] = (
        lambda: _dry(member.controller, service("probe", "private")),
        lambda: member.controller.patch(NAMESPACES, "private", {"metadata": {"labels": {"probe": "1"}}}),
        lambda: token(member.renewer, "controller", 7200, member.session),
    )
    deadline = time.monotonic() + GIVE_UP
    for write in writes:
        while True:
            try:
                write()
            except InvalidObjectError:
                break
            assert time.monotonic() < deadline, "a policy is not in force"
            time.sleep(0.1)  # nothing announces that a policy is in force


def _dry(client: RestClient, body: Json) -> None:
    path = f"{SERVICES.path(body['metadata']['namespace'])}?dryRun=All"
    client.raw("POST", path, body=json.dumps({"apiVersion": "v1", "kind": "Service", **body}).encode())


def post(path: str, body: Json) -> Callable[[RestClient], object]:
    return lambda api: api.raw("POST", path, body=json.dumps(body).encode())


def pod(name: str) -> Json:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i"}]}}


RBAC_REFUSES: dict[str, Callable[[RestClient], object]] = {
    "a Deployment in kube-system": post(
        "/apis/apps/v1/namespaces/kube-system/deployments",
        {
            "metadata": {"name": "evil"},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}}},
        },
    ),
    "a Pod in an open namespace": post("/api/v1/namespaces/default/pods", pod("evil")),
    "a token Secret": post(
        "/api/v1/namespaces/default/secrets",
        {"metadata": {"name": "evil"}, "type": "kubernetes.io/service-account-token"},
    ),
    "reading the session": lambda api: api.get(SECRETS, "session", namespace=NAMESPACE),
    "listing Secrets": lambda api: api.list(SECRETS),
    "listing ConfigMaps of tenants": lambda api: api.list(CONFIGMAPS, namespace="opened"),
    "listing Pods": lambda api: api.list(PODS, namespace="opened"),
    "a ClusterRole": post(
        "/apis/rbac.authorization.k8s.io/v1/clusterroles", {"metadata": {"name": "evil"}, "rules": []}
    ),
    "a RoleBinding in its own namespace": post(
        f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}/rolebindings",
        {
            "metadata": {"name": "evil"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        },
    ),
    "a token of its own": lambda api: token(api, "controller", 3600, ""),
    "a ConfigMap in an open namespace": post("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "evil"}}),
    "deleting a Namespace": lambda api: api.delete(NAMESPACES, "opened"),
    "a Service's status": lambda api: api.patch(
        SERVICES, "copy", {"status": {"loadBalancer": {}}}, namespace="opened", subresource="status"
    ),
    "its admission policies": lambda api: api.raw(
        "DELETE",
        "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/rancherctl-federation-acme-objects",
    ),
    "a Node": lambda api: api.raw("DELETE", "/api/v1/nodes/h1"),
}


@pytest.mark.parametrize("what", RBAC_REFUSES)
def test_a_stolen_work_token_has_no_right_to(member: MemberApi, what: str) -> None:
    with pytest.raises(AuthError) as refused:
        RBAC_REFUSES[what](member.controller)
    assert not isinstance(refused.value, UnauthorizedError)


def patched(name: str, where: str, change: Json) -> Callable[[RestClient], object]:
    return lambda api: api.patch(SERVICES, name, change, namespace=where)


def created(body: Json) -> Callable[[RestClient], object]:
    return lambda api: api.create(SERVICES, body, namespace=body["metadata"]["namespace"])


SELECTOR: Json = {"spec": {"selector": {"app": "evil"}}}
POLICY_REFUSES: dict[str, tuple[Callable[[RestClient], object], str]] = {
    "a Service in a closed namespace": (created(service("evil", "private")), "is not open to the federation acme"),
    "a Service without the label": (created(service("evil", "opened", label="")), "only its own copies"),
    "a Service with another federation's uid": (created(service("evil", "opened", uid="x")), "only its own copies"),
    "a Service in kube-system": (created(service("evil", "kube-system")), "kube-* and rancherctl-*"),
    "a Service in kube-addons, although it is open": (created(service("evil", "kube-addons")), "kube-*"),
    "a Service in rancherctl-other, although it is open": (created(service("evil", "rancherctl-other")), "kube-*"),
    "a Service in its own namespace": (created(service("evil", NAMESPACE)), "kube-* and rancherctl-*"),
    "changing a foreign Service": (patched("foreign", "opened", SELECTOR), "only its own copies"),
    "changing a Service that only has the label": (patched("labelled", "opened", SELECTOR), "only its own copies"),
    "changing a copy in a closed namespace": (patched("copy", "private", SELECTOR), "is not open"),
    "releasing a copy in a closed namespace with a new selector": (
        patched("copy", "private", {"metadata": {"labels": {FEDERATION_LABEL: None}}, **SELECTOR}),
        "is not open",
    ),
    "deleting a foreign Service": (lambda api: api.delete(SERVICES, "foreign", namespace="opened"), "only its own"),
    "deleting a Service that only has the label": (
        lambda api: api.delete(SERVICES, "labelled", namespace="opened"),
        "only its own copies",
    ),
    "deleting the API's Service": (lambda api: api.delete(SERVICES, "kubernetes", namespace="default"), "only its own"),
    "opening a namespace to itself": (
        lambda api: api.patch(NAMESPACES, "private", member_objects.open_namespace("acme")),
        "only namespaces that it has created",
    ),
    "claiming a namespace that was opened to it": (
        lambda api: api.patch(NAMESPACES, "opened", {"metadata": {"annotations": {FEDERATION_UID_ANNOTATION: UID}}}),
        "only namespaces that it has created",
    ),
    "weakening the Pod security of a namespace that was opened to it": (
        lambda api: api.patch(
            NAMESPACES, "opened", {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}
        ),
        "only namespaces that it has created",
    ),
    "a Namespace without its marks": (
        lambda api: api.create(NAMESPACES, namespace("evil", label="", uid="")),
        "only namespaces that it has created",
    ),
    "a Namespace kube-evil": (lambda api: api.create(NAMESPACES, namespace("kube-evil")), "kube-* and rancherctl-*"),
    "a Namespace rancherctl-evil": (lambda api: api.create(NAMESPACES, namespace("rancherctl-evil")), "rancherctl-*"),
}


@pytest.mark.parametrize("what", POLICY_REFUSES)
def test_a_stolen_work_token_is_refused(member: MemberApi, what: str) -> None:
    """Rights alone would allow these: the member's admission policies refuse them (R-d, case 32)."""
    write, message = POLICY_REFUSES[what]
    with pytest.raises(InvalidObjectError) as refused:
        write(member.controller)
    assert message in f"{refused.value} {refused.value.why}"


def test_rights_are_those_that_are_documented(member: MemberApi) -> None:
    """Case 32: the API's own answer to ``auth can-i --list`` has these rules and nothing else."""
    assert _rules(member.controller, "private") - EVERYONE == {
        ("services", "create"),
        ("services", "delete"),
        *(("services", verb) for verb in ("get", "list", "watch", "patch", "update")),
        *(("namespaces", verb) for verb in ("get", "list", "watch", "create", "patch")),
        *(("nodes", verb) for verb in ("get", "list", "watch")),
        *(("endpointslices", verb) for verb in ("get", "list", "watch")),
    }
    own = {("configmaps", verb) for verb in ("get", "list", "watch", "create", "patch", "update")}
    assert _rules(member.controller, NAMESPACE) - _rules(member.controller, "private") == own
    assert _rules(member.renewer, "private") <= EVERYONE
    assert _rules(member.renewer, NAMESPACE) - EVERYONE == {("serviceaccounts/token", "create")}


EVERYONE = {
    ("selfsubjectreviews", "create"),
    ("selfsubjectaccessreviews", "create"),
    ("selfsubjectrulesreviews", "create"),
}


def _rules(api: RestClient, where: str) -> set[tuple[str, str]]:
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": where},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    answer = json.loads(api.raw("POST", path, body=json.dumps(body).encode()))["status"]
    assert not answer.get("incomplete")
    return {(r, verb) for rule in answer["resourceRules"] for r in rule["resources"] for verb in rule["verbs"]}


def test_what_the_federation_does_is_allowed(member: MemberApi) -> None:
    """Copies are created, changed and deleted in open namespaces, and Namespaces are created, changed and released."""
    api = member.controller
    api.create(SERVICES, service("web", "default"), namespace="default")
    api.patch(SERVICES, "web", SELECTOR, namespace="default")
    api.delete(SERVICES, "web", namespace="default")
    api.create(NAMESPACES, namespace("team"))
    api.create(SERVICES, service("web", "team"), namespace="team")
    api.patch(NAMESPACES, "team", {"metadata": {"labels": {"env": "prod"}}})
    api.delete(SERVICES, "web", namespace="team")
    api.patch(NAMESPACES, "team", _release())
    member.admin.create(SERVICES, service("old", "opened", label="", uid=""), namespace="opened")
    marks = service("old", "opened")["metadata"]
    api.patch(SERVICES, "old", {"metadata": {k: marks[k] for k in ("labels", "annotations")}}, namespace="opened")
    api.patch(SERVICES, "old", _release(), namespace="opened")


def _release() -> Json:
    return {"metadata": {"labels": {FEDERATION_LABEL: None}, "annotations": {FEDERATION_UID_ANNOTATION: None}}}


def test_copies_are_deleted_and_released_in_a_namespace_that_was_closed(member: MemberApi) -> None:
    """F12: people of a member may close a namespace; leaving still leaves no copy behind."""
    for name in ("one", "two"):
        member.admin.create(SERVICES, service(name, "private"), namespace="private")
    member.controller.delete(SERVICES, "one", namespace="private")
    member.controller.patch(SERVICES, "two", _release(), namespace="private")
    with pytest.raises(NotFoundError):
        member.admin.get(SERVICES, "one", namespace="private")


RENEWER_REFUSES: dict[str, Callable[[RestClient, str], object]] = {
    "a work token for two hours": lambda api, uid: token(api, "controller", 7200, uid),
    "a token of its own for 31 days": lambda api, uid: token(api, "renewer", 31 * DAY, uid),
    "a token that is not bound": lambda api, uid: token(api, "controller", 3600, uid, kind=None),
    "a token that is bound to its account's Pod": lambda api, uid: token(
        api, "controller", 3600, uid, kind="Pod", name="session"
    ),
    "a token that is bound to another Secret": lambda api, uid: token(api, "controller", 3600, uid, name="other"),
}


@pytest.mark.parametrize("what", RENEWER_REFUSES)
def test_a_stolen_renewer_token_is_not_worth(member: MemberApi, what: str) -> None:
    with pytest.raises((InvalidObjectError, AuthError, NotFoundError)) as refused:
        RENEWER_REFUSES[what](member.renewer, member.session)
    assert "ValidatingAdmissionPolicy" in f"{refused.value} {refused.value.why}"


@pytest.mark.parametrize(
    "write",
    [
        lambda api: api.list(SERVICES),
        lambda api: api.list(NAMESPACES),
        lambda api: api.get(SECRETS, "session", namespace=NAMESPACE),
        lambda api: api.delete(SECRETS, "session", namespace=NAMESPACE),
        lambda api: token_of(api, "default", "default"),
        lambda api: token_of(api, NAMESPACE, "default"),
    ],
    ids=["Services", "Namespaces", "the session", "deleting the session", "another account", "an account beside it"],
)
def test_a_stolen_renewer_token_has_no_right_to(member: MemberApi, write: Callable[[RestClient], object]) -> None:
    with pytest.raises(AuthError):
        write(member.renewer)


def token_of(api: RestClient, where: str, account: str) -> None:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    api.raw("POST", f"/api/v1/namespaces/{where}/serviceaccounts/{account}/token", body=json.dumps(body).encode())


def test_a_renewer_renews_work_tokens_and_itself(member: MemberApi) -> None:
    assert token(member.renewer, "controller", 3600, member.session)
    assert token(member.renewer, "renewer", 30 * DAY, member.session)


@pytest.mark.slow
def test_deleting_the_session_ends_all_access(member: MemberApi) -> None:
    """Case 33. API servers remember a valid token for ten seconds, so both are asked until they are refused."""
    member.admin.delete(SECRETS, tokens.SESSION, namespace=NAMESPACE)
    deadline = time.monotonic() + GIVE_UP
    for refused in (
        lambda: _refused(lambda: member.controller.list(NAMESPACES)),
        lambda: _refused(lambda: token(member.renewer, "controller", 3600, member.session)),
    ):
        while not refused():
            assert time.monotonic() < deadline
            time.sleep(0.1)  # the API server forgets a token by time


def _refused(ask: Callable[[], object]) -> bool:
    """Whether a token is not valid any more, or cannot be issued, because its session is gone."""
    try:
        ask()
    except UnauthorizedError:
        return True
    except RancherctlError as error:
        return "session" in f"{error} {error.why}"
    return False
