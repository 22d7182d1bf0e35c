"""Copies in members, with real API servers: a federation and two members, and the code that runs between them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from rancherctl.contract import (
    ADOPTED_ANNOTATION,
    COPIES_FINALIZER,
    FEDERATION_CONTROLLER,
    FEDERATION_LABEL,
    FEDERATION_UID_ANNOTATION,
    SOURCE_UID_ANNOTATION,
)
from rancherctl.errors import ConflictError, NotFoundError, UnreachableError
from rancherctl.federation import hub_tables
from rancherctl.federation.apply import CopyWriter
from rancherctl.federation.model import FederationSettings
from rancherctl.federation.objects import federated_service, service_copy
from rancherctl.federation.plan import CopyState, State, Step, Verb
from rancherctl.federation.projection import normalised
from rancherctl.federation.propagation import Propagation
from rancherctl.federation.shards import Member
from rancherctl.federation.topology import topology
from rancherctl.federation.worker import MemberWorker
from rancherctl.kube.cache import Cache
from rancherctl.kube.client import CONFIGMAPS, ENDPOINTSLICES, EVENTS, NAMESPACES, SERVICES, Json
from rancherctl.kube.rest import RestClient
from tests.lab.apiserver import ApiServer, running

SETTINGS = FederationSettings("acme", "fed-uid", "acme.example", "memory")
GIVE_UP = 30.0
NOW = "2026-11-29T00:00:00Z"


def until(what: str, answer: Callable[..., Any]) -> Any:
    """Ask until the answer is true; the API servers tell no test when a status has been written."""
    deadline, last = time.monotonic() + GIVE_UP, None
    while time.monotonic() < deadline:
        try:
            if last := answer():
                return last
        except NotFoundError as error:
            last = error
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {GIVE_UP:.0f} s, last {last!r}")


@dataclass
class Servers:
    federation: RestClient
    members: dict[str, RestClient]


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        found: list[ApiServer] = list(pool.map(lambda _: stack.enter_context(running()), range(3)))
        clients = [stack.enter_context(server.client()) for server in found]
        clients[0].create(NAMESPACES, {"metadata": {"name": FEDERATION_CONTROLLER}})
        yield Servers(clients[0], dict(zip(("m1", "m2"), clients[1:], strict=True)))


@dataclass
class Site:
    """The federation's process with its workers, as the Hub runs them."""

    servers: Servers
    labels: dict[str, dict[str, str]] = field(default_factory=lambda: {"m1": {"env": "prod"}, "m2": {"env": "test"}})
    leading: bool = True
    wake: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    workers: dict[str, MemberWorker] = field(default_factory=dict)

    def __enter__(self) -> Site:
        federation = self.servers.federation
        self.cache = Cache(federation, hub_tables.TABLES, lambda _: self.wake.set())
        self.cache.start()
        for name, api in self.servers.members.items():
            self.join(name, api)
        self.propagation = Propagation(federation, SETTINGS, clock=time.monotonic, now=lambda: NOW)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def join(self, name: str, api: RestClient) -> None:
        worker = MemberWorker(
            name, ("acme", "fed-uid"), api, leading=lambda: self.leading, changed=self.wake.set, now=lambda: NOW
        )
        self.workers[name] = worker
        worker.start()

    def members(self) -> dict[str, Member]:
        return {
            name: Member(
                name,
                self.labels.get(name, {}),
                ("203.0.113.0/24",),
                view=(view := worker.view()),
                topology=topology("eu", (), {}, view.nodes),
            )
            for name, worker in list(self.workers.items())  # a test may add one meanwhile
        }

    def run(self) -> None:
        while not self.ended.is_set():
            self.wake.clear()
            snapshot, pause = self.cache.snapshot(), None
            if hub_tables.complete(snapshot) and self.leading:
                pause = self.propagation.reconcile(hub_tables.hub_view(snapshot), self.members(), self.workers)
            self.wake.wait(1.0 if pause is None else min(pause, 1.0))

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.wake.set()
        self.thread.join(10)
        for worker in self.workers.values():
            worker.stop()
        self.cache.stop()


