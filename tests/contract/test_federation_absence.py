"""Absence never deletes (R-a): lists that are empty or cut, a federation that is away, members that hang."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from rancherctl.contract import COPIES_FINALIZER
from rancherctl.federation import vanished, worker
from rancherctl.federation.objects import ObjectId
from rancherctl.kube import client
from tests.fakes.federation_site import FederationSite, settled, writes
from tests.fakes.kube import FakeApi, Fault, Handler

SERVICES = [f"s{number}" for number in range(6)]
Answer = Callable[[Handler], bool]


PUBLISHED = [f"{name}.default.acme.svc.acme.example A 203.0.113.1 203.0.113.2" for name in SERVICES]


@pytest.fixture
def site() -> Iterator[FederationSite]:
    with closing(FederationSite("m1", "m2")) as found:
        found.create(*SERVICES)
        yield found


def shortened(api: FakeApi, count: int) -> Fault:
    """Lists of Services end after ``count`` objects, as if there were no more."""

    def wanted(verb: str, path: str, query: dict[str, str]) -> bool:
        return verb == "GET" and path == "/api/v1/services" and "watch" not in query

    def act(handler: Handler) -> bool:
        store = api.store
        with store.changed:
            found = [o for (kind, _, _), o in sorted(store.objects.items()) if kind == "/api/v1/services"]
            version = str(store.version)
        handler.answer(200, {"kind": "List", "metadata": {"resourceVersion": version}, "items": found[:count]})
        return True

    return Fault(wanted, act, 99)


@pytest.mark.parametrize("count", [0, 3], ids=["an empty list", "the first page only"])
def test_a_list_that_lacks_services_deletes_no_copy_and_no_name(site: FederationSite, count: int) -> None:
    """Case 22, external-dns#2858 #3997, karmada#6098: the API answers 200 and the objects are not in the answer."""
    with site.process() as process:
        site.wait("in sync", lambda: settled(process) and len(site.copies("m1")) == len(SERVICES))
        site.wait("published", lambda: site.zone() == PUBLISHED)
        site.wait("statuses", site.reported)  # a later write would show the Service again
        before = {name: writes(api) for name, api in site.members.items()}
        site.api.faults.append(shortened(site.api, count))
        epoch = process.cache.snapshot().table("services").epoch
        process.cache.relist(("services",))
        known = lambda s: s.table("services").epoch > epoch and len(s.table("services").items) == count
        assert process.cache.wait(known, 60)
        orphans = {f"default/{name}" for name in SERVICES[count:]}

        def listed(member: str) -> bool:
            found = process.hub.links[member].worker.view().orphans
            return {i.key for i in found if i.kind == "Service"} == orphans

        for name in site.members:
            site.wait("listed as orphans", lambda name=name: listed(name))
        gone = {f"service/{key}" for key in orphans}
        site.wait("names, too", lambda: {f.object for f in process.names.publisher.state().orphans} == gone)
        assert site.zone() == PUBLISHED
        for name, api in site.members.items():
            assert site.copies(name) == SERVICES
            assert writes(api) == before[name]
        site.api.faults.clear()
        process.cache.relist(("services",))
        site.wait("in sync again", lambda: settled(process) and not process.names.publisher.state().orphans)
        assert {name: writes(api) for name, api in site.members.items()} == before


