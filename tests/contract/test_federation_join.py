"""Join and leave, with real API servers of a federation and of environments, and the federation's Hub between them."""

from __future__ import annotations

import base64
import json
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from rancherctl import bound_tokens
from rancherctl.contract import FEDERATION_CONTROLLER, FEDERATION_LABEL, FEDERATION_UID_ANNOTATION, LEAVE_FINALIZER
from rancherctl.environments.manifests.federation import cluster_kind
from rancherctl.errors import (
    AuthError,
    ConflictError,
    NotFoundError,
    PreflightError,
    TimeoutExceededError,
)
from rancherctl.federation import tokens
from rancherctl.federation.cluster import CLUSTERS
from rancherctl.federation.model import FederationSettings
from rancherctl.federation.operator import join, leave, member_objects, overview
from rancherctl.federation.operator.join_checks import Wanted
from rancherctl.kube import apply as kube
from rancherctl.kube.client import CONFIGMAPS, NAMESPACES, SECRETS, SERVICES, Json
from rancherctl.kube.rest import RestClient
from rancherctl.polling import poll_until
from tests.fakes.federation_hub import HubProcess
from tests.lab.apiserver import ApiServer, running

GIVE_UP = 40.0
log = logging.getLogger(__name__)
OWN = tokens.member_namespace("acme")


@dataclass
class Sites:
    """The federation acme and two environments; each with its API server and a client of its administrator."""

    servers: dict[str, ApiServer]
    clients: dict[str, RestClient]

    @property
    def hub(self) -> RestClient:
        return self.clients["acme"]

    def wanted(self, name: str, **options: Any) -> Wanted:
        server = self.servers[name]
        return Wanted(name, (server.url,), server.ca.read_text(), **options)

    def join(self, name: str, **options: Any) -> bool:
        return join.join(self.hub, self.clients[name], "acme", self.wanted(name, **options))

    def everything(self, name: str) -> dict[str, str]:
        """Versions of what a join could change, to see that it has not."""
        client = self.clients[name]
        found = [*client.list(NAMESPACES).items, *client.list(leave.POLICIES).items]
        return {str(obj["metadata"]["name"]): str(obj["metadata"]["resourceVersion"]) for obj in found}


@pytest.fixture(scope="module")
def sites() -> Iterator[Sites]:
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        names = ("acme", "m1", "m2")
        found = dict(zip(names, pool.map(lambda _: stack.enter_context(running()), names), strict=True))
        clients = {name: stack.enter_context(server.client()) for name, server in found.items()}
        hub = clients["acme"]
        hub.create(NAMESPACES, {"metadata": {"name": FEDERATION_CONTROLLER}})
        kube.apply(hub, kube.plan(hub, [cluster_kind()], None), None)
        assert poll_until(lambda: _served(hub), GIVE_UP)
        yield Sites(found, clients)


def _served(hub: RestClient) -> bool:
    try:
        hub.list(CLUSTERS)
    except NotFoundError:
        return False
    return True


def hub_running(sites: Sites) -> HubProcess:
    """rancherctl-federation without public names."""
    return HubProcess(sites.hub, lambda uid: FederationSettings("acme", uid, "acme.example", "none"))


@pytest.fixture
def hub(sites: Sites) -> Iterator[None]:
    with hub_running(sites):
        yield


@pytest.fixture
def m1(sites: Sites, hub: None) -> Iterator[RestClient]:
    """The member m1, joined; afterwards it has left."""
    sites.join("m1")
    join.wait(sites.hub, "m1", GIVE_UP)
    yield sites.clients["m1"]
    _leave(sites, "m1", "delete")


def _leave(sites: Sites, name: str, services: str) -> list[tuple[bool, str]]:
    member = sites.clients[name]
    if name in overview.read(sites.hub).members:
        leave.begin(sites.hub, name, services)
        leave.wait(sites.hub, name, GIVE_UP)
    leave.forget(sites.hub, name)
    leave.clear(sites.hub, member, "acme")
    found = leave.proof(sites.hub, member, "acme", name)
    _end_namespace(member)
    return found


