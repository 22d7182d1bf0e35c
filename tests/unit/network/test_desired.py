"""The desired network state: routes on the shared subnet, VXLAN across subnets, rules, unknown facts."""

import ipaddress
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancherctl.kube.objects import Meta, Node
from rancherctl.network.desired import (
    cni_config,
    desired,
    first_address,
    own_pod_cidr,
    peers,
    remembered,
    tunnel_mac,
    unusable,
    vanished,
)
from rancherctl.network.model import HostLinks, KernelRoute, NetworkConfig, Peer, from_json, to_json

CONFIG = NetworkConfig("h1", "10.77.0.11", "10.42.0.0/16", "10.43.0.0/16")
LINKS = HostLinks("host0", "10.77.0.0/24", 1500)
NEAR = Peer("h2", "10.77.0.12", "10.42.1.0/24")
FAR = Peer("h3", "10.78.0.13", "10.42.2.0/24")


def node(name: str, address: str, *cidrs: str, created: str = "2026-01-01T00:00:00Z") -> Node:
    return Node(Meta("", name, created=created), (("InternalIP", address),), cidrs, True, False)


def test_shared_subnet_uses_plain_routes() -> None:
    state = desired(CONFIG, LINKS, "10.42.0.0/24", [NEAR])
    assert state.routes == (KernelRoute("10.42.1.0/24", "10.77.0.12"),)
    assert state.vxlan is None
    assert json.loads(state.cni)["plugins"][0]["mtu"] == 1500


def test_other_subnet_goes_through_vxlan_with_source_address_and_smaller_pods() -> None:
    state = desired(CONFIG, LINKS, "10.42.0.0/24", [NEAR, FAR])
    assert KernelRoute("10.42.2.0/24", "10.42.2.0", "rctl-vxlan", "10.42.0.0") in state.routes
    assert state.vxlan is not None
    assert state.vxlan.address == "10.42.0.0"
    assert [t.host for t in state.vxlan.tunnels] == ["10.78.0.13"]
    assert json.loads(state.cni)["plugins"][0]["mtu"] == 1450 == state.vxlan.mtu


def test_both_ends_derive_the_same_tunnel_mac() -> None:
    other_end = desired(
        NetworkConfig("h3", FAR.address, "10.42.0.0/16", "10.43.0.0/16"),
        HostLinks("host0", "10.78.0.0/24", 1500),
        FAR.pod_cidr,
        [],
    )
    assert other_end.vxlan is None
    assert tunnel_mac(FAR.address) == tunnel_mac("10.78.0.13") != tunnel_mac(NEAR.address)
    assert int(tunnel_mac(FAR.address)[:2], 16) & 0b11 == 0b10  # local, unicast


def test_without_a_pod_range_only_dns_is_configured() -> None:
    state = desired(CONFIG, LINKS, "", [NEAR])
    assert (state.routes, state.cni, state.forwarding) == ((), "", False)
    assert state.dns_addresses == ("169.254.20.10", "10.43.0.10")
    assert "notrack" in state.nft
    assert "masquerade" not in state.nft


def test_mode_none_leaves_pods_to_the_add_on() -> None:
    state = desired(
        NetworkConfig("h1", "10.77.0.11", "10.42.0.0/16", "10.43.0.0/16", "none"), LINKS, "10.42.0.0/24", [NEAR]
    )
    assert (state.cni, state.routes, state.forwarding) == ("", (), False)


def test_traffic_to_pods_and_hosts_is_not_masqueraded() -> None:
    nft = desired(CONFIG, LINKS, "10.42.0.0/24", [NEAR]).nft
    assert "elements = { 10.42.0.0/16, 10.77.0.11, 10.77.0.12 }" in nft
    assert "ip saddr 10.42.0.0/24 ip daddr != @inside" in nft


def test_peers_skip_nodes_without_address_or_range() -> None:
    nodes = {
        "h1": node("h1", "10.77.0.11", "10.42.0.0/24"),
        "h2": node("h2", "10.77.0.12"),
        "h4": node("h4", "10.77.0.14", "fd00::/64", "10.42.3.0/24"),
    }
    assert peers(nodes, CONFIG) == (Peer("h4", "10.77.0.14", "10.42.3.0/24"),)
    assert own_pod_cidr(nodes, "h1") == "10.42.0.0/24"
    assert own_pod_cidr(nodes, "gone") == ""


def test_a_state_round_trips_through_json() -> None:
    state = desired(CONFIG, LINKS, "10.42.0.0/24", [NEAR, FAR])
    assert from_json(json.loads(json.dumps(to_json(state)))) == state


def test_the_peers_of_a_state_can_be_recovered() -> None:
    state = desired(CONFIG, LINKS, "10.42.0.0/24", [NEAR, FAR])
    peers_ = remembered(state)
    assert {(p.address, p.pod_cidr) for p in peers_} == {(p.address, p.pod_cidr) for p in (NEAR, FAR)}
    assert desired(CONFIG, LINKS, "10.42.0.0/24", peers_) == state
    assert [p.address for p in vanished(peers_, [NEAR])] == [FAR.address]


def test_the_first_address_of_a_range_is_never_a_pods() -> None:
    assert first_address("10.42.7.0/24") == "10.42.7.0"
    assert json.loads(cni_config("10.42.7.0/24", 1500))["plugins"][0]["type"] == "ptp"


