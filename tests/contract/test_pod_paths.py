"""Checks of pod paths through real network namespaces: each fault shows with its cause, at the host that has it."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator

import pytest

from rancherctl.pod_paths.explain import PathProblem, explain
from tests.fakes.certificates import certificate
from tests.fakes.pod_network import DNS, PodNetwork, failing

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="creating a network namespace needs root")
LIVE = {"h1", "h2", "h3"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PodNetwork]:
    folder = tmp_path_factory.mktemp("p")
    pair, _ = certificate(folder / "api")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    network = PodNetwork(folder, context)
    yield network
    network.close()


@pytest.fixture
def network(built: PodNetwork) -> Iterator[PodNetwork]:
    yield built
    built.switch.sh("nft flush ruleset")
    for host in built.hosts:
        host.proxy = ""
        host.net.sh("nft list tables ip | grep -v kube | sed 's/^/delete /' | nft -f -")
        for other in built.others(host):
            host.route(other)


def problems(network: PodNetwork) -> list[tuple[str, str]]:
    """(host, cause) of every problem."""
    found: tuple[PathProblem, ...] = explain(network.paths(), LIVE)
    return [(each.host, each.cause) for each in found]


def test_without_a_fault_everything_is_reached(network: PodNetwork) -> None:
    for paths in network.paths().values():
        assert failing(paths) == {}
        assert len(paths.pods) == 2


DENY = (
    "add table ip deny; add chain ip deny {0} {{ type filter hook {0} priority 0; policy accept; }};"
    " add rule ip deny {0} {1}"
)


def test_a_firewall_that_drops_forwarded_packets_of_one_host(network: PodNetwork) -> None:
    """As ufw with its default policy for routed packets: pods of h3 reach the DNS server of their own host only."""
    h3 = network.hosts[2]
    h3.net.sh(f"nft '{DENY.format('forward', 'ct state new drop')}'")
    found = network.paths()
    assert failing(found["h3"]) == {
        "the API": ("no", "firewall"), "pods of h1": ("no", "firewall"), "pods of h2": ("no", "firewall"),
    }  # fmt: skip
    assert failing(found["h1"]) == failing(found["h2"]) == {"pods of h3": ("no", "network")}
    assert [(p.host, p.cause) for p in explain(found, LIVE)] == [("h3", "firewall")]


def test_a_firewall_that_drops_packets_of_pods_to_the_host_itself(network: PodNetwork) -> None:
    """As ufw's default policy for incoming packets: no DNS; on the API's host, no API either."""
    for host, expected in ((network.hosts[1], {"DNS"}), (network.hosts[0], {"DNS", "the API"})):
        host.net.sh(f"nft '{DENY.format('input', 'ip saddr 10.42.0.0/16 drop')}'")
        paths = host.paths(*network.others(host))
        assert failing(paths) == dict.fromkeys(expected, ("no", "firewall"))
        assert "the host itself gets answers" in paths.dns.reason


def test_a_firewall_that_rejects(network: PodNetwork) -> None:
    """As firewalld: an ICMP error instead of silence."""
    h2 = network.hosts[1]
    h2.net.sh(f"nft '{DENY.format('input', 'ip saddr 10.42.0.0/16 reject with icmp type admin-prohibited')}'")
    assert failing(h2.paths(*network.others(h2))) == {"DNS": ("no", "firewall")}


def test_a_firewall_that_lets_pods_out_but_none_in(network: PodNetwork) -> None:
    """Only the two hosts together can tell it from a network that drops pod addresses."""
    h2 = network.hosts[1]
    h2.net.sh(f"nft '{DENY.format('forward', 'iifname host0 ct state new drop')}'")
    found = network.paths()
    assert failing(found["h2"]) == {}
    assert [(p.host, p.cause) for p in explain(found, LIVE)] == [("h2", "firewall")]
    assert "h1, h3" in explain(found, LIVE)[0].text


def test_a_switch_that_drops_pod_addresses(network: PodNetwork) -> None:
    network.switch.sh("nft 'add table bridge f; add chain bridge f c { type filter hook forward priority 0; };"
                      " add rule bridge f c ip saddr 10.42.0.0/16 drop'")  # fmt: skip
    found = network.paths()
    assert failing(found["h1"]) == {"pods of h2": ("no", "network"), "pods of h3": ("no", "network")}
    assert failing(found["h3"]) == {
        "the API": ("no", "network"), "pods of h1": ("no", "network"), "pods of h2": ("no", "network"),
    }  # fmt: skip
    assert problems(network) == [("h1", "network"), ("h2", "network"), ("h3", "network")]


def test_a_stopped_kube_proxy_shows_although_its_rules_stay(network: PodNetwork) -> None:
    network.hosts[1].proxy = "its health check does not answer: connection refused"
    assert problems(network) == [("h2", "kube-proxy")]


def test_missing_rules_of_kube_proxy(network: PodNetwork) -> None:
    h2 = network.hosts[1]
    h2.net.sh("nft delete table ip kube; ip route add unreachable 10.43.0.1")
    try:
        assert failing(h2.paths(*network.others(h2))) == {"the API": ("no", "kube-proxy")}
    finally:
        from tests.fakes.pod_network import KUBE_PROXY

        h2.net.sh(f"ip route del unreachable 10.43.0.1; printf '%s' '{KUBE_PROXY}' | nft -f -")


def test_a_stopped_dns_server(network: PodNetwork) -> None:
    from tests.fakes.pod_network import FakeServer, _udp

    h2 = network.hosts[1]
    assert h2.dns
    h2.dns.close()
    try:
        assert problems(network) == [("h2", "dns-server")]
    finally:
        h2.dns = h2.net.call(lambda: FakeServer(_udp(DNS)))


def test_a_deleted_route(network: PodNetwork) -> None:
    """Both hosts miss answers; only the one without the route is to blame."""
    h2, h3 = network.hosts[1:]
    h2.route(h3, "del")
    found = network.paths()
    assert failing(found["h2"]) == {"pods of h3": ("no", "route")}
    assert failing(found["h3"]) == {"pods of h2": ("no", "network")}
    assert [(p.host, p.cause) for p in explain(found, LIVE)] == [("h2", "route")]


def test_a_route_that_leads_to_another_host(network: PodNetwork) -> None:
    h1, h2, h3 = network.hosts
    h2.net.sh(f"ip route replace {h3.pods} via {h1.address}")
    paths = h2.paths(h1, h3)
    # h1 forwards to h3: the path works by a detour, which is not a fault of the path.
    assert failing(paths) == {}


def test_an_api_outage_does_not_count_as_a_broken_path(network: PodNetwork) -> None:
    network.api.close()
    try:
        found = network.paths()
        assert {paths.api.answer for paths in found.values()} == {"unknown"}
        assert explain(found, LIVE) == ()
    finally:
        network.restart_api()


def test_large_packets_that_are_lost(network: PodNetwork) -> None:
    h2, h3 = network.hosts[1:]
    network.switch.sh("nft 'add table bridge f; add chain bridge f c { type filter hook forward priority 0; };"
                      f" add rule bridge f c ip saddr {h3.pods} ip length > 1400 drop'")  # fmt: skip
    assert failing(h2.paths(h3)) == {"pods of h3": ("no", "mtu")}


def test_the_endpoint_is_attached_again_after_its_device_was_deleted(network: PodNetwork) -> None:
    h1, h2, _ = network.hosts
    h2.net.sh("ip link del rctl-check")
    assert failing(h2.paths(h1)) == {}


def test_a_check_leaves_no_rules_behind(network: PodNetwork) -> None:
    h2, h3 = network.hosts[1:]
    h2.route(h3, "del")
    h2.paths(h3)
    assert "rancherctl_paths" not in h2.net.sh("nft list tables")