def _end_namespace(member: RestClient, name: str = OWN) -> None:
    """Delete a namespace as the namespace controller ends it: these API servers run alone."""
    for step in (
        lambda: member.delete(CONFIGMAPS, "inventory", namespace=name),
        lambda: member.delete(NAMESPACES, name),
    ):
        try:
            step()
        except NotFoundError:
            continue
    try:
        found = member.get(NAMESPACES, name)
    except NotFoundError:
        return
    found["spec"]["finalizers"] = []
    member.raw("PUT", f"/api/v1/namespaces/{name}/finalize", body=json.dumps(found).encode())


def until(what: str, answer: Callable[..., Any]) -> Any:
    """Ask until the answer is true."""
    found = poll_until(answer, GIVE_UP)
    assert found, what
    return found


def condition(sites: Sites, name: str, kind: str) -> dict[str, Any]:
    status = sites.hub.get(CLUSTERS, name).get("status") or {}
    return next((c for c in status.get("conditions") or () if c["type"] == kind), {})


def service(name: str) -> Json:
    return {"metadata": {"name": name, "namespace": "default"}, "spec": {"ports": [{"port": 80}]}}


def exists(client: RestClient, name: str) -> bool:
    try:
        client.get(SERVICES, name, namespace="default")
    except NotFoundError:
        return False
    return True


def test_a_member_gets_services_by_its_own_rights_and_leaves_without_a_trace(
    sites: Sites, m1: RestClient, hub: None
) -> None:
    """Join, a copy written with a work token, drain, leave with delete: copies go first, then everything else (F12)."""
    assert condition(sites, "m1", "Ready")["status"] == "True"
    assert not sites.join("m1"), "a second join changes nothing (karmada#4779, case 29)"
    before = sites.everything("m1")
    sites.hub.create(SERVICES, service("web"), namespace="default")
    until("a copy in the member", lambda: exists(m1, "web"))
    copy = m1.get(SERVICES, "web", namespace="default")["metadata"]
    assert copy["labels"][FEDERATION_LABEL] == "acme"
    assert sites.everything("m1") == before
    checked = _leave(sites, "m1", "delete")
    assert all(right for right, _ in checked), checked
    assert not exists(m1, "web")
    assert not any(name.startswith("rancherctl-federation-") for name in sites.everything("m1"))
    sites.hub.delete(SERVICES, "web", namespace="default")
    sites.join("m1")  # and it can come back
    join.wait(sites.hub, "m1", GIVE_UP)


def test_with_keep_copies_stay_without_marks(sites: Sites, m1: RestClient) -> None:
    sites.hub.create(SERVICES, service("kept"), namespace="default")
    until("a copy in the member", lambda: exists(m1, "kept"))
    checked = _leave(sites, "m1", "keep")
    assert all(right for right, _ in checked), checked
    metadata = m1.get(SERVICES, "kept", namespace="default")["metadata"]
    assert not metadata.get("labels")
    assert not any(key.startswith("federation.") for key in metadata.get("annotations") or {})
    m1.delete(SERVICES, "kept", namespace="default")
    sites.hub.delete(SERVICES, "kept", namespace="default")


def test_kubectl_delete_cluster_is_a_leave_that_keeps_copies(sites: Sites, m1: RestClient) -> None:
    """F12: the copies stay, and the federation forgets the member; `federation leave` removes the rest there."""
    sites.hub.create(SERVICES, service("there"), namespace="default")
    until("a copy in the member", lambda: exists(m1, "there"))
    sites.hub.delete(CLUSTERS, "m1")
    leave.wait(sites.hub, "m1", GIVE_UP)
    assert FEDERATION_LABEL not in (m1.get(SERVICES, "there", namespace="default")["metadata"].get("labels") or {})
    m1.delete(SERVICES, "there", namespace="default")
    sites.hub.delete(SERVICES, "there", namespace="default")


