"""Statuses: an address is there exactly as long as its host really serves the Ingress."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from rancherctl.errors import ConflictError, UnreachableError
from rancherctl.ingress import placement
from rancherctl.ingress.model import STATUS_ANNOTATION, Problem, Roster
from rancherctl.ingress.status import plan as status_plan
from rancherctl.ingress.status import publish
from rancherctl.ingress.translate.rules import translate
from rancherctl.kube import objects
from rancherctl.kube.client import InvalidObjectError, ServerError, ThrottledError
from rancherctl.kube.objects import Ingress
from tests.fakes import ingress as fake

RULES = [("foo.com", "Prefix", "/", "web:80")]
CLASSES = {"rancher": fake.RANCHER}
H4 = ("h1", "h2", "h3", "h4")


class World:
    """Ingresses, a roster and what hosts confirmed; ``turn`` is one look of the leader, which writes what it decides."""

    def __init__(self, *ingresses: Ingress, roster: Roster | None = None) -> None:
        self.ingresses = {i.meta.key: i for i in ingresses}
        self.roster = roster or fake.roster(*H4)
        self.served: dict[str, dict[str, str]] = {}
        self.since: Mapping[str, float] = {}
        self.ours: frozenset[str] = frozenset()
        self.now = 100.0

    def confirm(self, *hosts: str, key: str = "default/a", content: str = "") -> None:
        for host in hosts:
            self.served.setdefault(host, {})[key] = content or translate(self.ingresses[key]).hash

    def turn(self, seconds: float = 0.0) -> dict[str, tuple[str, ...]]:
        self.now += seconds
        reports = {h: status_plan.report({"served": s}) for h, s in self.served.items()}
        found = status_plan.statuses(
            self.ingresses, CLASSES, self.roster, reports, since=self.since, now=self.now, ours=self.ours
        )
        self.since, self.ours = found.since, found.ours
        for change in status_plan.plan(self.ingresses, found):
            assert change.new is not None
            i = self.ingresses[change.key]
            notes = {k: v for k, v in i.meta.annotations.items() if k != STATUS_ANNOTATION}
            if change.new.annotation:
                notes[STATUS_ANNOTATION] = change.new.annotation
            self.ingresses[change.key] = replace(
                i, meta=replace(i.meta, annotations=notes), status=change.new.addresses
            )
        again = status_plan.statuses(
            self.ingresses, CLASSES, self.roster, reports, since=self.since, now=self.now, ours=self.ours
        )
        assert not status_plan.plan(self.ingresses, again), "a second plan after an apply is empty"
        return {k: i.status for k, i in self.ingresses.items()}

    def note(self, key: str = "default/a") -> dict[str, Any]:
        return dict(json.loads(self.ingresses[key].meta.annotations[STATUS_ANNOTATION]))

    def hosts(self, key: str = "default/a") -> tuple[str, ...]:
        return placement.place(translate(self.ingresses[key]), self.roster).hosts


def _address(host: str) -> str:
    return f"192.0.2.{host[1:]}"


def _two(**kwargs: Any) -> Ingress:
    return fake.ingress("a", RULES, annotations={"scale": "2"}, **kwargs)


def test_only_confirmed_hosts_are_published_sorted() -> None:
    world = World(_two())
    first, second = world.hosts()
    assert world.turn() == {"default/a": ()}
    assert world.note()["reason"] == "Waiting"
    world.confirm(second)
    assert world.turn() == {"default/a": (_address(second),)}
    world.confirm(first, *(h for h in H4 if h not in {first, second}))
    assert world.turn() == {"default/a": tuple(sorted((_address(first), _address(second))))}
    assert world.note() == {
        "reason": "Served",
        "message": "",
        "wanted": 2,
        "published": 2,
        "hash": translate(world.ingresses["default/a"]).hash,
    }


def test_a_lost_host_leaves_at_once_and_its_replacement_comes_when_it_confirmed() -> None:
    world = World(_two())
    lost, other = world.hosts()
    world.confirm(lost, other)
    world.turn()
    world.roster = fake.roster(*H4, sequence=2, dead=[lost])
    assert world.turn() == {"default/a": (_address(other),)}
    (new,) = set(world.hosts()) - {other}
    world.confirm(new)
    assert set(world.turn()["default/a"]) == {_address(other), _address(new)}


def test_a_returning_host_takes_over_only_after_it_confirmed() -> None:
    world = World(_two())
    lost, other = world.hosts()
    world.roster = fake.roster(*H4, dead=[lost])
    (stand_in,) = set(world.hosts()) - {other}
    world.confirm(stand_in, other)
    world.turn()
    world.roster = fake.roster(*H4, sequence=2)
    assert _address(stand_in) in world.turn()["default/a"]
    world.confirm(lost)
    assert set(world.turn()["default/a"]) == {_address(lost), _address(other)}


def test_an_edit_does_not_take_addresses_away_unless_a_host_stays_behind() -> None:
    world = World(_two())
    first, second = world.hosts()
    world.confirm(first, second)
    world.turn()
    i = world.ingresses["default/a"]
    world.ingresses["default/a"] = replace(i, rules=fake.ingress("a", [("foo.com", "Prefix", "/new", "web:80")]).rules)
    assert len(world.turn()["default/a"]) == 2
    world.confirm(first)
    assert len(world.turn(1)["default/a"]) == 2
    assert world.turn(6) == {"default/a": (_address(first),)}
    world.confirm(second)
    assert len(world.turn()["default/a"]) == 2


def test_scale_down_publishes_fewer_at_once() -> None:
    world = World(fake.ingress("a", RULES, annotations={"scale": "3"}))
    world.confirm(*H4)
    assert len(world.turn()["default/a"]) == 3
    i = world.ingresses["default/a"]
    world.ingresses["default/a"] = replace(i, meta=replace(i.meta, annotations={**i.meta.annotations, "scale": "1"}))
    assert len(world.turn()["default/a"]) == 1


def test_bad_scale_keeps_what_was_and_says_so() -> None:
    world = World(_two())
    world.confirm(*H4)
    before = world.turn()
    for text in ("abc", "0", "-1", "1.5"):
        i = world.ingresses["default/a"]
        world.ingresses["default/a"] = replace(
            i, meta=replace(i.meta, annotations={**i.meta.annotations, "scale": text})
        )
        assert world.turn() == before
        assert world.note()["reason"] == "InvalidScale"
        assert world.note()["wanted"] == 2


def test_ninety_nine_gives_all_and_says_so() -> None:
    world = World(fake.ingress("a", RULES, annotations={"scale": "99"}))
    world.confirm(*H4)
    assert len(world.turn()["default/a"]) == 4
    assert (world.note()["reason"], world.note()["wanted"]) == ("TooFewHosts", 99)


def test_wiped_and_forged_statuses_are_put_right() -> None:
    world = World(_two())
    world.confirm(*H4)
    right = world.turn()
    for wrong in ((), ("6.6.6.6",), (*right["default/a"], "6.6.6.6")):
        world.ingresses["default/a"] = replace(world.ingresses["default/a"], status=wrong)
        assert world.turn() == right


def test_a_name_beside_an_address_is_taken_out() -> None:
    """DNS made from statuses would publish both."""
    world = World(_two())
    world.confirm(*H4)
    (first, *_) = world.turn()["default/a"]
    entries = [{"ip": first, "hostname": "evil.example.com"}]
    stored = objects.ingress(
        {"metadata": {"name": "a", "namespace": "default"}, "status": {"loadBalancer": {"ingress": entries}}}
    )
    right = world.ingresses["default/a"]
    assert (stored.status, stored.status_says_more, right.status_says_more) == ((first,), True, False)
    forged = {"default/a": replace(right, status_says_more=True)}
    reports = {h: status_plan.report({"served": s}) for h, s in world.served.items()}
    found = status_plan.statuses(forged, CLASSES, world.roster, reports, since={}, now=0.0)
    (change,) = status_plan.plan(forged, found)
    assert change.new == status_plan.Published(right.status, right.meta.annotations[STATUS_ANNOTATION])
    foreign = {"default/a": replace(forged["default/a"], class_name="nginx", meta=replace(right.meta, annotations={}))}
    assert not status_plan.plan(
        foreign, status_plan.statuses(foreign, CLASSES, world.roster, reports, since={}, now=0.0)
    )


def test_a_foreign_class_loses_ours_and_keeps_its_own() -> None:
    world = World(_two())
    world.confirm(*H4)
    addresses = world.turn()["default/a"]
    world.ingresses["default/a"] = replace(
        world.ingresses["default/a"], class_name="nginx", status=(*addresses, "203.0.113.9")
    )
    assert world.turn() == {"default/a": ("203.0.113.9",)}
    assert STATUS_ANNOTATION not in world.ingresses["default/a"].meta.annotations
    world.turn()
    world.ingresses["default/a"] = replace(world.ingresses["default/a"], status=addresses)
    assert world.turn() == {"default/a": addresses}, "what was never ours is not touched"


def test_a_class_change_that_takes_the_annotation_with_it_leaves_no_address_behind() -> None:
    """`kubectl replace` writes the whole object: without the annotation nothing in it tells that it was ours."""
    world = World(_two())
    world.confirm(*H4)
    addresses = world.turn()["default/a"]
    ours = world.ingresses["default/a"]
    foreign = replace(
        ours, class_name="nginx", status=(*addresses, "203.0.113.9"), meta=replace(ours.meta, annotations={})
    )
    world.ingresses["default/a"] = foreign
    assert world.turn() == {"default/a": ("203.0.113.9",)}
    world.turn()
    world.ingresses["default/a"] = foreign
    assert world.turn() == {"default/a": foreign.status}, (
        "what another controller writes afterwards is its own business"
    )


def test_one_that_is_being_deleted_gives_its_addresses_up() -> None:
    """Something may hold it back for long (a finalizer); meanwhile no host serves it."""
    world = World(_two())
    world.confirm(*H4)
    world.turn()
    ours = world.ingresses["default/a"]
    world.ingresses["default/a"] = replace(ours, meta=replace(ours.meta, deleting=True))
    assert world.turn() == {"default/a": ()}
    assert STATUS_ANNOTATION not in world.ingresses["default/a"].meta.annotations


def test_addresses_of_one_name_are_interchangeable_before_they_are_published() -> None:
    """Public DNS mixes the addresses of Ingresses that share a name: the new one waits until the old one's hosts have it too."""
    world = World(fake.ingress("a", RULES), fake.ingress("b", [("foo.com", "Prefix", "/b", "web:80")]))
    (host_a,), (host_b,) = world.hosts("default/a"), world.hosts("default/b")
    if host_a == host_b:
        world.roster = fake.roster(*H4, dead=[])
    others = {host_a, host_b}
    world.confirm(host_a)
    world.confirm(host_b, key="default/b")
    expected = (_address(host_b),) if len(others) == 1 else ()
    assert world.turn()["default/b"] == expected
    for host in others:
        world.confirm(host)
        world.confirm(host, key="default/b")
    assert world.turn()["default/b"] == (_address(host_b),)