@pytest.mark.parametrize(
    ("address", "cidr"),
    [
        ("fd00::12", "10.42.9.0/24"),
        ("no address", "10.42.9.0/24"),
        ("10.77.0.12; flush ruleset", "10.42.9.0/24"),
        ("0.0.0.0", "10.42.9.0/24"),
        ("127.0.0.1", "10.42.9.0/24"),
        ("224.0.0.1", "10.42.9.0/24"),
        (CONFIG.address, "10.42.9.0/24"),
        ("10.77.0.12", "0.0.0.0/0"),
        ("10.77.0.12", "10.43.0.0/24"),
        ("10.77.0.12", "10.42.9.1/24"),
        ("10.77.0.12", "10.42.9.5/32"),
        ("10.77.0.12", "10.42.9.5"),
        ("10.77.0.12", "10.42.9.0/255.255.255.0"),
        ("10.42.2.5", "10.42.9.0/24"),
        ("10.43.0.10", "10.42.9.0/24"),
        ("169.254.20.10", "10.42.9.0/24"),
        ("255.255.255.255", "10.42.9.0/24"),
        ("10.77.0.13", NEAR.pod_cidr),
        ("10.77.0.13", "10.42.1.128/25"),
        ("10.77.0.13", "10.42.0.0/16"),
        ("10.77.0.13", "10.42.0.0/24"),
    ],
)
def test_a_bad_node_does_not_affect_others(address: str, cidr: str) -> None:
    nodes = {
        "odd": node("odd", address, cidr, created="2026-02-01T00:00:00Z"),
        "h2": node("h2", NEAR.address, NEAR.pod_cidr),
    }
    nodes["h1"] = node("h1", CONFIG.address, "10.42.0.0/24")
    assert peers(nodes, CONFIG) == (NEAR,)
    assert unusable(nodes, CONFIG) == ("odd",)
    assert desired(CONFIG, LINKS, "10.42.0.0/24", peers(nodes, CONFIG)) == desired(
        CONFIG, LINKS, "10.42.0.0/24", [NEAR]
    )


def test_a_refused_wide_range_does_not_block_later_nodes() -> None:
    nodes = {
        "h1": node("h1", CONFIG.address, "10.42.0.0/24"),
        "h2": node("h2", NEAR.address, NEAR.pod_cidr),
        "greedy": node("greedy", "10.77.0.66", "10.42.0.0/16", created="2026-02-01T00:00:00Z"),
        "h3": node("h3", "10.77.0.13", "10.42.2.0/24", created="2026-03-01T00:00:00Z"),
    }
    assert [p.node for p in peers(nodes, CONFIG)] == ["h2", "h3"]
    assert unusable(nodes, CONFIG) == ("greedy",)


@given(
    st.dictionaries(
        st.text(max_size=5),
        st.tuples(st.text(max_size=12) | st.ip_addresses().map(str), st.text(max_size=12)),
        max_size=4,
    )
)
def test_arbitrary_nodes_give_a_state(said: dict[str, tuple[str, str]]) -> None:
    nodes = {name: node(name, address, cidr) for name, (address, cidr) in said.items()} | {
        "h2": node("h2", NEAR.address, NEAR.pod_cidr)
    }
    state = desired(CONFIG, LINKS, "10.42.0.0/24", peers(nodes, CONFIG))
    assert from_json(json.loads(json.dumps(to_json(state)))) == state
    assert KernelRoute(NEAR.pod_cidr, NEAR.address) in state.routes


RANGES = st.builds(
    lambda start, size: str(ipaddress.ip_network((start << 8 | 10 << 24 | 42 << 16, size), strict=False)),
    st.integers(0, 7),
    st.integers(12, 32),
)
ADDRESSES = st.builds(lambda net, host: f"10.{net}.0.{host}", st.sampled_from([42, 43, 77, 78]), st.integers(0, 255))
SAID = st.tuples(ADDRESSES, RANGES, st.sampled_from(["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"]))


@given(st.dictionaries(st.sampled_from([f"n{n}" for n in range(8)]), SAID))
def test_pod_ranges_never_overlap_and_nft_accepts_the_set(
    said: dict[str, tuple[str, str, str]],
) -> None:
    nodes = {name: node(name, address, cidr, created=created) for name, (address, cidr, created) in said.items()}
    nodes["h1"] = node("h1", CONFIG.address, "10.42.0.0/24", created="2026-02-01T00:00:00Z")
    found = peers(nodes, CONFIG)
    assert {p.node for p in found} | set(unusable(nodes, CONFIG)) == said.keys()
    ranges = [ipaddress.ip_network(p.pod_cidr) for p in found] + [ipaddress.ip_network("10.42.0.0/24")]
    assert not any(a.overlaps(b) for i, a in enumerate(ranges) for b in ranges[:i])
    state = desired(CONFIG, LINKS, "10.42.0.0/24", found)
    elements = state.nft.partition("elements = { ")[2].partition(" }")[0].split(", ")
    inside = [ipaddress.ip_network(element) for element in elements]
    assert not any(a.overlaps(b) for i, a in enumerate(inside) for b in inside[:i])
    assert {(p.address, p.pod_cidr) for p in remembered(state)} == {(p.address, p.pod_cidr) for p in found}