def test_what_a_join_was_given_stays_until_it_is_given_again(sites: Sites, m1: RestClient) -> None:
    """Labels and addresses of --label and --address survive a plain second join; the CA is kept as it is known.

    Case 27, k/k#39482, federation#90: labels that are given to a join select at once.
    """
    chosen = service("chosen")
    chosen["metadata"]["annotations"] = {"federation.rancherctl.io/cluster-selector": "env=prod"}
    sites.hub.create(SERVICES, chosen, namespace="default")
    assert sites.join("m1", labels={"env": "prod"}, addresses=("203.0.113.0/28",))
    assert not sites.join("m1")
    stored = sites.hub.get(CLUSTERS, "m1")
    assert stored["metadata"]["labels"] == {"env": "prod"}
    assert stored["spec"]["addresses"] == ["203.0.113.0/28"]
    until("selected", lambda: exists(m1, "chosen"))
    sites.hub.patch(CLUSTERS, "m1", {"spec": {"suspended": True}})
    sites.join("m1", labels={"env": "test"})
    stored = sites.hub.get(CLUSTERS, "m1")
    assert stored["metadata"]["labels"] == {"env": "test"}
    assert stored["spec"]["suspended"] is True, "a join does not end a drain"
    sites.join("m1", labels={"tier": "gold"}, removed_labels=("env",))
    assert sites.hub.get(CLUSTERS, "m1")["metadata"]["labels"] == {"tier": "gold"}, "labels of the environment follow"
    assert join.federations_of(m1) == ["acme"]
    until("no longer selected", lambda: not exists(m1, "chosen"))
    sites.hub.delete(SERVICES, "chosen", namespace="default")


@pytest.mark.slow
def test_a_join_heals_what_was_removed_in_the_member(sites: Sites, m1: RestClient) -> None:
    """Case 33: without its session no token is valid; joining again issues a new credential."""
    m1.delete(SECRETS, tokens.SESSION, namespace=OWN)
    m1.raw(
        "DELETE", "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/rancherctl-federation-acme-objects"
    )
    until("the loss is seen", lambda: condition(sites, "m1", "CredentialValid")["status"] == "False")
    assert "join" in condition(sites, "m1", "CredentialValid")["message"]
    assert overview.down(overview.read(sites.hub).members["m1"])
    assert sites.join("m1")
    until("the credential works", lambda: condition(sites, "m1", "Ready")["status"] == "True")
    assert "rancherctl-federation-acme-objects" in sites.everything("m1")


def test_another_cluster_at_the_old_address_is_not_written_to(sites: Sites, m1: RestClient) -> None:
    """Case 35: its uid is not the one that joined."""
    uid = sites.hub.get(CLUSTERS, "m1")["status"]["uid"]
    until("the uid is known", lambda: uid)
    m2 = sites.servers["m2"]
    member = sites.clients["m2"]
    inventory = member_objects.inventory("acme")
    kube.apply(member, kube.plan(member, member_objects.objects("acme", join.uid(sites.hub)), inventory), inventory)
    member.patch(NAMESPACES, "default", member_objects.open_namespace("acme"))
    session = str(member.get(SECRETS, tokens.SESSION, namespace=OWN)["metadata"]["uid"])
    path, body = tokens.request("acme", tokens.RENEWER, tokens.RENEWER_SECONDS, session)
    token = bound_tokens.parse(member.raw("POST", path, body=body), time.time())
    secret = {tokens.TOKEN_KEY: str(token.value), tokens.SESSION_UID_KEY: session}
    before = sites.hub.get(CLUSTERS, "m1")["spec"]
    old = sites.hub.get(SECRETS, "cluster-m1", namespace=FEDERATION_CONTROLLER)["data"]
    sites.hub.patch(SECRETS, "cluster-m1", {"stringData": secret}, namespace=FEDERATION_CONTROLLER)
    ca = base64.b64encode(m2.ca.read_bytes()).decode()
    sites.hub.patch(CLUSTERS, "m1", {"spec": {"servers": [m2.url], "caBundle": ca}})
    until("it is refused", lambda: condition(sites, "m1", "CredentialValid")["reason"] == "IdentityChanged")
    sites.hub.create(SERVICES, service("secret"), namespace="default")
    m1_only = condition(sites, "m1", "Ready")
    assert m1_only["status"] == "False"
    assert not exists(member, "secret")
    with pytest.raises(PreflightError, match="another environment"):
        join.join(sites.hub, member, "acme", Wanted("m1", (m2.url,), m2.ca.read_text()))
    sites.hub.delete(SERVICES, "secret", namespace="default")
    sites.hub.patch(SECRETS, "cluster-m1", {"data": old}, namespace=FEDERATION_CONTROLLER)
    sites.hub.patch(CLUSTERS, "m1", {"spec": {"servers": before["servers"], "caBundle": before["caBundle"]}})
    until("the member itself is back", lambda: condition(sites, "m1", "Ready")["status"] == "True")
    leave.clear(sites.hub, member, "acme")
    _end_namespace(member)


