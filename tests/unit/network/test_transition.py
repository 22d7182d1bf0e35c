"""Between direct routes and VXLAN: no host sends what another cannot receive yet."""

from __future__ import annotations

from dataclasses import replace

from rancherctl.network.desired import desired
from rancherctl.network.model import HostLinks, NetworkConfig, NetworkState, Peer
from rancherctl.network.transition import is_changing, staged

ROUTED = NetworkConfig("h1", "10.77.0.11", "10.42.0.0/16", "10.43.0.0/16")
VXLAN = replace(ROUTED, mode="vxlan")
LINKS = HostLinks("host0", "10.77.0.0/24", 1500)
NEAR, FAR = Peer("h2", "10.77.0.12", "10.42.2.0/24"), Peer("h3", "10.77.1.13", "10.42.3.0/24")


def state(config: NetworkConfig, *peers: Peer) -> NetworkState:
    return desired(config, LINKS, "10.42.1.0/24", peers)


def devices(found: NetworkState) -> dict[str, str]:
    return {route.destination: route.device for route in found.routes}


def test_mode_vxlan_uses_the_device_on_a_shared_subnet_and_for_the_mtu_of_the_first_pod() -> None:
    both = state(VXLAN, NEAR, FAR)
    assert devices(both) == {"10.42.2.0/24": "rctl-vxlan", "10.42.3.0/24": "rctl-vxlan"}
    assert both.vxlan is not None
    assert [tunnel.host for tunnel in both.vxlan.tunnels] == ["10.77.0.12", "10.77.1.13"]
    alone = state(VXLAN)
    assert alone.vxlan is None
    assert '"mtu": 1450' in alone.cni
    assert '"mtu": 1500' in state(ROUTED, NEAR).cni


def test_tunnels_exist_before_routes_use_them() -> None:
    before, wanted = state(ROUTED, NEAR), state(VXLAN, NEAR)
    assert is_changing(before, wanted)
    between = staged(before, wanted)
    assert devices(between) == {"10.42.2.0/24": ""}
    assert between.vxlan == wanted.vxlan
    assert between.cni == wanted.cni
    assert is_changing(between, wanted)  # also after a restart of the agent
    assert not is_changing(wanted, wanted)


def test_tunnels_are_kept_after_routes_left_them() -> None:
    before, wanted = state(VXLAN, NEAR), state(ROUTED, NEAR)
    between = staged(before, wanted)
    assert devices(between) == {"10.42.2.0/24": ""}
    assert between.vxlan == before.vxlan
    assert is_changing(between, wanted)
    assert not is_changing(wanted, wanted)
    assert wanted.vxlan is None


def test_hosts_of_other_subnets_and_hosts_that_left_do_not_change_their_way() -> None:
    assert not is_changing(state(ROUTED, FAR), state(VXLAN, FAR))
    assert not is_changing(state(VXLAN, NEAR), state(ROUTED))
    assert not is_changing(None, state(VXLAN, NEAR))
    between = staged(state(ROUTED, NEAR, FAR), state(VXLAN, NEAR, FAR))
    assert devices(between) == {"10.42.2.0/24": "", "10.42.3.0/24": "rctl-vxlan"}
    back = staged(state(VXLAN, NEAR, FAR), state(ROUTED, NEAR, FAR))
    assert devices(back) == {"10.42.2.0/24": "", "10.42.3.0/24": "rctl-vxlan"}
    assert back.vxlan is not None
    assert len(back.vxlan.tunnels) == 2
