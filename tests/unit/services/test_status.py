"""Statuses of Services: published at once, verified within two seconds, withdrawn and moved if not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rancherctl.kube import objects
from rancherctl.placement.model import Roster
from rancherctl.services.model import CONDITION, HostPorts
from rancherctl.services.status import (
    ServiceStatus,
    Statuses,
    plan_statuses,
    plan_writes,
    status_patch,
)
from rancherctl.services.translate import ServicePolicy, translate, wants_addresses
from rancherctl.services.verifier import (
    HOLD_SECONDS,
    MAX_REFUSED_SECONDS,
    MOVE_SECONDS,
    REFUSED_SECONDS,
    VERIFY_SECONDS,
    Memory,
)
from tests.fakes import services as fake

POLICY = ServicePolicy()
TIME = "2026-01-01T00:00:00Z"


def plan(
    hosts: Roster,
    *services: objects.Service,
    now: float = 0.0,
    memory: Memory | None = None,
    policy: ServicePolicy = POLICY,
    **ports: Any,
) -> Statuses:
    ours = {h.address for h in hosts.hosts}
    every = {s.meta.key: s for s in services}
    wanted = {key: translate(s, (), policy, ours) for key, s in every.items() if wants_addresses(s, policy)}
    return plan_statuses(every, wanted, hosts, fake.reports(hosts, **ports), memory or Memory(), now)


def test_addresses_are_published_at_once_with_mode_vip() -> None:
    service = fake.service("a", scale=2)
    statuses = plan(fake.roster(2), service)
    (write,) = plan_writes({service.meta.key: service}, statuses)
    assert write.new is not None
    body = status_patch(service, write.new, TIME)
    assert body["status"]["loadBalancer"]["ingress"] == fake.published("10.0.0.1", "10.0.0.2")
    (condition,) = body["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == (CONDITION, "True", "Published")
    assert body["metadata"]["resourceVersion"] == "1"


def test_a_second_plan_is_empty() -> None:
    service = fake.service("a")
    desired = plan(fake.roster(1), service).desired["default/a"]
    body = status_patch(service, desired, TIME)["status"]
    stored = fake.service("a", status=body["loadBalancer"]["ingress"], conditions=body["conditions"])
    after = plan(fake.roster(1), stored, h1=fake.programmed("h1", stored))
    assert not plan_writes({"default/a": stored}, after)


def test_what_kube_proxy_does_not_program_is_withdrawn_and_another_host_takes_it() -> None:
    hosts = fake.roster(2)
    (first,) = plan(hosts, fake.service("a")).decisions["default/a"].hosts
    other = "h1" if first == "h2" else "h2"
    stored = fake.service("a", status=fake.published(fake.address(first)))
    seen = plan(hosts, stored, now=100.0)
    assert seen.desired["default/a"].addresses == (fake.address(first),)
    assert seen.memory.next_change(100.0) == VERIFY_SECONDS
    late = plan(hosts, stored, now=100.0 + VERIFY_SECONDS, memory=seen.memory)
    assert late.desired["default/a"].addresses == (fake.address(other),)
    assert "did not program" in late.decisions["default/a"].reasons[first]
    stored = fake.service("a", status=fake.published(fake.address(other)))
    programmed: dict[str, Any] = {other: fake.programmed(other, stored)}
    again = plan(hosts, stored, now=103.0, memory=late.memory, **programmed)
    assert again.desired["default/a"].addresses == (fake.address(other),)
    assert again.memory.next_change(103.0) == 100.0 + VERIFY_SECONDS + REFUSED_SECONDS - 103.0


def test_a_host_that_never_programs_a_service_is_tried_less_and_less_often() -> None:
    """Twice as long after each failure, an hour at most; once it has programmed the Service, from the beginning."""
    hosts, memory, now = fake.roster(1), Memory(), 0.0
    stored, away = fake.service("a", status=fake.published("10.0.0.1")), fake.service("a")
    pauses = []
    for _ in range(9):
        for moment in (now, now + VERIFY_SECONDS, now + VERIFY_SECONDS + 0.1):
            memory = plan(hosts, stored, now=moment, memory=memory).memory
        until = memory.refused["default/a", "h1"]
        pauses.append(until - now - VERIFY_SECONDS)
        now = until
        memory = plan(hosts, away, now=now, memory=memory).memory
    assert pauses == [min(REFUSED_SECONDS * 2**n, MAX_REFUSED_SECONDS) for n in range(9)]
    assert pauses[-1] == MAX_REFUSED_SECONDS
    ready = plan(hosts, stored, now=now, memory=memory, h1=fake.programmed("h1", stored))
    assert not ready.memory.failures
    assert not plan(hosts, now=now, memory=memory).memory.failures, "the Service is gone"


def test_an_address_with_other_ports_is_not_confirmed() -> None:
    hosts = fake.roster(1)
    stored = fake.service("a", ("tcp", 1), ("tcp", 2), status=fake.published("10.0.0.1"))
    report = fake.programmed("h1", fake.service("a", ("tcp", 1)))
    seen = plan(hosts, stored, now=5.0, h1=report)
    assert plan(hosts, stored, now=8.0, memory=seen.memory, h1=report).desired["default/a"].addresses == ()


def test_a_lost_host_is_replaced_at_once() -> None:
    (first,) = plan(fake.roster(3), fake.service("a")).decisions["default/a"].hosts
    stored = fake.service("a", status=fake.published(fake.address(first)))
    after = plan(fake.roster(3, dead=[first]), stored).desired["default/a"].addresses
    assert len(after) == 1
    assert after != (fake.address(first),)


def test_an_excluded_host_stays_until_the_next_one_is_ready() -> None:
    hosts = fake.roster(2, excluded=["h1"])
    stored = fake.service("a", status=fake.published("10.0.0.1"))
    seen = plan(hosts, stored, h1=fake.programmed("h1", stored))
    assert seen.desired["default/a"].addresses == ("10.0.0.1", "10.0.0.2")
    both = fake.service("a", status=fake.published("10.0.0.1", "10.0.0.2"))
    ready: dict[str, Any] = {"h1": fake.programmed("h1", both), "h2": fake.programmed("h2", both)}
    assert plan(hosts, both, memory=seen.memory, **ready).desired["default/a"].addresses == ("10.0.0.2",)
    late = plan(hosts, stored, now=MOVE_SECONDS, memory=seen.memory, h1=fake.programmed("h1", stored))
    assert late.desired["default/a"].addresses == ("10.0.0.2",)


def test_a_forged_status_is_put_right_and_a_foreign_class_is_left_alone() -> None:
    forged = fake.service("a", loadBalancerClass="rancherctl.io/lb", status=[{"ip": "192.0.2.1"}, {"hostname": "x"}])
    assert plan(fake.roster(1), forged).desired["default/a"].addresses == ("10.0.0.1",)
    proxied = fake.service("a", status=[{"ip": "10.0.0.1", "ipMode": "Proxy"}])
    assert plan_writes({"default/a": proxied}, plan(fake.roster(1), proxied))
    foreign = fake.service("a", loadBalancerClass="example.org/lb", status=[{"ip": "192.0.2.1"}])
    assert plan(fake.roster(1), foreign).desired == {}


def test_another_controllers_address_of_a_service_without_a_class_is_left_alone_and_named() -> None:
    """Case 72 of the acceptance tests."""
    service = fake.service("a", status=[{"ip": "192.0.2.1"}])
    statuses = plan(fake.roster(1), service)
    assert not plan_writes({"default/a": service}, statuses)
    (problem,) = statuses.problems["default/a"]
    assert problem.reason == "ForeignAddresses"
    assert "192.0.2.1" in problem.message


def test_services_without_a_class_are_ours_only_if_the_environment_says_so() -> None:
    off = ServicePolicy(default=False)
    assert plan(fake.roster(1), fake.service("a"), policy=off).desired == {}
    ours = fake.service("a", loadBalancerClass="rancherctl.io/lb")
    assert plan(fake.roster(1), ours, policy=off).desired["default/a"].addresses == ("10.0.0.1",)


def test_what_is_ours_goes_when_the_class_changes_and_what_is_foreign_stays() -> None:
    ours = {"type": CONDITION, "status": "True", "reason": "Published", "message": ""}
    other = {"type": "example.org/Ready", "status": "True"}
    service = fake.service(
        "a",
        loadBalancerClass="example.org/lb",
        status=[*fake.published("10.0.0.1"), {"ip": "192.0.2.1"}],
        conditions=[ours, other],
    )
    (write,) = plan_writes({"default/a": service}, plan(fake.roster(1), service))
    assert write.new is not None
    body = status_patch(service, write.new, TIME)["status"]
    assert body == {"loadBalancer": {"ingress": fake.published("192.0.2.1")}, "conditions": [other]}


def test_an_empty_roster_says_nothing() -> None:
    service = fake.service("a", status=fake.published("10.0.0.1"))
    assert plan(Roster(), service).desired == {}


def test_the_condition_names_what_is_missing() -> None:
    condition = plan(fake.roster(1), fake.service("a", scale=3)).desired["default/a"].condition
    assert condition is not None
    assert (condition.status, condition.reason) == ("True", "TooFewHosts")
    assert condition.message.startswith("3 addresses requested, 1 eligible host")
    refused = plan(fake.roster(1), fake.service("a", ("tcp", 31000))).desired["default/a"].condition
    assert refused is not None
    assert (refused.status, refused.reason) == ("False", "ReservedPort")


def both_published(hosts: Roster, count: int = 2) -> list[objects.Service]:
    addresses = fake.published(*(h.address for h in hosts.hosts))
    return [fake.service(f"s{n}", ("tcp", 5000 + n), scale=len(hosts.hosts), status=addresses) for n in range(count)]


def addresses(statuses: Statuses, name: str = "s0") -> tuple[str, ...]:
    return statuses.desired[f"default/{name}"].addresses


@pytest.mark.parametrize("report", [HostPorts(reported=False), HostPorts(proxy_error="does not answer"), HostPorts()])
def test_reports_of_all_hosts_that_go_wrong_at_once_withdraw_nothing(report: HostPorts) -> None:
    """A broken release of agents, damaged reports, or a kube-proxy with other names for its maps."""
    hosts = fake.roster(3)
    services = both_published(hosts)
    wrong: dict[str, Any] = {h.name: report for h in hosts.hosts}
    seen = plan(hosts, *services, **wrong)
    later = plan(hosts, *services, now=VERIFY_SECONDS, memory=seen.memory, **wrong)
    last = plan(hosts, *services, now=VERIFY_SECONDS + 2 * HOLD_SECONDS, memory=later.memory, **wrong)
    assert {addresses(s) for s in (seen, later, last)} == {("10.0.0.1", "10.0.0.2", "10.0.0.3")}
    assert later.held == {"h1", "h2", "h3"}


def test_many_hosts_that_go_wrong_are_withdrawn_once_that_has_lasted() -> None:
    hosts = fake.roster(4)
    services = both_published(hosts)
    broken = HostPorts(proxy_error="its health check answers 503")
    states: dict[str, Any] = {name: fake.programmed(name, *services) for name in ("h3", "h4")} | {
        "h1": broken,
        "h2": broken,
    }
    seen = plan(hosts, *services, **states)
    assert len(addresses(seen)) == 4
    assert seen.memory.next_change(10.0) == HOLD_SECONDS - 10.0
    last = plan(hosts, *services, now=HOLD_SECONDS, memory=seen.memory, **states)
    assert addresses(last) == ("10.0.0.3", "10.0.0.4")


def test_one_host_whose_kube_proxy_fails_is_withdrawn_at_once() -> None:
    hosts = fake.roster(3)
    services = both_published(hosts)
    good: dict[str, Any] = {name: fake.programmed(name, *services) for name in ("h2", "h3")}
    assert addresses(plan(hosts, *services, h1=HostPorts(proxy_error="x"), **good)) == ("10.0.0.2", "10.0.0.3")


def test_one_agent_that_fails_shortly_withdraws_nothing() -> None:
    hosts = fake.roster(3)
    services = both_published(hosts)
    good: dict[str, Any] = {name: fake.programmed(name, *services) for name in ("h2", "h3")}
    failed = HostPorts(reported=False, error="nft did not finish within 5 s")
    seen = plan(hosts, *services, h1=failed, **good)
    assert addresses(seen) == ("10.0.0.1", "10.0.0.2", "10.0.0.3")
    again = plan(hosts, *services, now=1.0, memory=seen.memory, h1=fake.programmed("h1", *services), **good)
    assert addresses(again) == ("10.0.0.1", "10.0.0.2", "10.0.0.3")
    lasting = plan(hosts, *services, now=VERIFY_SECONDS, memory=seen.memory, h1=failed, **good)
    assert addresses(lasting) == ("10.0.0.2", "10.0.0.3")


OURS = {"type": CONDITION, "status": "True", "reason": "Published", "message": ""}


def test_the_address_of_a_host_that_left_is_replaced() -> None:
    """Also if its public address changed; the addresses of other hosts stay."""
    hosts = fake.roster(3)
    stored = fake.service("a", scale=2, status=fake.published("10.0.0.1", "10.0.0.9"), conditions=[OURS])
    statuses = plan(hosts, stored, h1=fake.programmed("h1", stored))
    assert "10.0.0.1" in addresses(statuses, "a")
    assert len(addresses(statuses, "a")) == 2
    assert "10.0.0.9" not in addresses(statuses, "a")
    alone = fake.service("a", status=fake.published("10.0.0.9"), conditions=[OURS])
    assert addresses(plan(hosts, alone), "a") not in {("10.0.0.9",), ()}


def test_a_controller_that_writes_its_address_again_is_left_alone() -> None:
    hosts = fake.roster(1)
    other = fake.service("a", status=[{"ip": "192.0.2.1"}], conditions=[OURS])
    ours = fake.service("a", status=fake.published("10.0.0.1"), conditions=[OURS])
    first = plan(hosts, other)
    pending = plan(hosts, other, memory=first.memory)  # not written yet
    assert addresses(pending, "a") == ("10.0.0.1",)
    away = plan(hosts, ours, memory=pending.memory)
    back = plan(hosts, other, memory=away.memory)
    assert back.problems["default/a"][0].reason == "ForeignAddresses"
    assert back.desired["default/a"] == ServiceStatus(("192.0.2.1",))
    stays = fake.service("a", status=[{"ip": "192.0.2.1"}])
    assert not plan_writes({"default/a": stays}, plan(hosts, stays))


def test_an_address_leaves_when_its_host_goes_on_to_serve_it_for_clients_with_older_dns_answers() -> None:
    """An agent without such rules is not waited for, nor one whose rules fail, for longer than MOVE_SECONDS."""
    hosts = fake.roster(2, excluded=["h1"])
    both = fake.service("a", status=fake.published("10.0.0.1", "10.0.0.2"))
    ready = fake.programmed("h2", both)
    states = fake.programmed("h1", both)
    waits, serves = replace(states, draining={}), replace(states, draining=states.programmed)
    first = plan(hosts, both, h1=waits, h2=ready)
    assert addresses(first, "a") == ("10.0.0.1", "10.0.0.2")
    for report in (serves, states):
        assert addresses(plan(hosts, both, memory=first.memory, now=0.1, h1=report, h2=ready), "a") == ("10.0.0.2",)
    late = plan(hosts, both, memory=first.memory, now=MOVE_SECONDS, h1=waits, h2=ready)
    assert addresses(late, "a") == ("10.0.0.2",)


def test_an_excluded_host_without_a_local_endpoint_does_not_keep_its_address() -> None:
    hosts = fake.roster(2, excluded=["h1"])
    stored = fake.service("a", externalTrafficPolicy="Local", status=fake.published("10.0.0.1"))
    assert addresses(plan(hosts, stored, h1=fake.programmed("h1", stored)), "a") == ()