def test_every_problem_is_reported_at_once_and_nothing_is_changed(sites: Sites) -> None:
    """Case 31: a namespace of the federation's name, a member of another federation, a wrong address, in one answer."""
    member = sites.clients["m2"]
    names = ("acme", "rancherctl-federation-other")
    for name in names:
        member.create(NAMESPACES, {"metadata": {"name": name}})
    before, clusters = sites.everything("m2"), sites.hub.list(CLUSTERS).items
    with pytest.raises(PreflightError) as refused:
        sites.join("m2", reachable=lambda _: "Connection refused")
    text = "\n".join(map(str, refused.value.problems))
    assert "member of the federation other" in text
    assert "has a namespace called acme" in text
    assert "cannot reach https://" in text
    assert "spec.api.address" in text
    assert len(refused.value.problems) == 3
    assert sites.everything("m2") == before
    assert sites.hub.list(CLUSTERS).items == clusters
    for name in names:
        _end_namespace(member, name)


def test_a_federation_is_not_its_own_member(sites: Sites) -> None:
    """karmada#1350, kubefed#593: that destroyed the control plane."""
    with pytest.raises(PreflightError, match="cannot join") as refused:
        join.join(sites.hub, sites.hub, "acme", sites.wanted("acme"))
    assert "is the federation itself" in str(refused.value.problems[0])


def test_without_rights_in_the_member_it_says_which(sites: Sites) -> None:
    """Case 31: what is missing is named before anything is changed."""
    member = sites.clients["m2"]
    account = {"metadata": {"name": "reader", "namespace": "default"}}
    member.raw("POST", "/api/v1/namespaces/default/serviceaccounts", body=json.dumps(account).encode())
    role = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
    rules = [
        {
            "apiGroups": [""],
            "resources": ["namespaces", "nodes", "serviceaccounts"],
            "verbs": ["get", "list", "create", "patch"],
        }
    ]
    member.raw("POST", role, body=json.dumps({"metadata": {"name": "reader"}, "rules": rules}).encode())
    binding = {
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": "default"}],
    }
    member.raw("POST", role.replace("roles", "rolebindings"), body=json.dumps(binding).encode())
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    path = "/api/v1/namespaces/default/serviceaccounts/reader/token"
    token = json.loads(member.raw("POST", path, body=json.dumps(request).encode()))["status"]["token"]
    server = sites.servers["m2"]
    with RestClient(server.url, ca=server.ca, token=token) as reader, pytest.raises(PreflightError) as refused:
        join.join(sites.hub, reader, "acme", sites.wanted("m2"))
    line = str(refused.value.problems[0])
    assert "create clusterroles.rbac.authorization.k8s.io" in line
    assert "create validatingadmissionpolicies.admissionregistration.k8s.io" in line
    assert "create serviceaccounts/token in rancherctl-federation-acme" in line
    assert "create namespaces" not in line
    assert line.endswith("at m2")


