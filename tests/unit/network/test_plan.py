"""The network plan: empty when all is there, names what is missing, never touches what is foreign."""

from dataclasses import replace

from rancherctl.network.desired import desired
from rancherctl.network.model import HostLinks, KernelRoute, NetworkConfig, NetworkState, Observed, Peer
from rancherctl.network.observe import parse_routes
from rancherctl.network.plan import LoadedTable, plan

CONFIG = NetworkConfig("h1", "10.77.0.11", "10.42.0.0/16", "10.43.0.0/16")
PEERS = [Peer("h2", "10.77.0.12", "10.42.1.0/24"), Peer("h3", "10.78.0.13", "10.42.2.0/24")]
STATE = desired(CONFIG, HostLinks("host0", "10.77.0.0/24", 1500), "10.42.0.0/24", PEERS)
LISTING = "table inet rancherctl_network { as nft prints it }"
LOADED = LoadedTable(STATE.nft, LISTING)


def seen(state: NetworkState = STATE, **changes: object) -> Observed:
    base = {
        "dns_addresses": frozenset((*state.dns_addresses, "127.0.0.1")),
        "routes": frozenset(state.routes),
        "vxlan": state.vxlan,
        "nft": LISTING,
        "cni": state.cni,
        "forwarding": True,
    }
    return Observed(**(base | changes))  # type: ignore[arg-type]


def test_an_up_to_date_host_needs_no_changes() -> None:
    assert not plan(seen(), STATE, LOADED)


def test_a_fresh_host_gets_everything() -> None:
    empty = Observed(frozenset(), frozenset(), None, "", "", False)
    keys = {c.key for c in plan(empty, STATE, LoadedTable())}
    assert {
        "forwarding",
        "address/169.254.20.10",
        "address/10.43.0.10",
        "nft",
        "cni",
        "vxlan",
        "tunnel/10.42.2.0",
    } <= keys
    assert {"route/10.42.1.0/24", "route/10.42.2.0/24"} <= keys


def test_foreign_addresses_stay_and_stale_routes_are_removed() -> None:
    stale = KernelRoute("10.42.9.0/24", "10.77.0.99")
    todo = plan(seen(routes=frozenset((*STATE.routes, stale))), STATE, LOADED)
    assert [(c.key, c.verb) for c in todo] == [("route/10.42.9.0/24", "delete")]


def test_a_flushed_table_and_a_changed_one_are_both_reloaded() -> None:
    assert [c.verb for c in plan(seen(nft=""), STATE, LOADED)] == ["create"]
    assert [c.verb for c in plan(seen(nft="table inet rancherctl_network { }"), STATE, LOADED)] == ["update"]


def test_routes_are_parsed_with_and_without_device() -> None:
    text = b'[{"dst":"10.42.1.0/24","gateway":"10.77.0.12","dev":"host0","flags":[]},'
    text += b'{"dst":"10.42.2.0/24","gateway":"10.42.2.0","dev":"rctl-vxlan","prefsrc":"10.42.0.0","flags":["onlink"]}]'
    assert parse_routes(text) == frozenset(STATE.routes)
    assert parse_routes(b"") == frozenset()


def test_a_recreated_device_gets_its_tunnels_and_routes_in_the_same_plan() -> None:
    assert STATE.vxlan is not None
    todo = plan(seen(vxlan=replace(STATE.vxlan, mtu=1400)), STATE, LOADED)
    assert {c.key for c in todo} == {"vxlan", "tunnel/10.42.2.0", "route/10.42.2.0/24"}
    gone = replace(STATE, vxlan=None, routes=tuple(r for r in STATE.routes if not r.device))
    assert {(c.key, c.verb) for c in plan(seen(), gone, LOADED)} == {("vxlan", "delete")}
