"""Labs like real sites: hosts with a firewall that denies by default, and bridges that drop pod source addresses."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import pytest

from rancherctl.hosts import firewall, firewall_rules
from rancherctl.hosts.command import Command, Result
from rancherctl.hosts.transport import Transport
from rancherctl.lab import network
from rancherctl.lab.command import LabError
from rancherctl.lab.model import Firewall
from rancherctl.lab.session import RunningLab, running_lab
from tests.lab.support import lab_name, until

PODS = "10.42.0.0/16"
POD, FOREIGN = "10.42.1.2", "10.42.9.1"
ON_H1 = f"""
ip netns add pod
ip link add pod0 type veth peer name eth0 netns pod
ip -n pod addr add {POD}/32 dev eth0; ip -n pod link set eth0 up; ip -n pod link set lo up
ip addr add 169.254.7.1/32 dev pod0; ip link set pod0 up
ip -n pod route add 169.254.7.1 dev eth0; ip -n pod route add default via 169.254.7.1
ip route replace {POD} dev pod0; ip route replace {FOREIGN} via $H2
sysctl -qw net.ipv4.ip_forward=1
systemd-run -q --unit=web python3 -m http.server 8080
systemd-run -q --unit=web-pod ip netns exec pod python3 -m http.server 8080
"""
"""A web server on the host, and one behind it with an address of a pod."""
STATE = {
    "nft": "nft -s list table inet filter",
    "ufw": "cat /etc/ufw/user.rules; iptables -S | sort",
    "firewalld": "for where in --permanent ''; do for zone in trusted public; do"
    " firewall-cmd $where --zone=$zone --list-all; done; done; firewall-cmd --permanent --get-ipsets;"
    " ls -A /var/lib/rancherctl 2>/dev/null || true",
}
RELOAD = {"nft": "nft -f /etc/nftables.conf", "ufw": "ufw reload", "firewalld": "firewall-cmd --reload"}
ON_H2 = f"ip addr replace {FOREIGN}/32 dev lo; ip route replace {POD} via $H1"


FIREWALLD = pytest.param("firewalld", marks=pytest.mark.slow)


@pytest.fixture(scope="module", params=["nft", "ufw", FIREWALLD])
def site(request: pytest.FixtureRequest) -> Iterator[RunningLab]:
    """Two hosts with a firewall, ready for requests of ``answers``."""
    kind: Firewall = request.param
    with running_lab(lab_name("s"), 2, firewall=kind) as lab:
        wire(lab)
        yield lab


def wire(lab: RunningLab) -> None:
    one, two = (host.address for host in lab.hosts())
    lab.ssh("h1", f"H2={two}\n{ON_H1}")
    lab.ssh("h2", f"H1={one}\n{ON_H2}")


def answers(lab: RunningLab, target: str, source: str = "") -> bool:
    """Whether a web server answers h2; ``source`` "" is the host's own address."""
    interface = f"--interface {source}" if source else ""
    code = lab.ssh("h2", f"curl -s -m 1 -o /dev/null -w '%{{http_code}}' {interface} http://{target}:8080/ || true")
    return code == "200"


def found(lab: RunningLab) -> firewall.FirewallFact:
    return firewall.parse(lab.ssh("h1", firewall.COMMAND))


class Shell(Transport):
    """Runs commands on a lab host with ssh."""

    def __init__(self, lab: RunningLab, name: str) -> None:
        self._lab, self._name = lab, name

    @property
    def name(self) -> str:
        return self._name

    def run(self, command: Command, *, check: bool = True) -> Result:
        assert check
        return Result(command, 0, self._lab.ssh(self._name, shlex.join(command.argv)).encode(), b"")


def test_rules_of_open_firewall_let_pods_through_and_are_removed_without_a_trace(site: RunningLab) -> None:
    host, shell = site.lab.spec.firewall, Shell(site, "h1")  # type: ignore[abstract]  # nothing is uploaded
    assert host is not None
    one, hosts = site.host("h1").address, [reach.address for reach in site.hosts()]
    before = site.ssh("h1", STATE[host])
    until("the hosts' own subnet is allowed", lambda: answers(site, one))
    assert not answers(site, one, FOREIGN)
    firewall_rules.apply(shell, firewall_rules.plan(firewall_rules.read(shell), hosts, PODS))
    assert answers(site, one, FOREIGN)
    assert answers(site, POD, FOREIGN)
    assert firewall_rules.plan(firewall_rules.read(shell), hosts, PODS) == ()
    site.ssh("h1", RELOAD[host])
    firewall_rules.apply(shell, firewall_rules.vanished(firewall_rules.read(shell), hosts, PODS))
    assert answers(site, one, FOREIGN)
    assert answers(site, POD, FOREIGN)
    assert firewall_rules.plan(firewall_rules.read(shell), hosts, PODS) == ()
    assert firewall_rules.close(shell)
    assert site.ssh("h1", STATE[host]) == before
    assert not answers(site, one, FOREIGN)
    assert not answers(site, POD)


def test_a_firewall_drops_packets_of_pods_until_its_commands_are_run(
    site: RunningLab, request: pytest.FixtureRequest
) -> None:
    """The hosts' subnet and ssh are allowed; pods get through after the printed commands, also after a reload."""
    host = site.lab.spec.firewall
    one = site.host("h1").address
    until("the hosts' own subnet is allowed", lambda: answers(site, one))
    assert not answers(site, one, FOREIGN)
    assert not answers(site, POD)
    assert not answers(site, POD, FOREIGN)
    before = found(site)
    assert before.kind == host
    commands = firewall.shown(firewall.open_commands(before, [one, site.host("h2").address], PODS))
    site.ssh("h1", "set -e\n" + "\n".join(commands))
    for target, source in ((one, FOREIGN), (POD, FOREIGN), (POD, "")):
        until(f"{source} reaches {target}", lambda t=target, s=source: answers(site, t, s))
    if host != "nft":
        site.ssh("h1", RELOAD[str(host)])
        assert answers(site, one, FOREIGN)
        assert answers(site, POD, FOREIGN)
    assert found(site) == before


def test_a_bridge_filter_drops_pod_sources_and_can_be_removed() -> None:
    with running_lab(lab_name("s"), 2, filter_pod_sources=True) as lab:
        wire(lab)
        one = lab.host("h1").address
        until("the host's address passes", lambda: answers(lab, one))
        assert not answers(lab, one, FOREIGN)
        assert not answers(lab, POD)
        assert {row.filter_pod_sources for row in lab.status()} == {True}
        lab.filter_pod_sources(False)
        until("pod sources pass", lambda: answers(lab, one, FOREIGN))
        assert answers(lab, POD)
        assert not network.filters_pod_sources(lab.lab)
        lab.filter_pod_sources(True)
        assert not answers(lab, one, FOREIGN)
    with pytest.raises(LabError):
        network.filters_pod_sources(lab.lab)
