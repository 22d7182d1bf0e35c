"""A federation and its members on real API servers, with the federation's process in this one, and commands.

The zone is in memory. Copies get no addresses and namespaces do not end by themselves: ``addresses`` and
``end_namespace`` do what a member's own controllers would.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rancherctl.cli.known_environments import KnownEnvironments
from rancherctl.contract import FEDERATION_CONTROLLER
from rancherctl.credentials.registry import Access, Registry
from rancherctl.credentials.renewal import Renewal
from rancherctl.environments.inventory import from_flags
from rancherctl.environments.manifests.federation import cluster_kind
from rancherctl.errors import NotFoundError
from rancherctl.federation.cluster import CLUSTERS
from rancherctl.federation.hub import Hub
from rancherctl.federation.inventory_store import StoredInventory
from rancherctl.federation.model import FederationSettings
from rancherctl.federation.providers.memory import MemoryProvider, MemoryZones
from rancherctl.federation.public_dns import PublicDns
from rancherctl.federation.tokens import member_namespace
from rancherctl.federation.vantage import StoredConfigMap
from rancherctl.federation.zone_report import REPORT
from rancherctl.kube import apply as kube
from rancherctl.kube.client import CONFIGMAPS, NAMESPACES, SERVICES, Json
from rancherctl.kube.rest import RestClient
from rancherctl.polling import poll_until
from rancherctl.settings import dirs
from tests.fakes.dns_provider import lines
from tests.fakes.federation_desk import FEDERATION, HOSTS
from tests.fakes.federation_hub import HubProcess
from tests.fakes.federation_site import ZONE, all_answer
from tests.lab.apiserver import ApiServer, running

GIVE_UP = 60.0
OWN = member_namespace("acme")
log = logging.getLogger(__name__)


def until(what: str, answer: Callable[[], Any]) -> Any:
    """Ask until the answer is true."""
    found = poll_until(answer, GIVE_UP)
    assert found, what
    return found


def exists(client: RestClient, resource: Any, name: str, namespace: str = "") -> bool:
    try:
        client.get(resource, name, namespace=namespace)
    except NotFoundError:
        return False
    return True


@dataclass
class Sites:
    """The federation acme, and m1 and m2; each with its API server, a client and a token of its administrator."""

    servers: dict[str, ApiServer]
    clients: dict[str, RestClient]
    tokens: dict[str, str]
    zones: MemoryZones = field(default_factory=lambda: MemoryZones(ZONE))

    @property
    def hub(self) -> RestClient:
        return self.clients["acme"]

    def zone(self) -> list[str]:
        """All records of the zone."""
        with self.zones.lock:
            return lines(dict(self.zones.sets[f"{ZONE}."]), markers=True)

    def service(self, name: str) -> Json:
        """A federated Service of type LoadBalancer."""
        body = {"metadata": {"name": name}, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}}
        return self.hub.create(SERVICES, body, namespace="default")

    def addresses(self, member: str, name: str, *found: str) -> None:
        """The member gives its copy these addresses."""
        until("a copy", lambda: exists(self.clients[member], SERVICES, name, "default"))
        status = {"status": {"loadBalancer": {"ingress": [{"ip": a} for a in found]}}}
        self.clients[member].patch(SERVICES, name, status, namespace="default", subresource="status")

    def end_namespace(self, member: str, name: str = OWN) -> None:
        """Delete a namespace as the namespace controller ends it."""
        client = self.clients[member]
        if not exists(client, NAMESPACES, name):
            return
        for found in client.list(CONFIGMAPS, namespace=name).items:
            client.delete(CONFIGMAPS, found["metadata"]["name"], namespace=name)
        client.delete(NAMESPACES, name)
        if exists(client, NAMESPACES, name):
            ending = client.get(NAMESPACES, name)
            ending["spec"]["finalizers"] = []
            client.raw("PUT", f"/api/v1/namespaces/{name}/finalize", body=json.dumps(ending).encode())

    @contextmanager
    def process(self) -> Iterator[Hub]:
        """rancherctl-federation, without an election."""

        def names(settings: FederationSettings) -> PublicDns:
            return PublicDns(
                settings,
                MemoryProvider(self.zones, ZONE),
                StoredInventory(self.hub),
                gate=lambda: None,
                changed=process.hub.changed,
                clock=time.monotonic,
                report=StoredConfigMap(self.hub, FEDERATION_CONTROLLER, REPORT),
                probe_all=all_answer,
            )

        settings = lambda uid: FederationSettings("acme", uid, ZONE, "memory", ttl=0)
        process = HubProcess(self.hub, settings, names=names)
        with process:
            yield process.hub

    def sign_in(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> KnownEnvironments:
        """Commands of this process know all environments, by files in ``folder``."""
        environ = {f"XDG_{kind}_HOME": str(folder / kind) for kind in ("CONFIG", "STATE", "CACHE")}
        environ["HOME"] = str(folder)
        for variable, value in {**environ, "CI": "true", "KUBECONFIG": str(folder / "kubeconfig")}.items():
            monkeypatch.setenv(variable, value)
        known = KnownEnvironments(dirs(environ))
        for name, server in self.servers.items():
            settings = FEDERATION if name == "acme" else None
            known.save(from_flags(name, [f"root@{HOSTS[name]}"], federation=settings).environment)
            access = Access(name, server.url, server.ca.read_text(), "op", "s")
            Registry(known.dirs.config / "environments").save(access)

        def document(_: Renewal, name: str, *, force: bool = False) -> str:
            return json.dumps({"status": {"token": self.tokens[name]}})

        monkeypatch.setattr(Renewal, "document", document)
        monkeypatch.setattr("rancherctl.cli.member_join._reachable", lambda run, federation: lambda server: "")
        monkeypatch.setattr("rancherctl.cli.member_leave.NAMESPACE_SECONDS", 0.1)
        return known


@contextmanager
def running_sites() -> Iterator[Sites]:
    """Three API servers; the federation's has the kind Cluster."""
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        names = ("acme", "m1", "m2")
        servers = dict(zip(names, pool.map(lambda _: stack.enter_context(running()), names), strict=True))
        clients = {name: stack.enter_context(server.client()) for name, server in servers.items()}
        hub = clients["acme"]
        hub.create(NAMESPACES, {"metadata": {"name": FEDERATION_CONTROLLER}})
        kube.apply(hub, kube.plan(hub, [cluster_kind()], None), None)
        until("kind Cluster", lambda: _served(hub))
        yield Sites(servers, clients, {name: _administrator(client) for name, client in clients.items()})


def _served(hub: RestClient) -> bool:
    try:
        hub.list(CLUSTERS)
    except NotFoundError:
        return False
    return True


def _administrator(client: RestClient) -> str:
    """A token of an account that may do everything."""
    account = {"metadata": {"name": "operator", "namespace": "kube-system"}}
    client.raw("POST", "/api/v1/namespaces/kube-system/serviceaccounts", body=json.dumps(account).encode())
    binding = {
        "metadata": {"name": "operator"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "operator", "namespace": "kube-system"}],
    }
    path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    client.raw("POST", path, body=json.dumps(binding).encode())
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 7200}}
    path = "/api/v1/namespaces/kube-system/serviceaccounts/operator/token"
    return str(json.loads(client.raw("POST", path, body=json.dumps(request).encode()))["status"]["token"])
