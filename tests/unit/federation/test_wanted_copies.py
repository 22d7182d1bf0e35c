"""Which member is to have which object."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rancherctl.federation.objects import Federated, ObjectId
from rancherctl.federation.pending import PendingEntry, parse, render
from rancherctl.federation.plan import Tombstone, WantedCopies
from rancherctl.federation.wanted import StableSources, unguarded, wanted_copies
from tests.fakes.federation import FEDERATION, UID, annotated, deleting, member, namespace_json, service_json, source_of

PROD = member("prod", labels={"env": "prod"})
TEST = member("test", labels={"env": "test"})


def wanted(*objects: Federated, **pending: dict[ObjectId, PendingEntry]) -> dict[str, WantedCopies]:
    namespaces = {o.meta.name: o for o in objects if o.id.kind == "Namespace"}
    services = [o for o in objects if o.id.kind == "Service"]
    return wanted_copies(FEDERATION, UID, services, namespaces, (PROD, TEST), pending)


def test_without_a_selector_every_member_gets_the_service_and_its_namespace() -> None:
    found = wanted(source_of(namespace_json()), source_of(service_json()))
    for name in ("prod", "test"):
        assert [str(i) for i in found[name].selected] == ["Namespace default", "Service default/web"]


def test_a_selector_chooses_members_and_the_others_lose_their_copies() -> None:
    service = source_of(annotated(service_json(), cluster_selector="env=prod"))
    found = wanted(source_of(namespace_json()), service)
    assert service.id in found["prod"].selected
    assert found["test"].deselected == {service.id: service.meta.uid}
    assert not found["test"].selected


def test_the_selector_of_a_namespace_narrows_that_of_its_objects() -> None:
    namespace = source_of(annotated(namespace_json(), cluster_selector="env=test"))
    service = source_of(service_json())
    found = wanted(namespace, service)
    assert found["prod"].deselected == {service.id: service.meta.uid}
    assert service.id in found["test"].selected


def test_a_selector_that_cannot_be_read_changes_nothing_anywhere() -> None:
    service = source_of(annotated(service_json(), cluster_selector="env in prod"))
    found = wanted(source_of(namespace_json()), service)
    assert all(service.id in f.uncertain and service.id not in f.selected for f in found.values())


def test_a_drained_member_keeps_what_it_has_and_gets_nothing_new() -> None:
    service, namespace = source_of(service_json()), source_of(namespace_json())
    drained = replace(PROD, drained=True)
    found = wanted_copies(FEDERATION, UID, [service], {"default": namespace}, [drained, TEST], {})
    assert not found["prod"].selected
    assert not found["prod"].deselected
    assert service.id in found["prod"].uncertain
    assert service.id in found["test"].selected


def test_objects_that_stay_or_are_reserved_go_nowhere() -> None:
    stays = source_of(annotated(service_json("a"), stay="true"))
    reserved = source_of(service_json("b", "kube-system"))
    kubernetes = source_of(service_json("kubernetes"))
    found = wanted(source_of(namespace_json()), source_of(namespace_json("kube-system")), stays, reserved, kubernetes)
    assert not found["prod"].selected
    assert stays.id in found["prod"].deselected  # where it was before, it goes


def test_nothing_is_copied_before_its_finalizer_is_there() -> None:
    bare = source_of(service_json(finalizer=False))
    namespace = source_of(namespace_json(finalizer=False))
    assert not wanted(namespace, bare)["prod"].selected
    assert {o.id for o in unguarded([bare], {"default": namespace}, [PROD])} == {bare.id, namespace.id}
    nowhere = source_of(annotated(service_json(finalizer=False), cluster_selector="env=none"))
    assert unguarded([nowhere], {"default": namespace}, [PROD]) == []


def test_a_deleted_object_is_a_tombstone_and_orphan_is_never_taken_back() -> None:
    plain = source_of(deleting(service_json()))
    orphan = source_of(deleting(service_json(), "orphan"))
    noted = source_of(deleting(annotated(service_json(), orphan="true")))
    namespace = source_of(namespace_json())
    assert wanted(namespace, plain)["prod"].tombstones[plain.id] == Tombstone(plain.meta.uid)
    for source in (orphan, noted):
        assert wanted(namespace, source)["prod"].tombstones[source.id] == Tombstone(source.meta.uid, orphan=True)


def test_a_namespace_that_is_deleted_with_orphan_keeps_the_copies_of_its_content() -> None:
    namespace = source_of(deleting(namespace_json(), "orphan"))
    service = source_of(deleting(service_json()))
    assert wanted(namespace, service)["prod"].tombstones[service.id].orphan


def test_a_service_in_a_namespace_that_is_going_waits_for_its_own_deletion() -> None:
    found = wanted(source_of(deleting(namespace_json())), source_of(service_json()))["prod"]
    assert not found.selected
    assert not found.deselected


def test_a_leaving_member_keeps_its_copies_until_its_names_are_gone() -> None:
    service = source_of(service_json())
    leaving = [member("old", leaving=True), member("gone", leaving=True, leave="keep")]
    found = wanted_copies(FEDERATION, UID, [service], {"default": source_of(namespace_json())}, leaving, {})
    assert service.id in found["old"].uncertain  # what it has stays: its names go first
    assert not found["old"].deselected
    assert (found["gone"].leave, found["gone"].selected) == ("keep", {})


def test_stored_tombstones_are_read_back_and_damaged_ones_delete_nothing() -> None:
    entries = {
        ObjectId("Service", "default/web"): PendingEntry("u1", deleted="2026-11-29T00:00:00Z"),
        ObjectId("Namespace", "team-a"): PendingEntry("u2", orphan=True),
    }
    stored = render(entries)
    assert parse(stored) == entries
    assert parse({**stored, "Service.a.b": "{", "Service.c.d": "[]", "Service.e.f": '{"orphan": true}'}) == entries
    assert wanted(prod=entries)["prod"].tombstones[ObjectId("Namespace", "team-a")] == Tombstone("u2", orphan=True)


def test_a_source_is_the_same_object_while_copies_see_no_difference() -> None:
    """Its status, which is written at each change in a member, wakes no worker; everything that copies have does."""
    sources, web = StableSources(), source_of(service_json("web"))
    key = web.id.key
    assert sources.of({key: web})[key] is web
    written = replace(web, meta=replace(web.meta, resource_version="2"), status="{}", published=("203.0.113.1",))
    assert sources.of({key: written})[key] is web
    changes: list[dict[str, Any]] = [
        {"digest": "other"},
        {"meta": replace(web.meta, uid="other")},
        {"meta": replace(web.meta, deleting=True)},
        {"finalizers": ()},
        {"orphan": True},
        {"spec_digest": "other"},
        {"node_ports": (("80/TCP", 30080),)},
        {"family_policy": "PreferDualStack"},
        {"type": "ClusterIP"},
        {"options": replace(web.options, stay=True)},
    ]
    for change in changes:
        changed = replace(written, **change)
        assert sources.of({key: written})[key] is not changed
        assert sources.of({key: changed})[key] is changed, change
    assert sources.of({}) == {}
    assert sources.of({key: written})[key] is written