@pytest.fixture
def site(servers: Servers) -> Iterator[Site]:
    with Site(servers) as found:
        yield found


@pytest.fixture
def space(servers: Servers, request: pytest.FixtureRequest) -> str:
    """A namespace of the test's own in the federation."""
    name = f"t-{abs(hash(request.node.name)) % 10**8}"
    servers.federation.create(NAMESPACES, {"metadata": {"name": name}})
    return name


def service(name: str, **spec: Any) -> Json:
    more = {"type": "LoadBalancer", "selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}], **spec}
    return {"metadata": {"name": name, "labels": {"app": name}}, "spec": more}


def annotate(api: RestClient, space: str, name: str, **annotations: str | None) -> None:
    notes = {f"federation.rancherctl.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
    api.patch(SERVICES, name, {"metadata": {"annotations": notes}}, namespace=space)


def copy(servers: Servers, member: str, space: str, name: str) -> Json:
    return servers.members[member].get(SERVICES, name, namespace=space)


def events(servers: Servers, space: str, text: str) -> list[str]:
    """Messages of Events in the federation that contain the text."""
    found = servers.federation.list(EVENTS, namespace=space).items
    return [e["message"] for e in found if text in e["message"]]


def gone(api: RestClient, space: str, name: str) -> bool:
    try:
        api.get(SERVICES, name, namespace=space)
    except NotFoundError:
        return True
    return False


def condition(servers: Servers, space: str, name: str, kind: str = "Propagated") -> Json:
    found = servers.federation.get(SERVICES, name, namespace=space)["status"].get("conditions") or []
    return next((c for c in found if c["type"].endswith(f"/{kind}")), {})


def in_sync(servers: Servers, space: str, name: str) -> None:
    until("in sync", lambda: condition(servers, space, name).get("status") == "True")


def test_a_service_gets_to_every_member_with_addresses_and_ports_of_its_own(
    site: Site, servers: Servers, space: str
) -> None:
    servers.federation.create(SERVICES, service("web"), namespace=space, manager="kubectl-create")
    found = [until("copy", lambda m=m: copy(servers, m, space, "web")) for m in ("m1", "m2")]
    here = servers.federation.get(SERVICES, "web", namespace=space)
    for obj in found:
        assert obj["spec"]["ports"][0]["port"] == 80
        assert obj["spec"]["selector"] == {"app": "web"}
        assert obj["metadata"]["labels"] == {"app": "web", FEDERATION_LABEL: "acme"}
        assert obj["metadata"]["annotations"][SOURCE_UID_ANNOTATION] == here["metadata"]["uid"]
    # Three API servers allocate from one range by chance: what was copied would be equal in all.
    assert len({obj["spec"]["clusterIP"] for obj in (here, *found)}) > 1
    assert COPIES_FINALIZER in here["metadata"]["finalizers"]
    in_sync(servers, space, "web")


def test_a_node_port_that_the_user_said_is_kept(site: Site, servers: Servers, space: str) -> None:
    wanted = service("web", type="NodePort", ports=[{"port": 80, "nodePort": 31777}])
    servers.federation.create(SERVICES, wanted, namespace=space, manager="kubectl-create")
    assert until("copy", lambda: copy(servers, "m1", space, "web"))["spec"]["ports"][0]["nodePort"] == 31777
    servers.federation.delete(SERVICES, "web", namespace=space)
    until("gone", lambda: gone(servers.federation, space, "web"))


def test_a_node_port_that_is_taken_is_said_and_blocks_nothing_else(site: Site, servers: Servers, space: str) -> None:
    servers.members["m1"].create(NAMESPACES, {"metadata": {"name": f"{space}-x"}})
    taken = service("taken", type="NodePort", ports=[{"port": 80, "nodePort": 31888}])
    servers.members["m1"].create(SERVICES, taken, namespace=f"{space}-x")
    wanted = service("web", type="NodePort", ports=[{"port": 80, "nodePort": 31888}])
    servers.federation.create(SERVICES, wanted, namespace=space, manager="kubectl-create")
    servers.federation.create(SERVICES, service("other"), namespace=space)
    until("the other member", lambda: copy(servers, "m2", space, "web"))
    until("the other Service", lambda: copy(servers, "m1", space, "other"))
    taken_text = "provided port is already allocated"
    until("reported", lambda: taken_text in condition(servers, space, "web").get("message", ""))
    until("synced", lambda: condition(servers, space, "web")["message"].startswith("in sync in 1 of 2 members; m1: "))
    servers.federation.delete(SERVICES, "web", namespace=space)


def test_drift_is_repaired_and_foreign_annotations_stay(site: Site, servers: Servers, space: str) -> None:
    servers.federation.create(SERVICES, service("web"), namespace=space)
    in_sync(servers, space, "web")
    m1 = servers.members["m1"]
    m1.patch(
        SERVICES,
        "web",
        {"metadata": {"annotations": {"team": "x"}}, "spec": {"selector": {"app": "else"}}},
        namespace=space,
    )
    until("repaired", lambda: copy(servers, "m1", space, "web")["spec"]["selector"] == {"app": "web"})
    assert copy(servers, "m1", space, "web")["metadata"]["annotations"]["team"] == "x"
    m1.patch(SERVICES, "web", {"metadata": {"labels": {FEDERATION_LABEL: None}}}, namespace=space)
    until("label back", lambda: FEDERATION_LABEL in copy(servers, "m1", space, "web")["metadata"]["labels"])
    uid = copy(servers, "m1", space, "web")["metadata"]["uid"]
    m1.delete(SERVICES, "web", namespace=space)
    until("recreated", lambda: copy(servers, "m1", space, "web")["metadata"]["uid"] != uid)


@pytest.mark.parametrize(
    "change",
    [
        {"ports": [{"name": "http", "port": 81}]},
        {"ports": [{"name": "http", "port": 80}, {"name": "evil", "port": 81}]},
        {"ports": [{"name": "evil", "port": 81}]},
        {"externalIPs": ["192.0.2.7"]},
        {"sessionAffinity": "ClientIP", "publishNotReadyAddresses": True},
    ],
    ids=["another number", "one more port", "another port", "a field of others", "other values"],
)
def test_what_others_add_to_a_copy_is_taken_away(site: Site, servers: Servers, space: str, change: Json) -> None:
    """Server-side apply alone leaves ports of others in the list, or is refused because of them."""
    servers.federation.create(SERVICES, service("web", ports=[{"name": "http", "port": 80}]), namespace=space)
    in_sync(servers, space, "web")

    def spec() -> Json:
        return normalised(copy(servers, "m1", space, "web")["spec"])  # without what servers allocate

    before = spec()
    servers.members["m1"].patch(SERVICES, "web", {"spec": change}, namespace=space)
    until("repaired", lambda: spec() == before)
    in_sync(servers, space, "web")
    servers.federation.patch(SERVICES, "web", {"spec": {"ports": [{"name": "new", "port": 90}]}}, namespace=space)
    until("later change", lambda: [p["port"] for p in copy(servers, "m1", space, "web")["spec"]["ports"]] == [90])


def test_a_field_that_is_removed_in_the_federation_is_removed_in_members(
    site: Site, servers: Servers, space: str
) -> None:
    first = service("web", sessionAffinity="ClientIP", ports=[{"name": "a", "port": 80}, {"name": "b", "port": 81}])
    servers.federation.create(SERVICES, first, namespace=space)
    in_sync(servers, space, "web")
    change = {
        "spec": {"sessionAffinity": "None", "sessionAffinityConfig": None, "ports": [{"name": "a", "port": 80}]},
        "metadata": {"labels": {"app": None}},
    }
    servers.federation.patch(SERVICES, "web", change, namespace=space)

    def changed() -> bool:
        obj = copy(servers, "m1", space, "web")
        return (
            len(obj["spec"]["ports"]) == 1
            and obj["spec"]["sessionAffinity"] == "None"
            and "app" not in obj["metadata"]["labels"]
        )

    until("changed", changed)


def test_a_field_that_a_member_does_not_know_is_named(servers: Servers, space: str) -> None:
    """Case 23: create and change are refused as a whole, with the field; what was there stays as it was."""
    m1 = servers.members["m1"]
    m1.create(NAMESPACES, {"metadata": {"name": space}})
    writer = CopyWriter(m1, "acme", "fed-uid", lambda: NOW)
    source = federated_service({"metadata": {"name": "web", "namespace": space, "uid": "u"}, **service_spec()})
    newer = replace(source, body={**source.body, "spec": {**source.body["spec"], "trafficMagic": "yes"}})
    refused = CopyState(
        State.FAILED, "MemberTooOld", "this member's Kubernetes does not know the field spec.trafficMagic"
    )
    assert writer.run(Step(Verb.CREATE, source.id, newer)) == refused
    assert gone(m1, space, "web")
    assert writer.run(Step(Verb.CREATE, source.id, source)).state is State.PENDING
    before = copy(servers, "m1", space, "web")
    assert writer.run(Step(Verb.UPDATE, source.id, newer, service_copy(before))) == refused
    assert copy(servers, "m1", space, "web")["spec"] == before["spec"]


def service_spec() -> Json:
    return {"spec": {"type": "ClusterIP", "selector": {"app": "web"}, "ports": [{"port": 80, "protocol": "TCP"}]}}


def test_services_that_are_deleted_at_once_leave_no_copy(site: Site, servers: Servers, space: str) -> None:
    """k/k#38133: Federation v1 lost the race for its finalizer, and copies stayed for ever.

    A Service without our finalizer has no copy yet; one with it goes when its copies are gone.
    """
    names = [f"brief-{number}" for number in range(20)]
    for name in names:
        servers.federation.create(SERVICES, service(name, type="ClusterIP"), namespace=space)
        label = {"metadata": {"labels": {"changed": "meanwhile"}}}  # so that the finalizer's version is often refused
        servers.federation.patch(SERVICES, name, label, namespace=space)
        servers.federation.delete(SERVICES, name, namespace=space)
    servers.federation.create(SERVICES, service("last", type="ClusterIP"), namespace=space)
    in_sync(servers, space, "last")
    until("gone", lambda: all(gone(servers.federation, space, name) for name in names))
    for api in servers.members.values():
        until("no copy", lambda api=api: all(gone(api, space, name) for name in names))


def test_deleting_a_service_removes_its_copies_everywhere(site: Site, servers: Servers, space: str) -> None:
    servers.federation.create(SERVICES, service("web"), namespace=space)
    in_sync(servers, space, "web")
    servers.federation.delete(SERVICES, "web", namespace=space)
    for api in (servers.federation, *servers.members.values()):
        until("gone", lambda api=api: gone(api, space, "web"))


@pytest.mark.parametrize("stopped", [False, True])
def test_cascade_orphan_leaves_the_copies_without_our_marks(
    site: Site, servers: Servers, space: str, stopped: bool
) -> None:
    servers.federation.create(SERVICES, service("web"), namespace=space)
    in_sync(servers, space, "web")
    site.leading = not stopped
    servers.federation.delete(SERVICES, "web", namespace=space, options={"propagationPolicy": "Orphan"})
    site.leading = True
    site.wake.set()
    until("gone here", lambda: gone(servers.federation, space, "web"))
    for member in servers.members:
        obj = copy(servers, member, space, "web")
        assert FEDERATION_LABEL not in obj["metadata"]["labels"]
        assert FEDERATION_UID_ANNOTATION not in (obj["metadata"].get("annotations") or {})


def test_a_second_delete_cannot_turn_orphan_into_a_cascade(site: Site, servers: Servers, space: str) -> None:
    servers.federation.create(SERVICES, service("web"), namespace=space)
    in_sync(servers, space, "web")
    holder = {"metadata": {"finalizers": ["test.example/hold"]}}
    finalizers = servers.federation.get(SERVICES, "web", namespace=space)["metadata"]["finalizers"]
    holder["metadata"]["finalizers"] += finalizers
    servers.federation.patch(SERVICES, "web", holder, namespace=space)
    servers.federation.delete(SERVICES, "web", namespace=space, options={"propagationPolicy": "Orphan"})
    until(
        "noted",
        lambda: (
            "federation.rancherctl.io/orphan"
            in (servers.federation.get(SERVICES, "web", namespace=space)["metadata"]["annotations"])
        ),
    )
    servers.federation.delete(SERVICES, "web", namespace=space, options={"propagationPolicy": "Background"})
    until("released", lambda: FEDERATION_LABEL not in copy(servers, "m1", space, "web")["metadata"]["labels"])
    servers.federation.patch(SERVICES, "web", {"metadata": {"finalizers": None}}, namespace=space)


def test_a_selector_moves_the_copies(site: Site, servers: Servers, space: str) -> None:
    """Case 13, k/k#29887: what the design of Federation v1's cluster selector asked for, and came late to Services."""
    servers.federation.create(SERVICES, service("web"), namespace=space)
    in_sync(servers, space, "web")
    annotate(servers.federation, space, "web", cluster_selector="env=prod")
    until("removed there", lambda: gone(servers.members["m2"], space, "web"))
    annotate(servers.federation, space, "web", cluster_selector="env in prod")
    until("reported", lambda: condition(servers, space, "web").get("reason") == "InvalidSelector")
    assert copy(servers, "m1", space, "web")
    assert gone(servers.members["m2"], space, "web")
    annotate(servers.federation, space, "web", cluster_selector=None)
    until("back", lambda: copy(servers, "m2", space, "web"))


def existing(servers: Servers, space: str, **spec: Any) -> Json:
    """A Service with the name ``web`` that was in m1 before."""
    label = {"labels": {FEDERATION_LABEL: "acme"}}
    servers.members["m1"].create(NAMESPACES, {"metadata": {"name": space, **label}})
    return servers.members["m1"].create(SERVICES, service("web", **spec), namespace=space, manager="kubectl-create")


@pytest.mark.parametrize(
    ("adopt", "spec", "result"),
    [
        ("never", {}, "adopt: never"),
        ("if-equal", {}, "adopted"),
        ("if-equal", {"ports": [{"port": 81}]}, "differs in spec.ports"),
        ("always", {"ports": [{"port": 81}], "selector": {"old": "x"}}, "adopted"),
    ],
)
def test_a_service_that_was_there_before_is_adopted_by_rule_only(
    site: Site, servers: Servers, space: str, adopt: str, spec: dict[str, Any], result: str
) -> None:
    """Cases 15, 20; k/k#23848: Federation v1 adopted whatever had the name, and changed it."""
    before = existing(servers, space, **spec)
    wanted = service("web")
    wanted["metadata"]["annotations"] = {"federation.rancherctl.io/adopt": adopt}
    servers.federation.create(SERVICES, wanted, namespace=space)
    if result == "adopted":
        in_sync(servers, space, "web")
        after = copy(servers, "m1", space, "web")
        assert after["metadata"]["annotations"][ADOPTED_ANNOTATION] == NOW
        assert after["spec"]["clusterIP"] == before["spec"]["clusterIP"]
        assert [p["port"] for p in after["spec"]["ports"]] == [80]
        assert after["spec"]["selector"] == {"app": "web"}
        # What was adopted is released, not deleted.
        servers.federation.delete(SERVICES, "web", namespace=space)
        until("gone here", lambda: gone(servers.federation, space, "web"))
        assert ADOPTED_ANNOTATION not in (copy(servers, "m1", space, "web")["metadata"].get("annotations") or {})
    else:
        until("reported", lambda: result in condition(servers, space, "web").get("message", ""))
        until("Event", lambda: events(servers, space, result))
        assert copy(servers, "m1", space, "web")["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
        until("the other member", lambda: copy(servers, "m2", space, "web"))


def test_a_namespace_that_was_there_before_needs_the_label(site: Site, servers: Servers, space: str) -> None:
    m1 = servers.members["m1"]
    m1.create(NAMESPACES, {"metadata": {"name": space}})
    servers.federation.create(SERVICES, service("web"), namespace=space)
    until("reported", lambda: f"kubectl label namespace {space}" in condition(servers, space, "web").get("message", ""))
    assert gone(m1, space, "web")
    m1.patch(NAMESPACES, space, {"metadata": {"labels": {FEDERATION_LABEL: "acme"}}})
    until("copied", lambda: copy(servers, "m1", space, "web"))


def test_the_status_is_the_union_of_the_members_addresses(site: Site, servers: Servers, space: str) -> None:
    servers.federation.create(SERVICES, service("web"), namespace=space)
    in_sync(servers, space, "web")
    for number, (name, api) in enumerate(servers.members.items()):
        slice_ = {
            "metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web", FEDERATION_LABEL: "acme"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["10.42.0.9"]}],
            "ports": [{"port": 8080}],
        }
        api.create(ENDPOINTSLICES, slice_, namespace=space)
        addresses = [{"ip": "203.0.113.9"}, {"ip": f"203.0.113.{number + 1}"}, {"ip": "192.0.2.1"}]
        api.patch(
            SERVICES, "web", {"status": {"loadBalancer": {"ingress": addresses}}}, namespace=space, subresource="status"
        )
        assert name

    def ingress() -> list[Json]:
        return servers.federation.get(SERVICES, "web", namespace=space)["status"]["loadBalancer"].get("ingress") or []

    until("union", lambda: [e["ip"] for e in ingress()] == ["203.0.113.1", "203.0.113.2", "203.0.113.9"])
    assert {e["ipMode"] for e in ingress()} == {"Proxy"}
    until("healthy", lambda: condition(servers, space, "web", "Healthy").get("status") == "True")
    # The status that we write does not count as what the user said.
    assert len(copy(servers, "m1", space, "web")["spec"]["ports"]) == 1


class Off:
    """A member whose API cannot be reached."""

    def __getattr__(self, name: str) -> Any:
        def refuse(*_: Any, **__: Any) -> Any:
            raise UnreachableError(f"{name}: no answer")

        return refuse


def test_an_unreachable_member_holds_no_deletion_and_loses_its_copy_when_it_returns(
    site: Site, servers: Servers, space: str
) -> None:
    """Case 18, kubefed#591 #603 #1254: deleted objects waited for ever for a cluster that was off."""
    servers.federation.create(SERVICES, service("web"), namespace=space)
    in_sync(servers, space, "web")
    site.workers.pop("m1").stop()
    off: Any = Off()
    site.join("m1", off)
    servers.federation.delete(SERVICES, "web", namespace=space)
    until("gone here", lambda: gone(servers.federation, space, "web"))
    pending = servers.federation.get(CONFIGMAPS, "pending-m1", namespace=FEDERATION_CONTROLLER)
    assert f"Service.{space}.web" in pending["data"]
    assert copy(servers, "m1", space, "web")
    site.workers.pop("m1").stop()
    site.join("m1", servers.members["m1"])
    until("gone there", lambda: gone(servers.members["m1"], space, "web"))
    until(
        "forgotten",
        lambda: (
            f"Service.{space}.web"
            not in (servers.federation.get(CONFIGMAPS, "pending-m1", namespace=FEDERATION_CONTROLLER).get("data") or {})
        ),
    )


def test_a_program_that_changes_a_copy_again_and_again_is_named(site: Site, servers: Servers, space: str) -> None:
    """Case 12, karmada#3410 #1273 #386: two managers of one object change it for ever."""
    servers.federation.create(SERVICES, service("web"), namespace=space)
    in_sync(servers, space, "web")
    m1, writes = servers.members["m1"], 0
    for _ in range(400):
        if "again and again" in condition(servers, space, "web").get("message", ""):
            break
        found = copy(servers, "m1", space, "web")
        if found["spec"]["selector"] == {"app": "web"}:
            found["spec"]["selector"] = {"app": "argo"}
            try:
                m1.replace(SERVICES, found, manager="argocd")
                writes += 1
            except ConflictError:
                continue
        time.sleep(0.02)
    message = until("named", lambda: condition(servers, space, "web").get("message", ""))
    assert 'the field manager "argocd" changes the copy again and again' in message
    assert writes <= 7
