"""Addresses come into a status once their host serves, and leave it while the host goes on to serve."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rancherctl.kube import objects
from rancherctl.placement.model import Roster
from rancherctl.services import moving
from rancherctl.services.model import HostPorts, ports_of, programmed_digest
from rancherctl.services.status import Statuses, plan_statuses, plan_writes
from rancherctl.services.translate import ServicePolicy, translate
from rancherctl.services.verifier import (
    MAX_PREPARING,
    MOVE_SECONDS,
    PREPARE_SECONDS,
    QUIET_SECONDS,
    REFUSED_SECONDS,
    REPLACE_SECONDS,
    VERIFY_SECONDS,
    Memory,
)
from tests.fakes import services as fake

KEY = "default/a"


def report(
    host: str, *, programmed: objects.Service | None = None, prepared: objects.Service | None = None
) -> HostPorts:
    """A host whose kube-proxy has one Service, or that serves it by rules of its own."""

    def digests(service: objects.Service | None) -> dict[str, str]:
        return {service.meta.key: programmed_digest(fake.address(host), ports_of(service))} if service else {}

    return HostPorts(programmed=digests(programmed), draining={}, prepared=digests(prepared))


def plan(
    hosts: Roster, *services: objects.Service, now: float = 0.0, memory: Memory | None = None, **ports: HostPorts
) -> Statuses:
    ours = {h.address for h in hosts.hosts}
    every = {s.meta.key: s for s in services}
    wanted = {key: translate(s, (), ServicePolicy(), ours) for key, s in every.items()}
    reports = {h.name: ports.get(h.name, report(h.name)) for h in hosts.hosts}
    return plan_statuses(every, wanted, hosts, reports, memory or Memory(), now)


def addresses(statuses: Statuses) -> tuple[str, ...]:
    return statuses.desired[KEY].addresses


def test_an_address_is_published_once_its_host_serves_it() -> None:
    hosts, new = fake.roster(2), fake.service("a", scale=2)
    asked = plan(hosts, new)
    assert addresses(asked) == ()
    assert asked.moving == {(KEY, "h1"), (KEY, "h2")}
    assert not plan_writes({KEY: new}, asked), "a wait that has just begun is not written"
    one = plan(hosts, new, now=0.1, memory=asked.memory, h1=report("h1", prepared=new))
    assert addresses(one) == ("10.0.0.1",)
    stored = fake.service("a", scale=2, status=fake.published("10.0.0.1", "10.0.0.2"))
    both = plan(hosts, stored, now=0.2, memory=one.memory, h1=report("h1", programmed=stored, prepared=stored))
    assert addresses(both) == ("10.0.0.1", "10.0.0.2")
    assert both.moving == {(KEY, "h2")}, "its kube-proxy is still to come"


def test_a_wait_that_lasts_is_reported() -> None:
    hosts, new = fake.roster(1), fake.service("a")
    asked = plan(hosts, new)
    assert asked.memory.next_change(0.0) == QUIET_SECONDS
    condition = plan(hosts, new, now=QUIET_SECONDS, memory=asked.memory).desired[KEY].condition
    assert condition is not None
    assert (condition.status, condition.reason) == ("False", "Waiting")
    assert condition.message == "waiting for rules of h1"


def test_another_host_takes_a_service_that_the_first_does_not_prepare() -> None:
    hosts, new = fake.roster(2), fake.service("a")
    asked = plan(hosts, new)
    ((_, first),) = asked.moving
    late = plan(hosts, new, now=PREPARE_SECONDS, memory=asked.memory)
    ((_, second),) = late.moving
    assert second != first
    assert late.decisions[KEY].reasons[first] == "it did not program the Service in time"
    assert late.memory.refused == {(KEY, first): PREPARE_SECONDS + REFUSED_SECONDS}


def test_hosts_with_an_older_agent_are_published_at_once() -> None:
    statuses = plan(fake.roster(1), fake.service("a"), h1=HostPorts())
    assert addresses(statuses) == ("10.0.0.1",)
    assert not statuses.moving


def test_when_fewer_are_wanted_an_address_leaves_once_its_host_has_rules() -> None:
    hosts = fake.roster(2)
    stored = fake.service("a", status=fake.published("10.0.0.1", "10.0.0.2"))
    reports: dict[str, Any] = {name: report(name, programmed=stored) for name in ("h1", "h2")}
    (stays,) = plan(hosts, stored, **reports).decisions[KEY].hosts
    (leaves,) = {"h1", "h2"} - {stays}
    asked = plan(hosts, stored, **reports)
    assert len(addresses(asked)) == 2
    assert asked.moving == {(KEY, leaves)}
    ready = reports | {leaves: report(leaves, programmed=stored, prepared=stored)}
    assert addresses(plan(hosts, stored, memory=asked.memory, **ready)) == (fake.address(stays),)
    late = plan(hosts, stored, now=MOVE_SECONDS, memory=asked.memory, **reports)
    assert addresses(late) == (fake.address(stays),), "an agent that hangs ends the wait"


@pytest.mark.parametrize("kept", [True, False])
def test_the_last_address_of_a_lost_host_stays_for_its_successor_for_a_moment(kept: bool) -> None:
    """An empty status is an answer, too: resolvers keep it."""
    stored = fake.service("a", status=fake.published("10.0.0.1"))
    hosts = fake.roster(2, dead=["h1"])
    seen = plan(hosts, stored, now=5.0)
    assert (addresses(seen), seen.moving) == (("10.0.0.1",), {(KEY, "h2")})
    if kept:
        ready = plan(hosts, stored, now=5.1, memory=seen.memory, h2=report("h2", prepared=stored))
        assert addresses(ready) == ("10.0.0.2",)
    else:
        assert seen.memory.next_change(5.0) is not None
        assert addresses(plan(hosts, stored, now=5.0 + REPLACE_SECONDS, memory=seen.memory)) == ()


def test_a_host_whose_kube_proxy_is_late_stays_while_it_serves_and_the_next_one_does_not() -> None:
    stored = fake.service("a", status=fake.published("10.0.0.1"))
    hosts = fake.roster(2)
    serves: dict[str, Any] = {"h1": report("h1", prepared=stored)}
    seen = plan(hosts, stored, **serves)
    late = plan(hosts, stored, now=VERIFY_SECONDS, memory=seen.memory, **serves)
    assert (addresses(late), late.moving) == (("10.0.0.1",), {(KEY, "h1"), (KEY, "h2")})
    both = plan(hosts, stored, now=3.0, memory=late.memory, h2=report("h2", prepared=stored), **serves)
    assert addresses(both) == ("10.0.0.1", "10.0.0.2")
    now_published = fake.service("a", status=fake.published("10.0.0.1", "10.0.0.2"))
    ready = plan(hosts, now_published, now=3.5, memory=both.memory, h2=report("h2", programmed=stored), **serves)
    assert addresses(ready) == ("10.0.0.2",)
    for _ in range(2):
        late = plan(hosts, stored, now=VERIFY_SECONDS + MOVE_SECONDS, memory=late.memory, **serves)
    assert "10.0.0.1" not in addresses(late)


def test_a_host_that_cannot_serve_any_longer_leaves_at_once_if_others_serve() -> None:
    stored = fake.service("a", scale=2, status=fake.published("10.0.0.1", "10.0.0.2"))
    taken = replace(report("h1", programmed=stored), used={("tcp", 5432): "a program"})
    statuses = plan(fake.roster(3), stored, h1=taken, h2=report("h2", programmed=stored))
    assert addresses(statuses) == ("10.0.0.2",)
    assert statuses.moving == {(KEY, "h3")}


def test_very_many_services_are_prepared_in_turns() -> None:
    many = [fake.service(f"s{n}", ("tcp", n + 1)) for n in range(MAX_PREPARING + 10)]
    asked = plan(fake.roster(1), *many)
    assert len(asked.moving) == MAX_PREPARING
    again = plan(fake.roster(1), *many, now=1.0, memory=asked.memory)
    assert again.moving == asked.moving


def test_stored_pairs_are_read_by_host() -> None:
    text = moving.to_json([("x/b", "h1"), ("x/a", "h1"), ("x/a", "h2")])
    assert text == moving.to_json([("x/a", "h2"), ("x/a", "h1"), ("x/b", "h1")])
    assert (moving.of_host(text, "h1"), moving.of_host(text, "h3")) == ({"x/a", "x/b"}, set())
    assert moving.to_json([]) == ""
    assert moving.of_host("", "h1") == set()


@pytest.mark.parametrize("bad", ["half {", "[]", '{"h1": 5}'])
def test_damaged_pairs_are_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r"not a list|Expecting"):
        moving.of_host(bad, "h1")
