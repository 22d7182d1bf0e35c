"""Statuses: an address is there exactly as long as its host really serves the Ingress."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rancherctl.contract import STATUS_ANNOTATION
from rancherctl.errors import ConflictError, UnreachableError
from rancherctl.ingress.model import HASH_SCHEME
from rancherctl.ingress.status import publish
from rancherctl.ingress.status.ingresses import ingress_statuses, stored_statuses
from rancherctl.ingress.status.plan import Published, Statuses, plan_writes
from rancherctl.ingress.status.report import HostReport
from rancherctl.ingress.translate.rules import translate
from rancherctl.kube import objects
from rancherctl.kube.client import INGRESSES, InvalidObjectError, ServerError, ThrottledError
from rancherctl.kube.objects import Ingress
from rancherctl.placement.model import Roster
from rancherctl.placement.place import place
from tests.fakes import ingress as fake

RULES = [("foo.com", "Prefix", "/", "web:80")]
CLASSES = {"rancher": fake.RANCHER}
H4 = ("h1", "h2", "h3", "h4")


class Cluster:
    """Ingresses, a roster and what hosts have confirmed; ``turn`` is one pass of the leader, which writes what it decides."""

    def __init__(self, *ingresses: Ingress, roster: Roster | None = None) -> None:
        self.ingresses = {i.meta.key: i for i in ingresses}
        self.roster = roster or fake.roster(*H4)
        self.served: dict[str, dict[str, str]] = {}
        self.old_agents: set[str] = set()
        self.since: Mapping[str, float] = {}
        self.managed: frozenset[str] = frozenset()
        self.now = 100.0

    def confirm(self, *hosts: str, key: str = "default/a", content: str = "") -> None:
        for host in hosts:
            self.served.setdefault(host, {})[key] = content or translate(self.ingresses[key]).hash

    def reports(self) -> dict[str, HostReport]:
        return {
            h: HostReport(served, hash_scheme=HASH_SCHEME - (h in self.old_agents)) for h, served in self.served.items()
        }

    def decide(self) -> Statuses:
        return ingress_statuses(
            self.ingresses,
            CLASSES,
            self.roster,
            self.reports(),
            stored=stored_statuses(self.ingresses),
            since=self.since,
            now=self.now,
            managed=self.managed,
        )

    def turn(self, seconds: float = 0.0) -> dict[str, tuple[str, ...]]:
        self.now += seconds
        found = self.decide()
        self.since, self.managed = found.since, found.managed
        for change in plan_writes(stored_statuses(self.ingresses), found):
            assert change.new is not None
            i = self.ingresses[change.key]
            notes = {k: v for k, v in i.meta.annotations.items() if k != STATUS_ANNOTATION}
            if change.new.annotation:
                notes[STATUS_ANNOTATION] = change.new.annotation
            self.ingresses[change.key] = replace(
                i, meta=replace(i.meta, annotations=notes), status=change.new.addresses
            )
        assert not plan_writes(stored_statuses(self.ingresses), self.decide()), "a second plan after an apply is empty"
        return {k: i.status for k, i in self.ingresses.items()}

    def note(self, key: str = "default/a") -> dict[str, Any]:
        return dict(json.loads(self.ingresses[key].meta.annotations[STATUS_ANNOTATION]))

    def hosts(self, key: str = "default/a") -> tuple[str, ...]:
        return place(translate(self.ingresses[key]).for_placement, self.roster).hosts


def _address(host: str) -> str:
    return f"192.0.2.{host[1:]}"


def _two(**kwargs: Any) -> Ingress:
    return fake.ingress("a", RULES, annotations={"scale": "2"}, **kwargs)


def test_only_confirmed_hosts_are_published_sorted() -> None:
    cluster = Cluster(_two())
    first, second = cluster.hosts()
    assert cluster.turn() == {"default/a": ()}
    assert cluster.note()["reason"] == "Waiting"
    cluster.confirm(second)
    assert cluster.turn() == {"default/a": (_address(second),)}
    cluster.confirm(first, *(h for h in H4 if h not in {first, second}))
    assert cluster.turn() == {"default/a": tuple(sorted((_address(first), _address(second))))}
    assert cluster.note() == {
        "reason": "Served",
        "message": "",
        "wanted": 2,
        "published": 2,
        "hash": translate(cluster.ingresses["default/a"]).hash,
    }


def test_a_lost_host_leaves_at_once_and_its_replacement_comes_when_it_confirmed() -> None:
    cluster = Cluster(_two())
    lost, other = cluster.hosts()
    cluster.confirm(lost, other)
    cluster.turn()
    cluster.roster = fake.roster(*H4, sequence=2, dead=[lost])
    assert cluster.turn() == {"default/a": (_address(other),)}
    (new,) = set(cluster.hosts()) - {other}
    cluster.confirm(new)
    assert set(cluster.turn()["default/a"]) == {_address(other), _address(new)}


def test_a_returning_host_takes_over_only_after_it_confirmed() -> None:
    cluster = Cluster(_two())
    lost, other = cluster.hosts()
    cluster.roster = fake.roster(*H4, dead=[lost])
    (stand_in,) = set(cluster.hosts()) - {other}
    cluster.confirm(stand_in, other)
    cluster.turn()
    cluster.roster = fake.roster(*H4, sequence=2)
    assert _address(stand_in) in cluster.turn()["default/a"]
    cluster.confirm(lost)
    assert set(cluster.turn()["default/a"]) == {_address(lost), _address(other)}


def test_an_edit_does_not_take_addresses_away_unless_a_host_stays_behind() -> None:
    cluster = Cluster(_two())
    first, second = cluster.hosts()
    cluster.confirm(first, second)
    cluster.turn()
    i = cluster.ingresses["default/a"]
    cluster.ingresses["default/a"] = replace(
        i, rules=fake.ingress("a", [("foo.com", "Prefix", "/new", "web:80")]).rules
    )
    assert len(cluster.turn()["default/a"]) == 2
    cluster.confirm(first)
    assert len(cluster.turn(1)["default/a"]) == 2
    assert cluster.turn(6) == {"default/a": (_address(first),)}
    cluster.confirm(second)
    assert len(cluster.turn()["default/a"]) == 2


def test_scale_down_publishes_fewer_at_once() -> None:
    cluster = Cluster(fake.ingress("a", RULES, annotations={"scale": "3"}))
    cluster.confirm(*H4)
    assert len(cluster.turn()["default/a"]) == 3
    i = cluster.ingresses["default/a"]
    cluster.ingresses["default/a"] = replace(i, meta=replace(i.meta, annotations={**i.meta.annotations, "scale": "1"}))
    assert len(cluster.turn()["default/a"]) == 1


def test_bad_scale_keeps_what_was_and_says_so() -> None:
    cluster = Cluster(_two())
    cluster.confirm(*H4)
    before = cluster.turn()
    for text in ("abc", "0", "-1", "1.5"):
        i = cluster.ingresses["default/a"]
        cluster.ingresses["default/a"] = replace(
            i, meta=replace(i.meta, annotations={**i.meta.annotations, "scale": text})
        )
        assert cluster.turn() == before
        assert cluster.note()["reason"] == "InvalidScale"
        assert cluster.note()["wanted"] == 2


def test_ninety_nine_gives_all_and_says_so() -> None:
    cluster = Cluster(fake.ingress("a", RULES, annotations={"scale": "99"}))
    cluster.confirm(*H4)
    assert len(cluster.turn()["default/a"]) == 4
    assert (cluster.note()["reason"], cluster.note()["wanted"]) == ("TooFewHosts", 99)


def test_wiped_and_forged_statuses_are_put_right() -> None:
    cluster = Cluster(_two())
    cluster.confirm(*H4)
    right = cluster.turn()
    for wrong in ((), ("6.6.6.6",), (*right["default/a"], "6.6.6.6")):
        cluster.ingresses["default/a"] = replace(cluster.ingresses["default/a"], status=wrong)
        assert cluster.turn() == right


def test_a_name_beside_an_address_is_taken_out() -> None:
    """DNS made from statuses would publish both."""
    cluster = Cluster(_two())
    cluster.confirm(*H4)
    (first, *_) = cluster.turn()["default/a"]
    entries = [{"ip": first, "hostname": "evil.example.com"}]
    stored = objects.ingress(
        {"metadata": {"name": "a", "namespace": "default"}, "status": {"loadBalancer": {"ingress": entries}}}
    )
    right = cluster.ingresses["default/a"]
    assert (stored.status, stored.status_says_more, right.status_says_more) == ((first,), True, False)
    forged = {"default/a": replace(right, status_says_more=True)}
    cluster.ingresses = forged
    (change,) = plan_writes(stored_statuses(forged), cluster.decide())
    assert change.new == Published(right.status, right.meta.annotations[STATUS_ANNOTATION])
    foreign = {"default/a": replace(forged["default/a"], class_name="nginx", meta=replace(right.meta, annotations={}))}
    cluster.ingresses, cluster.managed = foreign, frozenset()
    assert not plan_writes(stored_statuses(foreign), cluster.decide())


def test_a_foreign_class_loses_ours_and_keeps_its_own() -> None:
    cluster = Cluster(_two())
    cluster.confirm(*H4)
    addresses = cluster.turn()["default/a"]
    cluster.ingresses["default/a"] = replace(
        cluster.ingresses["default/a"], class_name="nginx", status=(*addresses, "203.0.113.9")
    )
    assert cluster.turn() == {"default/a": ("203.0.113.9",)}
    assert STATUS_ANNOTATION not in cluster.ingresses["default/a"].meta.annotations
    cluster.turn()
    cluster.ingresses["default/a"] = replace(cluster.ingresses["default/a"], status=addresses)
    assert cluster.turn() == {"default/a": addresses}, "what was never ours is not touched"


def test_a_class_change_that_takes_the_annotation_with_it_leaves_no_address_behind() -> None:
    """`kubectl replace` writes the whole object: without the annotation nothing in it tells that it was ours."""
    cluster = Cluster(_two())
    cluster.confirm(*H4)
    addresses = cluster.turn()["default/a"]
    ours = cluster.ingresses["default/a"]
    foreign = replace(
        ours, class_name="nginx", status=(*addresses, "203.0.113.9"), meta=replace(ours.meta, annotations={})
    )
    cluster.ingresses["default/a"] = foreign
    assert cluster.turn() == {"default/a": ("203.0.113.9",)}
    cluster.turn()
    cluster.ingresses["default/a"] = foreign
    assert cluster.turn() == {"default/a": foreign.status}, (
        "what another controller writes afterwards is its own business"
    )


def test_one_that_is_being_deleted_gives_its_addresses_up() -> None:
    """Something may hold it back for long (a finalizer); meanwhile no host serves it."""
    cluster = Cluster(_two())
    cluster.confirm(*H4)
    cluster.turn()
    ours = cluster.ingresses["default/a"]
    cluster.ingresses["default/a"] = replace(ours, meta=replace(ours.meta, deleting=True))
    assert cluster.turn() == {"default/a": ()}
    assert STATUS_ANNOTATION not in cluster.ingresses["default/a"].meta.annotations


def test_addresses_of_one_name_are_interchangeable_before_they_are_published() -> None:
    """Public DNS mixes the addresses of Ingresses that share a name: the new one waits until the old one's hosts have it too."""
    cluster = Cluster(fake.ingress("a", RULES), fake.ingress("b", [("foo.com", "Prefix", "/b", "web:80")]))
    (host_a,), (host_b,) = cluster.hosts("default/a"), cluster.hosts("default/b")
    if host_a == host_b:
        cluster.roster = fake.roster(*H4, dead=[])
    others = {host_a, host_b}
    cluster.confirm(host_a)
    cluster.confirm(host_b, key="default/b")
    expected = (_address(host_b),) if len(others) == 1 else ()
    assert cluster.turn()["default/b"] == expected
    for host in others:
        cluster.confirm(host)
        cluster.confirm(host, key="default/b")
    assert cluster.turn()["default/b"] == (_address(host_b),)


