"""Labs like real sites: hosts with a firewall that denies by default, and bridges that drop pod source addresses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rancherctl.hosts import firewall
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
ON_H2 = f"ip addr replace {FOREIGN}/32 dev lo; ip route replace {POD} via $H1"


@pytest.fixture(scope="module", params=["nft", "ufw", pytest.param("firewalld", marks=pytest.mark.slow)])
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
        site.ssh("h1", "ufw reload" if host == "ufw" else "firewall-cmd --reload")
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