def test_a_deletion_waits_for_a_copy_that_was_created_and_is_not_listed(
    site: FederationSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its finalizer goes, and nothing ever removes the copy: absence from one list proves nothing."""
    monkeypatch.setattr(worker, "CREATED_SECONDS", 600.0)
    first = ObjectId("Service", f"default/{SERVICES[0]}")

    def finalizers() -> list[str]:
        return list(site.stored(SERVICES[0])["metadata"]["finalizers"])

    with site.process() as process:
        site.wait("in sync", lambda: settled(process) and site.zone() == PUBLISHED)
        there, m1 = process.hub.links["m1"].worker, site.members["m1"]
        m1.faults.append(shortened(m1, 0))
        there._cache.relist(("services",))
        site.wait("an older list", lambda: first not in there.view().copies)
        site.delete(SERVICES[0])
        site.wait("the other copy", lambda: SERVICES[0] not in site.copies("m2"))
        site.create("later")  # its status is written after the worker has planned with the deletion
        site.wait("later, there", lambda: "later" in site.copies("m1"))
        site.wait("its status", lambda: site.stored("later").get("status", {}).get("conditions"))
        assert finalizers() == [COPIES_FINALIZER]
        m1.faults.clear()
        there._cache.relist(("services",))
        site.wait("no copy", lambda: SERVICES[0] not in site.copies("m1"))
        site.wait("released", lambda: not finalizers())


@pytest.mark.parametrize("young", [True, False])
def test_an_object_that_goes_while_it_gets_its_finalizer_leaves_no_copy(
    site: FederationSite, monkeypatch: pytest.MonkeyPatch, young: bool
) -> None:
    """Like an API server that had begun to delete, the fake deletes in spite of a finalizer. Old copies are orphans."""
    monkeypatch.setattr(vanished, "YOUNG_SECONDS", 600.0 if young else 0.0)  # a busy machine needs more than usual
    with site.process() as process:
        site.wait("in sync", lambda: settled(process))
        process.client.delete(client.SERVICES, SERVICES[0], namespace="default")
        first = ObjectId("Service", f"default/{SERVICES[0]}")
        workers = [link.worker for link in process.hub.links.values()]
        if young:
            site.wait("no copy", lambda: all(site.copies(name) == SERVICES[1:] for name in site.members))
        else:
            site.wait("orphans", lambda: all(first in worker.view().orphans for worker in workers))
            assert all(site.copies(name) == SERVICES for name in site.members)


def test_a_page_that_does_not_come_is_not_the_end_of_the_list(site: FederationSite) -> None:
    """Case 22: the API fails in the middle; what was known stays known."""
    with site.process() as process:
        site.wait("in sync", lambda: settled(process))
        known = process.cache.snapshot().table("services").items
        site.api.cut(times=3, path="/api/v1/services", after_head=True)
        process.cache.relist(("services",))
        site.wait("tried", lambda: all(fault.times == 0 for fault in site.api.faults))
        assert process.cache.snapshot().table("services").items.keys() == known.keys()
        assert all(site.copies(name) == SERVICES for name in site.members)


def test_while_the_federation_is_away_nothing_changes_and_its_return_writes_nothing(site: FederationSite) -> None:
    """kubernetes-retired/federation#170: its host is down. Case 64: a restart with all in sync writes no copy."""
    with site.process() as process:
        site.wait("published", lambda: settled(process) and site.zone() == PUBLISHED)
    zone, before = site.zone(markers=True), {name: writes(api) for name, api in site.members.items()}
    versions: dict[str, Any] = {name: dict(api.store.objects) for name, api in site.members.items()}
    with site.process() as process:
        site.wait("in sync", lambda: settled(process) and process.names.publisher.state().epoch == 2)
        assert site.zone(markers=True) == zone
        assert {name: writes(api) for name, api in site.members.items()} == before
    for name, api in site.members.items():
        for key, obj in versions[name].items():
            assert key[0] not in ("/api/v1/services", "/api/v1/namespaces") or api.store.objects[key] == obj


def test_a_member_that_hangs_holds_nothing_for_the_others(site: FederationSite) -> None:
    """Case 63, kubefed#1373, karmada#5978: a member accepts every request and does not answer; m2 gets what is new."""
    site.members["m1"].stall(times=9999)
    with site.process() as process:
        site.wait("copies in m2", lambda: site.copies("m2") == SERVICES)
        site.create("urgent")
        site.wait("a change in m2", lambda: "urgent" in site.copies("m2"))
        assert site.copies("m1") == []
        site.members["m1"].faults.clear()
        site.wait("the backlog", lambda: site.copies("m1") == [*SERVICES, "urgent"])
        site.wait("in sync", lambda: settled(process))


@pytest.mark.parametrize("code", [429, 500])
def test_a_member_that_refuses_for_a_while_is_asked_again(site: FederationSite, code: int) -> None:
    """Case 63: the other member does not wait, and each write comes in the end, once."""
    site.members["m1"].fail(code, times=6, method="POST", path="/services", retry_after="1" if code == 429 else "")
    with site.process() as process:
        site.wait("copies in m2", lambda: site.copies("m2") == SERVICES)
        site.wait("copies in m1", lambda: site.copies("m1") == SERVICES)
        site.wait("in sync", lambda: settled(process))