def test_a_member_that_is_lost_leaves_by_force(sites: Sites) -> None:
    """Case 38, karmada#3740 #4431: without its API and without the federation's process; what stays behind is named."""
    sites.join("m2")
    leave.abandon(sites.hub, "m2")
    leave.forget(sites.hub, "m2")
    assert "m2" not in overview.read(sites.hub).members
    assert all(right for right, _ in leave.proof(sites.hub, None, "acme", "m2"))
    assert "rancherctl-federation-acme" in "".join(leave.left_behind("acme", ()))
    assert OWN in sites.everything("m2")
    leave.clear(sites.hub, sites.clients["m2"], "acme")
    kept = sites.clients["m2"].get(NAMESPACES, OWN)["metadata"]["annotations"]
    assert kept[FEDERATION_UID_ANNOTATION] == join.uid(sites.hub), "or the next join takes it for another federation's"
    leave.clear(sites.hub, sites.clients["m2"], "acme")  # it can be repeated
    _end_namespace(sites.clients["m2"])


def test_a_lost_member_that_its_process_guards_again_is_gone_nevertheless(sites: Sites) -> None:
    """Case 38: the process adds its finalizer to a Cluster that has none, also in the middle of ``leave --force``."""

    class Guarding(RestClient):
        """After each write to a Cluster that is not being deleted, it has the finalizer again."""

        def patch(self, *args: Any, **options: Any) -> Json:
            found = super().patch(*args, **options)
            guard()
            return found

    def guard() -> None:
        try:
            found = sites.hub.get(CLUSTERS, "lost")
        except NotFoundError:
            return
        if not found["metadata"].get("deletionTimestamp"):
            sites.hub.patch(CLUSTERS, "lost", {"metadata": {"finalizers": [LEAVE_FINALIZER]}})

    body = {"metadata": {"name": "lost"}, "spec": {"servers": ["https://10.0.0.1"]}}
    sites.hub.apply(CLUSTERS, body, manager="test")
    guard()
    server = sites.servers["acme"]
    with Guarding(server.url, ca=server.ca, cert=server.cert, key=server.key) as client:
        leave.abandon(client, "lost")
    assert "lost" not in overview.read(sites.hub).members


def test_what_belongs_to_another_federation_with_this_name_is_not_removed(sites: Sites) -> None:
    member = sites.clients["m2"]
    inventory = member_objects.inventory("acme")
    kube.apply(member, kube.plan(member, member_objects.objects("acme", "another-uid"), inventory), inventory)
    before = sites.everything("m2")
    with pytest.raises(PreflightError, match="problem") as refused:
        sites.join("m2")
    assert "older federation with this name" in str(refused.value.problems[0])
    with pytest.raises(ConflictError, match="another federation"):
        leave.clear(sites.hub, member, "acme")
    assert sites.everything("m2") == before
    member.patch(NAMESPACES, OWN, {"metadata": {"annotations": {FEDERATION_UID_ANNOTATION: join.uid(sites.hub)}}})
    leave.clear(sites.hub, member, "acme")
    _end_namespace(member)


def test_a_leave_without_its_process_says_what_is_in_the_way(sites: Sites) -> None:
    """Without rancherctl-federation nothing is removed; the message has a way out."""
    sites.hub.apply(
        CLUSTERS,
        {
            "metadata": {"name": "stuck", "finalizers": ["federation.rancherctl.io/leave"]},
            "spec": {"servers": ["https://10.0.0.1"]},
        },
        manager="test",
    )
    leave.begin(sites.hub, "stuck", "keep")
    with pytest.raises(TimeoutExceededError, match="has not left") as late:
        leave.wait(sites.hub, "stuck", 0.1)
    assert "--force" in late.value.hint
    leave.abandon(sites.hub, "stuck")
    assert "stuck" not in overview.read(sites.hub).members


def test_the_federation_has_no_token_that_reads_secrets(sites: Sites, m1: RestClient) -> None:
    """What lies in the federation is a renewer's token: it mints work tokens and reads nothing (R-d)."""
    data = sites.hub.get(SECRETS, "cluster-m1", namespace=FEDERATION_CONTROLLER)["data"]
    assert set(data) == {tokens.TOKEN_KEY, tokens.SESSION_UID_KEY}
    token = base64.b64decode(data[tokens.TOKEN_KEY]).decode()
    server = sites.servers["m1"]
    with RestClient(server.url, ca=server.ca, token=token) as stolen:
        for resource in (SERVICES, SECRETS, NAMESPACES):
            with pytest.raises(AuthError):
                stolen.list(resource)
