"""Which hosts publish a Service: one port table per host, minimal movement, and reasons for every host left out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancherctl.kube import objects
from rancherctl.placement.model import Roster
from rancherctl.services.model import HostPorts, LoadBalancer
from rancherctl.services.placement import Decision, place_services
from rancherctl.services.translate import ServicePolicy, translate
from tests.fakes import services as fake

POLICY = ServicePolicy(reserved={("tcp", 22): "sshd", ("tcp", 6443): "the API"})


def load_balancer(
    service: objects.Service, hosts: Roster, slices: tuple[objects.EndpointSlice, ...] = ()
) -> LoadBalancer:
    return translate(service, slices, POLICY, {h.address for h in hosts.hosts})


def place(hosts: Roster, *services: objects.Service, **ports: HostPorts) -> dict[str, Decision]:
    found = place_services([load_balancer(s, hosts) for s in services], hosts, fake.reports(hosts, **ports))
    return {key.removeprefix("default/"): decision for key, decision in found.items()}


def test_two_services_with_one_port_get_disjoint_hosts_and_a_third_names_both() -> None:
    """Case 73 of the acceptance tests."""
    hosts = fake.roster(4)
    old, new = fake.service("a", scale=2), fake.service("b", scale=2, created="2026-01-02T00:00:00Z")
    third = fake.service("c", created="2026-01-03T00:00:00Z")
    found = place(hosts, third, new, old)
    assert len(found["a"].hosts) == len(found["b"].hosts) == 2
    assert not set(found["a"].hosts) & set(found["b"].hosts)
    assert found["c"].hosts == ()
    message = found["c"].problems[0].message
    assert "Service default/a has 5432/TCP there" in message
    assert "Service default/b has 5432/TCP there" in message


def test_a_host_publishes_so_many_services_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rancherctl.services.placement.MAX_SERVICES", 2)
    names = ("a", "b", "c")
    found = place(fake.roster(1), *(fake.service(name, ("tcp", 80 + n)) for n, name in enumerate(names)))
    assert [found[name].hosts for name in names] == [("h1",), ("h1",), ()]
    assert "publishes 2 Services already" in found["c"].problems[0].message


def test_another_protocol_is_another_port() -> None:
    hosts = fake.roster(1)
    found = place(hosts, fake.service("a", ("tcp", 53)), fake.service("b", ("udp", 53)))
    assert found["a"].hosts == found["b"].hosts == ("h1",)


def test_all_ports_of_a_service_go_together() -> None:
    hosts = fake.roster(1)
    first = fake.service("a", ("tcp", 53))
    found = place(hosts, first, fake.service("b", ("tcp", 53), ("udp", 53), created="2026-01-02T00:00:00Z"))
    assert found["b"].hosts == ()


def test_a_published_service_keeps_its_host_against_an_older_one() -> None:
    hosts = fake.roster(1)
    older = fake.service("a")
    younger = fake.service("b", created="2026-01-02T00:00:00Z", status=fake.published("10.0.0.1"))
    found = place(hosts, older, younger)
    assert (found["a"].hosts, found["b"].hosts) == ((), ("h1",))


def test_a_service_moves_only_if_its_host_cannot_carry_it() -> None:
    hosts = fake.roster(6)
    (before,) = place(hosts, fake.service("a")).values()
    other = next(h.name for h in hosts.hosts if h.name not in before.hosts)
    kept = fake.service("a", status=fake.published(fake.address(other)))
    assert place(hosts, kept)["a"].hosts == (other,)
    assert place(fake.roster(6, dead=[other]), kept)["a"].hosts == before.hosts


@given(st.integers(1, 8), st.integers(1, 4), st.integers(1, 6))
def test_no_port_of_a_host_is_given_twice(hosts: int, scale: int, count: int) -> None:
    roster = fake.roster(hosts)
    services = [fake.service(f"s{n}", scale=scale, created=f"2026-01-{n + 1:02}T00:00:00Z") for n in range(count)]
    placed = [host for decision in place(roster, *services).values() for host in decision.hosts]
    assert len(placed) == len(set(placed)) == min(hosts, scale * count)


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        (HostPorts(used={("tcp", 5432): "postgres (process 7)"}), "5432/TCP is used by postgres (process 7)"),
        (HostPorts(used={("udp", 5432): "x"}), ""),
        (HostPorts(load_balancer=frozenset({5432})), "Ingresses are served on 5432/TCP"),
        (HostPorts(proxy_error="its health check answers 503"), "kube-proxy: its health check answers 503"),
        (HostPorts(reported=False), "its agent has not reported its ports yet"),
        (HostPorts(reported=False, error="no nft"), "its agent cannot read its ports: no nft"),
    ],
)
def test_what_a_host_reports_excludes_it(report: HostPorts, reason: str) -> None:
    decision = place(fake.roster(1), fake.service("a"), h1=report)["a"]
    assert decision.reasons.get("h1", "") == reason
    assert bool(decision.hosts) == (reason == "")


def test_a_published_service_keeps_a_port_that_the_load_balancer_still_has() -> None:
    """The Ingress yields: the Service's address is its data path already."""
    kept = fake.service("a", status=fake.published("10.0.0.1"))
    assert place(fake.roster(1), kept, h1=HostPorts(load_balancer=frozenset({5432})))["a"].hosts == ("h1",)


