"""A member with several API servers: the Hub goes to the next one when checks of the connection have failed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from rancherctl.contract import FEDERATION_CONTROLLER
from rancherctl.federation.hub import SPEC, Hub
from rancherctl.federation.model import FederationSettings
from rancherctl.federation.public_names import NoNames
from rancherctl.federation.zone_report import FORCE, REQUESTS
from rancherctl.kube.cache import Cache
from rancherctl.kube.client import CONFIGMAPS
from rancherctl.kube.rest import RestClient
from rancherctl.kube.snapshot import Snapshot
from tests.fakes.federation_hub import hub_options
from tests.fakes.kube import FakeApi
from tests.fakes.member_api import CLUSTERS, NAMESPACES, MemberApi, cluster_json, secret_json
from tests.fakes.ports import free_port

GIVE_UP = 60.0


class ForcedNames(NoNames):
    """Counts requests to delete names that belong to nothing."""

    def __init__(self) -> None:
        self.forced = 0

    def force(self) -> None:
        self.forced += 1


class Site:
    """A Hub whose member has an API server that does not answer before one that does."""

    def __init__(self, api: FakeApi, servers: tuple[str, ...]) -> None:
        api.store.put(NAMESPACES, "", {"metadata": {"name": "kube-system", "uid": "fed-uid"}})
        api.store.put("/api/v1/secrets", FEDERATION_CONTROLLER, secret_json("m1"))
        api.store.put(CLUSTERS, "", cluster_json("m1", *servers))
        self.names = ForcedNames()
        self.client, self.wake = RestClient(api.url), threading.Event()
        options = hub_options(self.wake, names=lambda _: self.names)
        self.hub = Hub(self.client, lambda uid: FederationSettings("acme", uid, "acme.example", "none"), options)
        self.cache = Cache(self.client, SPEC.tables, lambda _: self.wake.set())
        self.cache.start()
        assert self.cache.wait(lambda s: s.healthy, GIVE_UP)

    def look(self) -> None:
        """One call of the Hub that does all its work."""
        self.hub.changed()
        self.hub.reconcile(self.cache.snapshot())

    def close(self) -> None:
        self.hub.stop()
        self.cache.stop()
        self.client.close()


@pytest.fixture
def member() -> Iterator[MemberApi]:
    with closing(MemberApi()) as api:
        yield api


@pytest.fixture
def site(member: MemberApi) -> Iterator[Site]:
    nothing = f"http://127.0.0.1:{free_port()}"
    with closing(FakeApi()) as api, closing(Site(api, (nothing, member.url))) as found:
        yield found


def test_calls_of_the_hub_are_not_failures_of_the_member(site: Site) -> None:
    """A busy federation calls its Hub many times a second: that says nothing about the member's API server."""
    site.look()
    first = site.hub.links["m1"].connection
    while not first.state.error:
        site.wake.wait(1.0)
        site.wake.clear()
    for _ in range(5):
        site.look()
    assert site.hub.links["m1"].connection is first


def test_the_next_server_is_used_after_failed_checks(site: Site, member: MemberApi) -> None:
    deadline = time.monotonic() + GIVE_UP
    while not any("services" in path for _, path in member.requests):
        assert time.monotonic() < deadline, "the second server was not asked"
        site.look()
        site.wake.wait(0.5)
        site.wake.clear()
    assert "controller" in member.issued


def test_a_request_to_delete_what_belongs_to_nothing_is_carried_out_once(site: Site) -> None:
    """The request of ``federation sync ZONE --force``."""
    body = {"metadata": {"name": REQUESTS}, "data": {"acme.example": FORCE}}
    site.client.create(CONFIGMAPS, body, namespace=FEDERATION_CONTROLLER)
    key = f"{FEDERATION_CONTROLLER}/{REQUESTS}"

    def requested(snapshot: Snapshot) -> bool:
        stored = snapshot.table("configmaps").items.get(key)
        return stored is not None and bool(stored.data)

    assert site.cache.wait(requested, GIVE_UP)
    site.look()
    assert site.names.forced == 1
    assert site.cache.wait(lambda snapshot: not requested(snapshot), GIVE_UP)
    site.look()
    assert site.names.forced == 1
