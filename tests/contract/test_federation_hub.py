"""The Hub with real API servers: joining, tokens, identity, renewal, leaving; nothing is written where it may not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from rancherctl.contract import FEDERATION_CONTROLLER, FEDERATION_LABEL
from rancherctl.environments.manifests.federation import cluster_kind
from rancherctl.errors import NotFoundError
from rancherctl.federation import tokens
from rancherctl.federation.cluster import CLUSTERS
from rancherctl.federation.model import FederationSettings
from rancherctl.federation.operator import join as joining
from rancherctl.federation.operator import leave as leaving
from rancherctl.federation.operator.join_checks import Wanted
from rancherctl.kube.client import CONFIGMAPS, NAMESPACES, SECRETS, SERVICES, Json, Resource
from rancherctl.kube.rest import RestClient
from tests.fakes.federation_hub import HubProcess
from tests.lab.apiserver import ApiServer, running

GIVE_UP = 60.0
CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False)


def until(what: str, answer: Callable[..., Any]) -> Any:
    """Ask until the answer is true; the API servers tell no test when a status has been written."""
    deadline, last = time.monotonic() + GIVE_UP, None
    while time.monotonic() < deadline:
        try:
            if last := answer():
                return last
        except NotFoundError as error:
            last = error
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {GIVE_UP:.0f} s, last {last!r}")


@dataclass
class Site:
    """A federation's API, a member's, and the Hub between them."""

    hub_api: RestClient
    member_api: RestClient
    server: ApiServer
    leading: bool = True

    def __enter__(self) -> Site:
        settings = lambda uid: FederationSettings("acme", uid, "acme.example", "none")
        self.process = HubProcess(self.hub_api, settings, leading=lambda: self.leading)
        self.process.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.__exit__()

    def wanted(self) -> Wanted:
        return Wanted("m1", (self.server.url,), self.server.ca.read_text(), {"env": "prod"}, ("203.0.113.0/24",))

    def join(self, **options: Any) -> bool:
        return joining.join(self.hub_api, self.member_api, "acme", self.wanted(), **options)

    def state(self, kind: str) -> Json:
        found = self.hub_api.get(CLUSTERS, "m1").get("status", {}).get("conditions") or []
        return next((c for c in found if c["type"] == kind), {})

    def is_now(self, kind: str, status: str, reason: str = "") -> None:
        until(
            f"{kind} {status}",
            lambda: (s := self.state(kind)).get("status") == status and s.get("reason") in (reason or s.get("reason"),),
        )


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        found: list[ApiServer] = list(pool.map(lambda _: stack.enter_context(running()), range(2)))
        hub_api, member_api = (stack.enter_context(server.client()) for server in found)
        hub_api.create(CRDS, cluster_kind())
        hub_api.create(NAMESPACES, {"metadata": {"name": FEDERATION_CONTROLLER}})
        until("kind Cluster", lambda: hub_api.list(CLUSTERS) is not None)
        yield stack.enter_context(Site(hub_api, member_api, found[1]))


def trust(site: Site) -> None:
    """What kube-controller-manager writes into each namespace; it does not run here."""
    body = {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": site.server.ca.read_text()}}
    site.member_api.create(CONFIGMAPS, body, namespace=tokens.member_namespace("acme"))


def service(name: str) -> Json:
    return {"metadata": {"name": name}, "spec": {"type": "ClusterIP", "ports": [{"port": 80}]}}


def test_a_joined_member_is_used_with_a_token_that_is_short_and_bound(site: Site) -> None:
    assert site.join()
    trust(site)
    joining.wait(site.hub_api, "m1", GIVE_UP)
    assert not site.join()
    found = site.hub_api.get(CLUSTERS, "m1")
    assert found["status"]["uid"] == site.member_api.get(NAMESPACES, "kube-system")["metadata"]["uid"]
    assert found["status"]["version"]["kubernetes"].startswith("v1.")
    site.hub_api.create(SERVICES, service("web"), namespace="default")
    copy = until("copy", lambda: site.member_api.get(SERVICES, "web", namespace="default"))
    assert copy["metadata"]["labels"][FEDERATION_LABEL] == "acme"


def test_the_end_of_the_session_is_said_and_a_join_heals_it(site: Site) -> None:
    site.member_api.delete(SECRETS, tokens.SESSION, namespace=tokens.member_namespace("acme"))
    site.is_now("CredentialValid", "False", "CredentialExpired")
    assert "--renew" in site.state("CredentialValid")["message"]
    site.hub_api.create(SERVICES, service("later"), namespace="default")
    assert site.join()
    site.is_now("Ready", "True")
    until("copy", lambda: site.member_api.get(SERVICES, "later", namespace="default"))


def test_another_cluster_at_the_address_is_not_written_to(site: Site) -> None:
    """The same API server plays the other cluster: the identity that was stored is not its own."""
    right = site.hub_api.get(CLUSTERS, "m1")["status"]["uid"]
    site.leading = False
    site.process.wake.set()
    until("disconnected", lambda: not site.process.hub.links)
    site.hub_api.patch(CLUSTERS, "m1", {"status": {"uid": "another"}}, subresource="status")
    site.leading = True
    site.is_now("CredentialValid", "False", "IdentityChanged")
    site.hub_api.create(SERVICES, service("never"), namespace="default")
    until("waiting", lambda: "Synced" in str(site.hub_api.get(CLUSTERS, "m1")["status"]["conditions"]))
    with pytest.raises(NotFoundError):
        site.member_api.get(SERVICES, "never", namespace="default")
    site.leading = False
    site.process.wake.set()
    until("disconnected", lambda: not site.process.hub.links)
    site.hub_api.patch(CLUSTERS, "m1", {"status": {"uid": right}}, subresource="status")
    site.leading = True
    site.is_now("Ready", "True")
    until("copy", lambda: site.member_api.get(SERVICES, "never", namespace="default"))


def test_a_member_without_its_api_is_unreachable_and_comes_back(site: Site) -> None:
    site.server.stop("apiserver", kill=True)
    try:
        site.is_now("ControlPlaneHealthy", "False", "Unreachable")
        site.hub_api.create(SERVICES, service("meanwhile"), namespace="default")
    finally:
        site.server.start("apiserver")
        site.server.wait_ready()
    site.is_now("Ready", "True")
    until("copy", lambda: site.member_api.get(SERVICES, "meanwhile", namespace="default"))


def test_a_member_that_leaves_keeps_its_services_without_marks(site: Site) -> None:
    leaving.begin(site.hub_api, "m1", "keep")
    leaving.wait(site.hub_api, "m1", GIVE_UP)
    leaving.forget(site.hub_api, "m1")
    leaving.clear(site.hub_api, site.member_api, "acme")
    kept = site.member_api.get(SERVICES, "web", namespace="default")
    assert FEDERATION_LABEL not in kept["metadata"].get("labels", {})
    checked = leaving.proof(site.hub_api, site.member_api, "acme", "m1")
    assert [line for right, line in checked if not right] == []
