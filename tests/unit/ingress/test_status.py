"""Statuses: an address is there exactly as long as its host really serves the Ingress."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rancherctl.contract import INGRESS_PREFIX, STATUS_ANNOTATION
from rancherctl.ingress.model import HASH_SCHEME
from rancherctl.ingress.status.ingresses import stored_statuses
from rancherctl.ingress.status.plan import Published, plan_writes
from rancherctl.ingress.status.publish import status_patch
from rancherctl.ingress.status.report import HostReport
from rancherctl.ingress.translate.rules import translate
from rancherctl.kube import objects
from rancherctl.kube.objects import Ingress
from rancherctl.placement.model import Roster
from tests.fakes import ingress as fake
from tests.fakes.status_cluster import H4, Cluster, address_of

RULES = [("foo.com", "Prefix", "/", "web:80")]


def _two(**kwargs: Any) -> Ingress:
    return fake.ingress("a", RULES, annotations={"scale": "2"}, **kwargs)


def test_only_hosts_that_confirmed_the_content_are_published_in_order() -> None:
    cluster = Cluster(_two())
    first, second = cluster.hosts()
    assert cluster.turn() == {"default/a": ()}
    assert cluster.note()["reason"] == "Waiting"
    cluster.confirm(second)
    assert cluster.turn() == {"default/a": (address_of(second),)}
    cluster.confirm(first, *(h for h in H4 if h not in {first, second}))
    assert cluster.turn() == {"default/a": tuple(sorted((address_of(first), address_of(second))))}
    assert cluster.note() == {
        "reason": "Served",
        "message": "",
        "wanted": 2,
        "published": 2,
        "hash": translate(cluster.ingresses["default/a"]).hash,
    }


def test_a_lost_host_is_withdrawn_at_once_and_its_replacement_published_when_it_confirms() -> None:
    cluster = Cluster(_two())
    lost, other = cluster.hosts()
    cluster.confirm(lost, other)
    cluster.turn()
    cluster.roster = fake.roster(*H4, sequence=2, dead=[lost])
    assert cluster.turn() == {"default/a": (address_of(other),)}
    (new,) = set(cluster.hosts()) - {other}
    cluster.confirm(new)
    assert set(cluster.turn()["default/a"]) == {address_of(other), address_of(new)}


def test_a_returning_host_replaces_its_stand_in_only_after_it_confirms() -> None:
    cluster = Cluster(_two())
    lost, other = cluster.hosts()
    cluster.roster = fake.roster(*H4, dead=[lost])
    (stand_in,) = set(cluster.hosts()) - {other}
    cluster.confirm(stand_in, other)
    cluster.turn()
    cluster.roster = fake.roster(*H4, sequence=2)
    assert address_of(stand_in) in cluster.turn()["default/a"]
    cluster.confirm(lost)
    assert set(cluster.turn()["default/a"]) == {address_of(lost), address_of(other)}


def test_an_edit_withdraws_an_address_only_if_its_host_still_serves_the_old_content_after_5_seconds() -> None:
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
    assert cluster.turn(6) == {"default/a": (address_of(first),)}
    cluster.confirm(second)
    assert len(cluster.turn()["default/a"]) == 2


def test_an_edit_that_waits_for_a_delayed_reload_withdraws_no_address_for_25_seconds() -> None:
    """All hosts of the Ingress may wait at the same time: without this, its status would be empty meanwhile."""
    cluster = Cluster(_two())
    both = cluster.hosts()
    cluster.confirm(*both)
    cluster.turn()
    i = cluster.ingresses["default/a"]
    former = translate(i).hash
    notes = {**i.meta.annotations, f"{INGRESS_PREFIX}balance": "source"}
    cluster.ingresses["default/a"] = replace(i, meta=replace(i.meta, annotations=notes, resource_version="2"))
    section = HostReport({"default/a": former}, hash_scheme=HASH_SCHEME, waiting=frozenset({"default/a"})).to_section()
    cluster.recorded_reports = dict.fromkeys(both, section)
    published = tuple(sorted(map(address_of, both)))
    for seconds in (0, 6, 10, 8):
        assert cluster.turn(seconds)["default/a"] == published
    assert cluster.turn(2)["default/a"] == ()


def test_scale_down_publishes_fewer_at_once() -> None:
    cluster = Cluster(fake.ingress("a", RULES, annotations={"scale": "3"}))
    cluster.confirm(*H4)
    assert len(cluster.turn()["default/a"]) == 3
    i = cluster.ingresses["default/a"]
    cluster.ingresses["default/a"] = replace(i, meta=replace(i.meta, annotations={**i.meta.annotations, "scale": "1"}))
    assert len(cluster.turn()["default/a"]) == 1


def test_an_invalid_scale_keeps_the_addresses_and_is_reported() -> None:
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


def test_a_scale_beyond_the_hosts_publishes_all_of_them_and_is_reported() -> None:
    cluster = Cluster(fake.ingress("a", RULES, annotations={"scale": "99"}))
    cluster.confirm(*H4)
    assert len(cluster.turn()["default/a"]) == 4
    assert (cluster.note()["reason"], cluster.note()["wanted"]) == ("TooFewHosts", 99)


def test_wiped_and_forged_statuses_are_corrected() -> None:
    cluster = Cluster(_two())
    cluster.confirm(*H4)
    right = cluster.turn()
    for wrong in ((), ("6.6.6.6",), (*right["default/a"], "6.6.6.6")):
        cluster.ingresses["default/a"] = replace(cluster.ingresses["default/a"], status=wrong)
        assert cluster.turn() == right


def test_a_host_name_beside_an_address_is_removed() -> None:
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


def test_ports_of_its_own_stand_beside_each_address() -> None:
    cluster = Cluster(fake.ingress("a", RULES, annotations={"scale": "2", "http.port": "8080"}))
    cluster.confirm(*H4)
    cluster.turn()
    right = cluster.ingresses["default/a"]
    wrong = replace(right, status_ports=())
    (change,) = plan_writes(stored_statuses({"default/a": wrong}), cluster.decide())
    assert change.new is not None
    patch = status_patch(wrong.meta, change.new)
    entries = patch["status"]["loadBalancer"]["ingress"]
    assert [e["ports"] for e in entries] == [[{"port": 8080, "protocol": "TCP"}]] * 2
    assert [e["ip"] for e in entries] == list(wrong.status)

    def read(entries: list[Any]) -> objects.Ingress:
        meta = {"name": "a", "namespace": "default"}
        return objects.ingress({"metadata": meta, "status": {"loadBalancer": {"ingress": entries}}})

    assert (read(entries).status_ports, read(entries).status_says_more) == ((8080,), False)
    assert right.status_ports == (8080,)
    assert not plan_writes(stored_statuses({"default/a": right}), cluster.decide())
    for forged in (
        [entries[0], {"ip": "192.0.2.9"}],
        [{"ip": "192.0.2.9", "ports": [{"port": 8080, "protocol": "UDP"}]}],
        [{"ip": "192.0.2.9", "ports": [{"port": 8080, "protocol": "TCP", "error": "x/y"}]}],
    ):
        assert read(forged).status_says_more


def test_a_change_to_a_foreign_class_removes_our_addresses_and_keeps_foreign_ones() -> None:
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
    assert cluster.turn() == {"default/a": addresses}, "a status that was never managed here is not touched"


def test_a_class_change_that_also_drops_the_annotation_leaves_no_address_behind() -> None:
    """`kubectl replace` writes the whole object: without the annotation, nothing in it shows that we managed it."""
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
    assert cluster.turn() == {"default/a": foreign.status}, "another controller may then write what it wants"


def test_an_ingress_that_is_being_deleted_loses_its_addresses() -> None:
    """A finalizer may delay its end for long; meanwhile no host serves it."""
    cluster = Cluster(_two())
    cluster.confirm(*H4)
    cluster.turn()
    ours = cluster.ingresses["default/a"]
    cluster.ingresses["default/a"] = replace(ours, meta=replace(ours.meta, deleting=True))
    assert cluster.turn() == {"default/a": ()}
    assert STATUS_ANNOTATION not in cluster.ingresses["default/a"].meta.annotations


def test_an_address_is_published_only_when_it_serves_all_ingresses_of_the_same_name() -> None:
    """Public DNS mixes the addresses of Ingresses with one name: a new one waits for the hosts of the other."""
    cluster = Cluster(fake.ingress("a", RULES), fake.ingress("b", [("foo.com", "Prefix", "/b", "web:80")]))
    (host_a,), (host_b,) = cluster.hosts("default/a"), cluster.hosts("default/b")
    if host_a == host_b:
        cluster.roster = fake.roster(*H4, dead=[])
    others = {host_a, host_b}
    cluster.confirm(host_a)
    cluster.confirm(host_b, key="default/b")
    expected = (address_of(host_b),) if len(others) == 1 else ()
    assert cluster.turn()["default/b"] == expected
    for host in others:
        cluster.confirm(host)
        cluster.confirm(host, key="default/b")
    assert cluster.turn()["default/b"] == (address_of(host_b),)


def test_a_silent_host_of_the_same_name_delays_publishing_by_5_seconds_at_most() -> None:
    for number in range(20):
        cluster = Cluster(fake.ingress("a", RULES), fake.ingress(f"b{number}", [("foo.com", "Prefix", "/b", "web:80")]))
        key = f"default/b{number}"
        if cluster.hosts("default/a") == cluster.hosts(key):
            continue
        cluster.confirm(*cluster.hosts(key), key=key)
        assert cluster.turn()[key] == ()
        assert cluster.turn(6)[key] == (address_of(cluster.hosts(key)[0]),)
        return
    raise AssertionError("no two ingresses on different hosts")


def test_an_empty_roster_changes_no_status() -> None:
    cluster = Cluster(_two(status=["192.0.2.1"]))
    cluster.roster = Roster()
    assert cluster.turn() == {"default/a": ("192.0.2.1",)}


def test_a_stand_in_that_stops_serving_is_withdrawn_though_nothing_else_changes() -> None:
    """Decisions of the last turn are used again: this one was made from a host that placement does not choose."""
    cluster = Cluster(_two())
    lost, other = cluster.hosts()
    cluster.roster = fake.roster(*H4, dead=[lost])
    (stand_in,) = set(cluster.hosts()) - {other}
    cluster.confirm(stand_in, other)
    cluster.turn()
    cluster.roster = fake.roster(*H4, sequence=2)
    for _ in range(2):
        assert address_of(stand_in) in cluster.turn()["default/a"]
    del cluster.served[stand_in]["default/a"]
    assert cluster.turn()["default/a"] == (address_of(other),)


EVENTS = st.tuples(st.sampled_from(H4), st.sampled_from(["a", "b"]), st.sampled_from(["serve", "old", "lose", "die"]))


@given(st.lists(st.tuples(EVENTS, st.sampled_from([0.0, 0.1, 6.0])), max_size=12))
def test_decisions_used_again_are_those_of_a_new_leader(events: list[tuple[tuple[str, str, str], float]]) -> None:
    """The cluster compares both at each turn; the Ingresses share a host name."""
    cluster = Cluster(_two(), fake.ingress("b", [("foo.com", "Prefix", "/b", "web:80")], annotations={"scale": "3"}))
    dead: set[str] = set()
    for sequence, ((host, name, event), seconds) in enumerate(events, 2):
        if event == "die":
            dead ^= {host}
            cluster.roster = fake.roster(*H4, sequence=sequence, dead=dead)
        elif event == "lose":
            cluster.served.get(host, {}).pop(f"default/{name}", None)
        else:
            cluster.confirm(host, key=f"default/{name}", content="old" if event == "old" else "")
        cluster.turn(seconds)