def test_sockets_of_the_load_balancer_count_as_its_own_though_the_agent_cannot_see_whose_they_are() -> None:
    hosts, used = fake.roster(1), {("tcp", 5432): "another program"}
    busy = HostPorts(used=used, load_balancer=frozenset({5432}))
    assert place(hosts, fake.service("a"), h1=busy)["a"].reasons == {"h1": "Ingresses are served on 5432/TCP"}
    kept = fake.service("a", status=fake.published("10.0.0.1"))
    assert place(hosts, kept, h1=busy)["a"].hosts == ("h1",)
    pod = HostPorts(used={("tcp", 5432): "hostPort of pod x/y"}, load_balancer=frozenset({5432}))
    assert place(hosts, kept, h1=pod)["a"].reasons == {"h1": "5432/TCP is used by hostPort of pod x/y"}


def test_policy_local_takes_only_hosts_with_an_endpoint() -> None:
    hosts = fake.roster(3)
    slices = (
        objects.endpoint_slice(
            {
                "metadata": {"name": "a-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "a"}},
                "addressType": "IPv4",
                "endpoints": [
                    {"addresses": ["10.42.0.2"], "nodeName": "h2", "conditions": {"ready": True}},
                    {"addresses": ["10.42.0.3"], "nodeName": "h3", "conditions": {"ready": False}},
                ],
            }
        ),
    )
    local = load_balancer(fake.service("a", scale=3, externalTrafficPolicy="Local"), hosts, slices)
    decision = place_services([local], hosts, fake.reports(hosts))["default/a"]
    assert decision.hosts == ("h2",)
    assert decision.reasons["h3"] == "has no endpoint of it (externalTrafficPolicy Local)"
    assert decision.problems[0].reason == "TooFewHosts"


def test_a_requested_address_is_that_address_or_none() -> None:
    hosts = fake.roster(3)
    assert place(hosts, fake.service("a", loadBalancerIP="10.0.0.2"))["a"].hosts == ("h2",)
    refused = place(hosts, fake.service("a", loadBalancerIP="192.0.2.9"))["a"]
    assert refused.hosts == ()
    assert "'192.0.2.9' is not the address of a load-balancer host" in refused.problems[0].message


@pytest.mark.parametrize(("port", "use"), [(22, "sshd"), (6443, "the API"), (30000, "NodePort"), (32767, "NodePort")])
def test_reserved_ports_get_no_address_and_the_reason(port: int, use: str) -> None:
    decision = place(fake.roster(2), fake.service("a", ("tcp", port), ("tcp", 80)))["a"]
    assert decision.hosts == ()
    (problem,) = decision.problems
    assert problem.reason == "ReservedPort"
    assert use in problem.message
    assert f"{port}/TCP" in problem.message


def test_the_address_must_be_of_a_family_of_the_service() -> None:
    hosts = fake.roster(1)
    six = fake.service("a", ipFamilies=["IPv6"])
    assert place(hosts, six)["a"].reasons == {"h1": "its address is IPv4, the Service has IPv6"}
    named = Roster(1, 1, (replace(hosts.hosts[0], address="lb.example.org"),))
    assert place(named, fake.service("a"))["a"].reasons == {"h1": "has no IP address to publish"}
