"""The wires as text, and what the machine's networks are read from."""

import json
import subprocess
from collections.abc import Sequence
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from rancherctl.lab import network
from rancherctl.lab.command import LabError
from rancherctl.lab.firewalls import script
from rancherctl.lab.model import Firewall, Lab, LabSpec

LAB = Lab(LabSpec("two", 4, 2), (IPv4Network("10.77.3.0/24"), IPv4Network("10.77.4.0/24")))


def test_a_bridge_and_a_router_address_per_subnet_and_ways_out_are_refused() -> None:
    text = "\n".join(network.bridge_commands(LAB))
    assert "address add 10.77.3.1/24 dev br0" in text
    assert "address add 10.77.4.1/24 dev br1" in text
    assert "route add prohibit default" in text


def test_the_machine_has_an_address_in_the_first_subnet_only() -> None:
    text = "\n".join(network.machine_commands(LAB))
    assert "address add 10.77.3.254/24 dev rctl-lab3" in text
    assert "10.77.4" not in text
    assert "rctl-lab3" in network.pair_command(LAB)
    assert network.pair_command(LAB)[-2:] == ("netns", "rancherctl-lab-two")


def test_the_network_is_complete_only_after_its_last_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ``build`` that is killed between two steps leaves links that the next one recreates."""
    done: list[str] = []

    def run(argv: Sequence[str], *, stdin: str = "") -> str:
        done.extend(stdin.splitlines() or [" ".join(argv)])
        return ""

    links, netns = tmp_path / "links", tmp_path / "netns"
    monkeypatch.setattr(network, "LINKS_ROOT", links)
    monkeypatch.setattr(network, "NETNS_ROOT", netns)
    monkeypatch.setattr(network, "run", run)
    network.build(LAB)
    assert done[-1] == "link set rctl-lab3 up"
    (netns / LAB.netns).mkdir(parents=True)
    assert not network.exists(LAB)
    flags = links / "rctl-lab3" / "flags"
    flags.parent.mkdir(parents=True)
    flags.write_text("0x1002\n")
    assert not network.exists(LAB)
    flags.write_text("0x1003\n")
    assert network.exists(LAB)


def test_the_namespace_is_entered_without_hiding_control_groups() -> None:
    assert network.inside(LAB) == ("nsenter", "--net=/run/netns/rancherctl-lab-two", "--")


def test_the_router_drops_pod_addresses_both_ways() -> None:
    text = network.NFT.format(pods="10.42.0.0/16")
    assert "ip saddr 10.42.0.0/16 counter drop" in text
    assert "ip daddr 10.42.0.0/16 counter drop" in text


def test_networks_of_the_machine_are_its_routes_and_addresses() -> None:
    routes = json.dumps([{"dst": "default", "gateway": "192.0.2.1"}, {"dst": "10.77.1.0/24"}, {"dst": "10.77.2.9"}])
    addresses = json.dumps(
        [
            {
                "addr_info": [
                    {"family": "inet", "local": "10.77.8.254", "prefixlen": 24},
                    {"family": "inet6", "local": "fe80::1", "prefixlen": 64},
                ]
            },
            {},
        ]
    )
    assert network.parse_networks(routes, addresses) == {
        IPv4Network("10.77.1.0/24"),
        IPv4Network("10.77.2.9/32"),
        IPv4Network("10.77.8.0/24"),
    }


def test_empty_output_gives_an_empty_set() -> None:
    assert network.parse_networks("", "[]") == frozenset()


def test_the_other_end_of_a_link_is_found_by_index() -> None:
    links = [{"ifindex": 1, "ifname": "lo"}, {"ifindex": 7, "ifname": "vb-two-h1"}]
    assert network.peer(links, 7) == "vb-two-h1"
    with pytest.raises(LabError, match="index 9"):
        network.peer(links, 9)


@pytest.mark.parametrize("stays", [False, True])
def test_a_link_that_vanishes_during_its_removal_does_not_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stays: bool
) -> None:
    link = tmp_path / "rctl-lab3"
    link.touch()

    def refuse(argv: Sequence[str]) -> str:
        if not stays:
            link.unlink()
        raise LabError("ip failed with status 1", why="Cannot find device")

    monkeypatch.setattr(network, "LINKS_ROOT", tmp_path)
    monkeypatch.setattr(network, "NETNS_ROOT", tmp_path / "netns")
    monkeypatch.setattr(network, "run", refuse)
    if stays:
        with pytest.raises(LabError, match="failed with status 1"):
            network.remove("rancherctl-lab-two", link.name)
    else:
        network.remove("rancherctl-lab-two", link.name)


@pytest.mark.parametrize("firewall", ["nft", "ufw", "firewalld"])
def test_scripts_of_firewalls_are_valid_shell_and_name_every_subnet(firewall: Firewall) -> None:
    text = script(firewall, LAB.networks)
    subprocess.run(["sh", "-n"], input=text, text=True, check=True)
    assert all(str(network) in text for network in LAB.networks)