def test_a_silent_peer_does_not_hold_a_name_for_ever() -> None:
    for number in range(20):
        cluster = Cluster(fake.ingress("a", RULES), fake.ingress(f"b{number}", [("foo.com", "Prefix", "/b", "web:80")]))
        key = f"default/b{number}"
        if cluster.hosts("default/a") == cluster.hosts(key):
            continue
        cluster.confirm(*cluster.hosts(key), key=key)
        assert cluster.turn()[key] == ()
        assert cluster.turn(6)[key] == (_address(cluster.hosts(key)[0]),)
        return
    raise AssertionError("no two ingresses on different hosts")


def test_nobody_known_is_not_nobody_there() -> None:
    cluster = Cluster(_two(status=["192.0.2.1"]))
    cluster.roster = Roster()
    assert cluster.turn() == {"default/a": ("192.0.2.1",)}


class Client:
    """Records patches; raises what it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.patches: list[tuple[str, dict[str, Any], str]] = []
        self.error = error

    def patch(
        self,
        resource: Any,
        name: str,
        body: dict[str, Any],
        *,
        namespace: str = "",
        subresource: str = "",
        timeout: float = 10.0,
    ) -> dict[str, Any]:
        if self.error:
            raise self.error
        self.patches.append((f"{namespace}/{name}", body, subresource))
        return {}


def test_publishing_is_one_guarded_write_and_conflicts_are_left_to_the_next_look() -> None:
    cluster = Cluster(_two(version="42"))
    cluster.confirm(*H4)
    found = cluster.decide()
    plan = plan_writes(stored_statuses(cluster.ingresses), found)
    metas = {key: i.meta for key, i in cluster.ingresses.items()}
    client = Client()
    assert publish.write_statuses(client, INGRESSES, metas, plan) == publish.WriteResult(frozenset({"default/a"}))  # type: ignore[arg-type]
    ((key, body, subresource),) = client.patches
    assert (key, subresource, body["metadata"]["resourceVersion"]) == ("default/a", "status", "42")
    assert [e["ip"] for e in body["status"]["loadBalancer"]["ingress"]] == list(found.desired["default/a"].addresses)
    assert publish.write_statuses(Client(ConflictError("x")), INGRESSES, metas, plan) == publish.WriteResult(
        frozenset({"default/a"})
    )  # type: ignore[arg-type]
    for error, ends in (
        (UnreachableError("x"), True),
        (ThrottledError("x"), True),
        (ServerError("x"), False),
        (InvalidObjectError("x"), False),
    ):
        sent = publish.write_statuses(Client(error), INGRESSES, metas, plan)  # type: ignore[arg-type]
        assert (sent.done, sent.failed) == (frozenset(), {"default/a": error})
        assert sent.stopped is (error if ends else None)
    assert publish.write_statuses(client, INGRESSES, metas, ()) == publish.WriteResult()  # type: ignore[arg-type]