def test_a_silent_peer_does_not_hold_a_name_for_ever() -> None:
    for number in range(20):
        world = World(fake.ingress("a", RULES), fake.ingress(f"b{number}", [("foo.com", "Prefix", "/b", "web:80")]))
        key = f"default/b{number}"
        if world.hosts("default/a") == world.hosts(key):
            continue
        world.confirm(*world.hosts(key), key=key)
        assert world.turn()[key] == ()
        assert world.turn(6)[key] == (_address(world.hosts(key)[0]),)
        return
    raise AssertionError("no two ingresses on different hosts")


def test_nobody_known_is_not_nobody_there() -> None:
    world = World(_two(status=["192.0.2.1"]))
    world.roster = Roster()
    assert world.turn() == {"default/a": ("192.0.2.1",)}


def test_damaged_reports_only_withhold() -> None:
    for section in (
        {},
        {"served": 7},
        {"served": {"default/a": 3}, "problems": {"x": 1}, "ports": []},
        {"problems": {"default/a": [["R", "m", True], 4]}},
    ):
        assert isinstance(status_plan.report(section), status_plan.HostReport)
    assert status_plan.blocked_ports(status_plan.report({"ports": {"80": "taken", "443": "", "x": "y"}})) == (80,)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"sections":' * 50_000, "{", "7", '{"sections": []}'])
