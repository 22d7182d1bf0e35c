"""The network role on a host with scripted tools: one failure does not stop the other changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rancherctl.errors import RancherctlError
from rancherctl.hosts import firewall_rules
from rancherctl.hosts.command import Command, Result
from rancherctl.hosts.firewall import FilterChain, FirewallFact
from rancherctl.hosts.transport import CommandFailedError
from rancherctl.kube.objects import Meta, Node
from rancherctl.kube.snapshot import Snapshot, Table
from rancherctl.network import apply as apply_module
from rancherctl.network import transition
from rancherctl.network.model import KernelRoute, Mode, NetworkConfig
from rancherctl.network.observe import parse_routes
from rancherctl.network.reconcile import NetworkRole, restore

CONFIG = NetworkConfig("h1", "10.77.0.11", "10.42.0.0/16", "10.43.0.0/16")
LINKS = [{"ifname": "host0", "mtu": 1500, "addr_info": [{"local": "10.77.0.11", "prefixlen": 24}]}]


class Tools:
    """ip, nft and sysctl of an empty host. Commands with ``refused`` words fail; ``ran`` are the changing ones."""

    name = "h1"

    def __init__(self, *refused: str) -> None:
        self.refused, self.ran = refused, list[str]()
        self.links: list[object] = list(LINKS)
        self.routes: list[dict[str, str]] = []
        self.table = b""

    def run(self, command: Command, *, check: bool = True) -> Result:
        line = command.show()
        status, out = 0, b""
        if "addr show" in line and "dev" not in line:
            out = json.dumps(self.links).encode()
        elif "route show" in line:
            out = json.dumps(self.routes).encode()
        elif "list table" in line and self.table:
            out = self.table
        elif " show " in line or " list " in line:
            status = 1 if "rctl-vxlan" in line or "nft" in line else 0
        else:
            self.ran.append(line)
            status = 2 if any(word in line for word in self.refused) else 0
        result = Result(command, status, out, b"Error: Nexthop has invalid gateway." if status else b"")
        if check and status:
            raise CommandFailedError("h1", result)
        return result

    def upload(self, *_: object, **__: object) -> None:
        raise AssertionError

    def close(self) -> None:
        """Nothing is open."""


def nodes(*names: str) -> Snapshot:
    found = {
        f"h{n}": Node(Meta("", f"h{n}"), (("InternalIP", f"10.77.0.1{n}"),), (f"10.42.{n}.0/24",), True, False)
        for n in map(int, names)
    }
    return Snapshot({"nodes": Table(found, synced=True)})


@pytest.fixture(autouse=True)
def cni(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "net.d/10-rancherctl.conflist"
    monkeypatch.setattr("rancherctl.network.apply.CNI_PATH", path)
    monkeypatch.setattr("rancherctl.network.observe.CNI_PATH", path)
    return path


def test_a_failed_route_does_not_stop_other_changes(tmp_path: Path, cni: Path) -> None:
    tools = Tools("10.42.2.0/24")
    role = NetworkRole(CONFIG, tools, state_path=tmp_path / "state.json")
    with pytest.raises(RancherctlError, match="1 network changes failed") as caught:
        role.reconcile(nodes("1", "2", "3"))
    assert "route/10.42.2.0/24" in caught.value.why
    assert "Nexthop has invalid gateway" in caught.value.why
    assert any("10.42.3.0/24 via 10.77.0.13" in line for line in tools.ran)
    assert any(line.startswith("nft -f") for line in tools.ran)
    assert cni.exists()


def test_a_full_disk_does_not_stop_routes(tmp_path: Path) -> None:
    (tmp_path / "full").write_text("no folder can be made here")
    tools = Tools()
    role = NetworkRole(CONFIG, tools, state_path=tmp_path / "full/state.json")
    for _ in range(2):  # it stays an error, as long as it is true
        with pytest.raises(RancherctlError, match=r"up to date, but cannot be saved to .*full/state\.json"):
            role.reconcile(nodes("1", "2"))
    assert any("10.42.2.0/24 via 10.77.0.12" in line for line in tools.ran)
    (tmp_path / "full").unlink()
    role.reconcile(nodes("1", "2"))
    state = apply_module.load(tmp_path / "full/state.json")
    assert state is not None
    assert [route.destination for route in state.routes] == ["10.42.2.0/24"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "1", "null", '{"dns_addresses": 3}', '{"dns_addresses": [], "routes": [1]}', "\x00\x01"]
)
def test_a_damaged_state_file_is_moved_aside(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(text)
    assert apply_module.load(path) is None
    assert not path.exists()
    assert (tmp_path / "state.broken").exists()


OTHERS = {"dst": "10.42.2.0/24", "gateway": "10.77.0.12", "dev": "host0"}
UNKNOWN = Snapshot({"nodes": Table({}, synced=False)})


@pytest.mark.parametrize(
    "snapshot", [UNKNOWN, Snapshot({"nodes": Table({}, synced=True)})], ids=["API away", "node unknown"]
)
def test_nothing_is_removed_while_the_desired_state_is_unknown(tmp_path: Path, cni: Path, snapshot: Snapshot) -> None:
    """The routes, rules and CNI configuration that are there are all that is left of what was known."""
    path = tmp_path / "state.json"
    path.write_text("{")
    cni.parent.mkdir()
    cni.write_text("pods need it")
    tools = Tools()
    tools.routes, tools.table = [OTHERS], b"table inet rancherctl_network { }"
    role = NetworkRole(CONFIG, tools, state_path=path)
    role.reconcile(snapshot)
    assert [line for line in tools.ran if "addr" not in line] == []
    assert len(tools.ran) == 2, "the DNS addresses"
    assert cni.read_text() == "pods need it"
    assert not path.exists(), "nor is it kept as what was known last"
    role.reconcile(nodes("1", "3"))
    assert any(line.startswith("ip route del 10.42.2.0/24") for line in tools.ran)
    assert any("10.42.3.0/24 via 10.77.0.13" in line for line in tools.ran)


def test_a_restore_without_a_state_removes_nothing(tmp_path: Path, cni: Path) -> None:
    cni.parent.mkdir()
    cni.write_text("pods need it")
    tools = Tools()
    tools.routes = [OTHERS]
    restore(tools, CONFIG, tmp_path / "state.json")
    assert not any("route" in line for line in tools.ran)
    assert any(line.startswith("nft -f") for line in tools.ran)
    assert cni.exists()


def test_a_link_without_its_address_does_not_stop_other_repairs(tmp_path: Path) -> None:
    tools = Tools()
    role = NetworkRole(CONFIG, tools, state_path=tmp_path / "state.json")
    role.reconcile(nodes("1", "2"))
    tools.ran.clear()
    tools.links = []
    with pytest.raises(RancherctlError, match=r"no network device has the address 10\.77\.0\.11"):
        role.reconcile(nodes("1", "2"))
    assert any("169.254.20.10/32 dev lo" in line for line in tools.ran)
    assert any("10.42.2.0/24 via 10.77.0.12" in line for line in tools.ran)


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b'{"dns_addresses": []}', None])
def test_files_damaged_while_the_agent_runs_are_rewritten(tmp_path: Path, cni: Path, damage: bytes | None) -> None:
    path = tmp_path / "state.json"
    role = NetworkRole(CONFIG, Tools(), state_path=path)
    role.reconcile(nodes("1", "2"))
    good = [(file, file.read_bytes()) for file in (path, cni)]
    for file, _ in good:
        if damage is None:
            file.unlink()
        else:
            file.write_bytes(damage)
    role.reconcile(nodes("1", "2"))
    assert [(file, file.read_bytes()) for file, _ in good] == good


def test_a_route_to_a_single_address_keeps_its_prefix() -> None:
    assert parse_routes(b'[{"dst": "10.42.9.5", "gateway": "10.77.0.12", "dev": "host0"}]') == {
        KernelRoute("10.42.9.5/32", "10.77.0.12")
    }


def test_a_boot_before_the_link_has_its_address_succeeds(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    NetworkRole(CONFIG, Tools(), state_path=path).reconcile(nodes("1", "2"))
    late = Tools("ip route")
    assert len(restore(late, CONFIG, path).routes) == 1
    assert any(line.startswith("nft -f") for line in late.ran)
    with pytest.raises(RancherctlError, match="2 network changes failed"):
        restore(Tools("ip addr"), CONFIG, path)


def test_routes_of_a_mass_loss_are_kept_until_it_has_lasted(tmp_path: Path) -> None:
    """A restored API may return few Nodes or only this one, while the other hosts and their pods are healthy."""
    tools, times = Tools(), [100.0]
    role = NetworkRole(CONFIG, tools, state_path=tmp_path / "state.json", clock=lambda: times[0])

    def routes(snapshot: Snapshot) -> int:
        section = role.reconcile(snapshot)
        assert bool(section["alarm"]) == (section["routes"] > len(snapshot.table("nodes").items) - 1)
        return int(section["routes"])

    assert routes(nodes("1", "2", "3", "4")) == 3
    assert routes(nodes("1", "2", "3")) == 2, "one that is removed goes at once"
    assert routes(nodes("1", "2", "3", "4")) == 3
    assert routes(nodes("1")) == 3
    times[0] += 50.0
    assert routes(nodes("1", "5")) == 4, "who comes is let in"
    assert routes(nodes("1", "2", "3", "4")) == 3, "it was a moment"
    assert routes(nodes("1", "2")) == 3
    times[0] += 59.0
    assert routes(nodes("1", "2")) == 3
    restarted = NetworkRole(CONFIG, tools, state_path=tmp_path / "state.json", clock=lambda: times[0])
    assert restarted.reconcile(nodes("1", "2"))["routes"] == 3
    times[0] += 1.0
    assert routes(nodes("1", "2")) == 1
    assert routes(nodes("1", "2")) == 1


def test_kube_proxys_rules_are_checked_after_notifications_and_else_rarely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    callbacks: list[Callable[[], None]] = []
    monkeypatch.setattr("rancherctl.network.reconcile.NetlinkWatch", callbacks.append)
    looks, times = list[float](), [100.0]
    role = NetworkRole(CONFIG, Tools(), state_path=tmp_path / "state.json", clock=lambda: times[0])
    monkeypatch.setattr(role._proxy, "check", lambda: looks.append(times[0]))
    role.start(lambda: None)
    well = Snapshot({"nodes": Table(nodes("1", "2").table("nodes").items, synced=True, healthy=True)})
    for now in (100.0, 105.0, 110.0, 130.0):
        times[0] = now
        role.reconcile(well)
    assert looks == [100.0, 130.0]
    times[0] = 131.0
    callbacks[0]()
    role.reconcile(nodes("1", "2"))
    assert looks == [100.0, 130.0], "without the API a new kube-proxy would know no Service"
    role.reconcile(well)
    assert looks == [100.0, 130.0, 131.0]


def test_in_mode_none_no_node_is_unusable(tmp_path: Path) -> None:
    """Another add-on has ranges of its own."""
    foreign = {"h2": Node(Meta("", "h2"), (("InternalIP", "10.77.0.12"),), ("192.168.7.0/24",), True, False)}
    cases: tuple[tuple[Mode, list[str]], ...] = (("routed", ["h2"]), ("none", []))
    for mode, odd in cases:
        role = NetworkRole(replace(CONFIG, mode=mode), Tools(), state_path=tmp_path / f"{mode}.json")
        assert role.reconcile(Snapshot({"nodes": Table(foreign, synced=True)}))["unusable"] == odd


def test_a_new_mode_sends_through_its_tunnels_only_after_the_other_hosts_had_time_to_make_theirs(
    tmp_path: Path,
) -> None:
    """The host has routed its pods before; the clock says when the switch is over."""
    path, now = tmp_path / "state.json", [0.0]
    NetworkRole(CONFIG, Tools(), state_path=path).reconcile(nodes("1", "2"))
    role = NetworkRole(replace(CONFIG, mode="vxlan"), Tools(), state_path=path, clock=lambda: now[0])

    def device() -> str:
        role.reconcile(nodes("1", "2"))
        state = apply_module.load(path)
        assert state is not None
        assert state.vxlan is not None
        return state.routes[0].device

    assert device() == ""
    now[0] = transition.SWITCH_SECONDS - 1
    assert device() == ""
    now[0] = transition.SWITCH_SECONDS + 1
    assert device() == "rctl-vxlan"


def test_with_open_firewall_lost_rules_are_restored_after_a_notification(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wakes: list[Callable[[], None]] = []
    monkeypatch.setattr("rancherctl.network.reconcile.NetlinkWatch", wakes.append)
    chain = FilterChain("inet", "filter", "input", "input")
    present = firewall_rules.PresentRules(FirewallFact("", (chain,)))
    monkeypatch.setattr(firewall_rules, "read", lambda _, **__: present)
    tools, now = Tools(), [0.0]
    config = replace(CONFIG, open_firewall=True)
    role = NetworkRole(config, tools, state_path=tmp_path / "state.json", clock=lambda: now[0])
    role.start(lambda: None)

    def restored() -> list[str]:
        tools.ran.clear()
        role.reconcile(nodes("1", "2"))
        return [line for line in tools.ran if "insert rule inet filter input" in line]

    (line,) = restored()
    assert "10.77.0.11, 10.77.0.12, 10.42.0.0/16" in line
    assert restored() == []
    wakes[0]()
    assert len(restored()) == 1
    now[0] = 31.0
    assert len(restored()) == 1
