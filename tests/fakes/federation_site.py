"""A federation whose process runs in this one: fake APIs of the federation and its members, and a zone in memory."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rancherctl.contract import FEDERATION_CONTROLLER, FEDERATION_LABEL
from rancherctl.errors import UnreachableError
from rancherctl.federation.host_names import Answer, Resolve
from rancherctl.federation.inventory import MemoryInventory
from rancherctl.federation.model import FederationSettings
from rancherctl.federation.probe_targets import Target
from rancherctl.federation.providers.memory import MemoryProvider, MemoryZones
from rancherctl.federation.public_dns import PublicDns
from rancherctl.kube.rest import RestClient
from rancherctl.polling import poll_until
from rancherctl.text import plural
from tests.fakes.dns_provider import lines
from tests.fakes.federation_hub import HubProcess
from tests.fakes.kube import FakeApi
from tests.fakes.member_api import CLUSTERS, NAMESPACES, MemberApi, cluster_json, secret_json
from tests.fakes.member_process import SERVICES, MemberStore

ZONE = "acme.example"
SECRETS = "/api/v1/secrets"
GIVE_UP = 60.0
Json = dict[str, Any]


def _settings(uid: str) -> FederationSettings:
    """Names expire at once, so that a member that leaves does not wait for caches."""
    return FederationSettings("acme", uid, ZONE, "memory", ttl=0)


def all_answer(found: Iterable[Target]) -> Mapping[str, bool | None]:
    """A prober to which every address answers."""
    return {target.key: True for target in found}


def writes(api: FakeApi) -> list[tuple[str, str]]:
    """The requests that could have changed a Service or a Namespace of an API."""
    kinds = ("/services", "/namespaces/default?", "/namespaces/default ")
    return [(verb, path) for verb, path in api.requests if verb != "GET" and any(k in f"{path} " for k in kinds)]


class Process(HubProcess):
    """rancherctl-federation with a zone in memory. ``names`` is there once the Hub works."""

    names: PublicDns

    def __init__(self, api: FakeApi, zones: MemoryZones, resolve: Resolve) -> None:
        self.client, self.provider = RestClient(api.url), MemoryProvider(zones, ZONE)
        super().__init__(self.client, _settings, names=self._names, resolve=resolve)

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self.client.close()

    def _names(self, settings: FederationSettings) -> PublicDns:
        self.names = PublicDns(
            settings,
            self.provider,
            MemoryInventory(),
            gate=lambda: None,
            changed=self.hub.changed,
            clock=time.monotonic,
            probe_all=all_answer,
        )
        return self.names


def unresolved(name: str) -> Answer:
    """A resolver that is away."""
    raise UnreachableError(f"the resolver does not answer: {name}")


class FederationSite:
    """The federation acme; member ``mN`` gives its Services the address 203.0.113.N, or what ``addresses`` says.

    ``process`` runs its process, which resolves host names with ``resolve``.
    """

    def __init__(self, *members: str, addresses: Mapping[str, str] | None = None) -> None:
        self.resolve: Resolve = unresolved
        self.api, self.zones = FakeApi(), MemoryZones(ZONE)
        self.api.store.put(NAMESPACES, "", {"metadata": {"name": "kube-system", "uid": "fed-uid"}})
        self.api.store.put(NAMESPACES, "", {"metadata": {"name": "default"}})
        self.members: dict[str, MemberApi] = {}
        for number, name in enumerate(members, 1):
            address = (addresses or {}).get(name, f"203.0.113.{number}")
            member = MemberApi(name=name, store=MemberStore(address=address))
            opened = {"name": "default", "labels": {FEDERATION_LABEL: "acme"}}
            member.store.put(NAMESPACES, "", {"metadata": opened})
            self.members[name] = member
            self.api.store.put(SECRETS, FEDERATION_CONTROLLER, secret_json(name))
            self.api.store.put(CLUSTERS, "", cluster_json(name, member.url, addresses=["203.0.113.0/24"]))

    def process(self) -> Process:
        """A new process of the federation, for a block."""
        return Process(self.api, self.zones, self.resolve)

    def create(self, *names: str, **spec: Any) -> None:
        """Federated Services whose endpoints somebody else keeps."""
        for name in names:
            found = {"type": "LoadBalancer", "ports": [{"port": 80, "targetPort": 8080, "protocol": "TCP"}], **spec}
            self.api.store.put(SERVICES, "default", {"metadata": {"name": name}, "spec": found})

    def stored(self, name: str) -> Json:
        """A Service of the federation."""
        return copy.deepcopy(self.api.store.get(SERVICES, "default", name))

    def delete(self, name: str) -> None:
        """Mark a federated Service as deleted, as an API server does while it has finalizers. It stays even after."""
        obj = self.stored(name)
        obj["metadata"]["deletionTimestamp"] = "2026-11-29T01:00:00Z"
        self.api.store.update(SERVICES, "default", name, obj)

    def copies(self, member: str) -> list[str]:
        """Names of the Services of a member."""
        store = self.members[member].store
        with store.changed:
            return sorted(name for collection, _, name in store.objects if collection == SERVICES)

    def reported(self) -> bool:
        """Whether the status of every Service says that all is as it should be, with an address of each member."""
        with self.api.store.changed:
            found = [obj for (kind, _, _), obj in self.api.store.objects.items() if kind == SERVICES]
        conditions = [obj.get("status", {}).get("conditions") or () for obj in found]
        published = f"has {plural(len(self.members), 'address', 'addresses')}"
        return all(
            len(each) >= 3
            and all(c["status"] == "True" for c in each)
            and any(str(c.get("message")).endswith(published) for c in each)
            for each in conditions
        )

    def zone(self, *, markers: bool = False) -> list[str]:
        """The records of the public zone, without that of the process."""
        with self.zones.lock:
            found = lines(dict(self.zones.sets[f"{ZONE}."]), markers=markers)
        return [line for line in found if not line.startswith("_rancherctl-")]

    def wait(self, what: str, answer: Callable[..., Any]) -> Any:
        """Ask until the answer is true."""
        found = poll_until(answer, GIVE_UP)
        assert found, what
        return found

    def close(self) -> None:
        """End all APIs."""
        for api in (self.api, *self.members.values()):
            api.close()


def settled(process: Process) -> bool:
    """Whether every copy is in sync, and the zone as wanted."""
    handles = list(process.hub.links.values())
    views = [handle.worker.view() for handle in handles]
    published = hasattr(process, "names") and process.names.publisher.state()
    return bool(
        views
        and all(v.reachable and v.states and all(s.state == "InSync" for s in v.states.values()) for v in views)
        and published
        and published.read
        and not published.pending
        and not published.problem
    )