def test_a_report_that_cannot_be_read_is_that_hosts_loss(text: str) -> None:
    assert status_plan.section({"report": text}) == {}


def test_problems_of_thousands_leave_room_in_the_report() -> None:
    many = {f"ns/i{n:05}": (Problem("ServiceNotFound", "service is not there " * 10),) for n in range(5000)}
    words = status_plan.problem_words(many)
    assert len(json.dumps(words)) < 300_000
    assert status_plan.report({"problems": words}).problems == dict(list(many.items())[: len(words)])
    few = dict(list(many.items())[:3])
    assert status_plan.report({"problems": status_plan.problem_words(few)}).problems == few


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
    world = World(_two(version="42"))
    reports = {h: status_plan.report({"served": {"default/a": translate(_two()).hash}}) for h in H4}
    found = status_plan.statuses(world.ingresses, CLASSES, world.roster, reports, since={}, now=0.0)
    plan = status_plan.plan(world.ingresses, found)
    client = Client()
    assert publish.publish(client, world.ingresses, plan) == publish.Sent(frozenset({"default/a"}))  # type: ignore[arg-type]
    ((key, body, subresource),) = client.patches
    assert (key, subresource, body["metadata"]["resourceVersion"]) == ("default/a", "status", "42")
    assert [e["ip"] for e in body["status"]["loadBalancer"]["ingress"]] == list(found.desired["default/a"].addresses)
    assert publish.publish(Client(ConflictError("x")), world.ingresses, plan) == publish.Sent(frozenset({"default/a"}))  # type: ignore[arg-type]
    for error, ends in (
        (UnreachableError("x"), True),
        (ThrottledError("x"), True),
        (ServerError("x"), False),
        (InvalidObjectError("x"), False),
    ):
        sent = publish.publish(Client(error), world.ingresses, plan)  # type: ignore[arg-type]
        assert (sent.done, sent.failed) == (frozenset(), {"default/a": error})
        assert sent.stopped is (error if ends else None)
    assert publish.publish(client, world.ingresses, ()) == publish.Sent()  # type: ignore[arg-type]
