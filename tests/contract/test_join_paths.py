"""The check before a join, on hosts that have no pod network: real namespaces, packets and filters."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from rancherctl.environments import join_path_plan
from rancherctl.environments.inventory import from_flags
from rancherctl.environments.join_path_plan import Blocked, Noted, Probed, Site
from rancherctl.hosts.fact_values import AddressFact
from rancherctl.hosts.facts import HostFacts
from rancherctl.pod_paths.endpoint import ask
from tests.fakes.pod_network import Namespace

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="creating a network namespace needs root")
ENV = from_flags("demo", [f"root@10.77.0.1{number}" for number in (1, 2, 3)]).environment
NEW = {"h1", "h2", "h3"}
FACTS = {
    host.name: HostFacts(addresses=(AddressFact("host0", host.address, 24, 4, "global"),), routes=())
    for host in ENV.hosts
}
DENY = "add table ip deny; add chain ip deny {0} {{ type filter hook {0} priority 0; }}; add rule ip deny {0} {1}"


class JoiningHost:
    """A host with an address and no pod network; ``process`` is what the transient unit runs."""

    def __init__(self, number: int, folder: Path, switch: Namespace) -> None:
        self.net, self.folder, self.name = Namespace(), folder / f"h{number}", f"h{number}"
        switch.sh(
            f"ip link add port{number} type veth peer name host0 netns {self.net.pid};"
            f"ip link set port{number} master br0 up"
        )
        self._inside = ("nsenter", f"--net=/proc/{self.net.pid}/ns/net")
        self.net.sh(f"ip addr add 10.77.0.1{number}/24 dev host0; ip link set host0 up")
        self.net.sh("echo 0 > /proc/sys/net/ipv4/ip_forward")
        self.before = self.state()
        self.process: subprocess.Popen[bytes] | None = None

    def state(self) -> str:
        """Everything that the check must take back."""
        return self.net.sh(
            "ip -4 -o addr; ip -4 route; ip -o link | wc -l; cat /proc/sys/net/ipv4/conf/host0/forwarding"
        )

    def start(self, every: tuple[Site, ...], pool: join_path_plan.Pool) -> None:
        self.folder.mkdir()
        site = next(each for each in every if each.host == self.name)
        wanted = join_path_plan.config(ENV, site, every, pool, NEW)
        (self.folder / "config.json").write_text(json.dumps(wanted))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind(str(self.folder / "ready"))
            ready.settimeout(30)
            argv = [*self._inside, sys.executable, "-c", self._code("serve")]
            variables = {**os.environ, "NOTIFY_SOCKET": str(self.folder / "ready")}
            self.process = subprocess.Popen(argv, env=variables, start_new_session=True)
            assert ready.recv(100) == b"READY=1"

    def _code(self, action: str) -> str:
        return f"from rancherctl.pod_paths.join_site import main; main({action!r}, {str(self.folder)!r})"

    def probe(self, every: tuple[Site, ...]) -> list[Probed]:
        site = next(each for each in every if each.host == self.name)
        planned = join_path_plan.probes(ENV, site, every, NEW)
        request = {"probes": [probe for _, probe in planned], "timeout": 0.5}
        results = ask(self.folder / "probe.sock", request, 20.0)
        return [
            replace(told, reached=join_path_plan.reached(told, found["outcome"], NEW))
            for (told, _), found in zip(planned, results, strict=True)
        ]

    def noted(self) -> Noted:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(self.folder / "pairs.sock"))
            answer = json.loads(sock.makefile().read())
        return Noted(*(frozenset(map(tuple, answer[key])) for key in ("sent", "seen")))

    def stop(self) -> None:
        """Kill it in the roughest way; systemd then ends all processes of the unit and runs ``clean``."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
        subprocess.run([*self._inside, sys.executable, "-c", self._code("clean")], check=True, timeout=60)


class Hosts:
    def __init__(self, folder: Path) -> None:
        self.switch = Namespace()
        self.switch.sh("ip link add br0 type bridge && ip link set br0 up")
        self.hosts = [JoiningHost(number, folder, self.switch) for number in (1, 2, 3)]
        pool = join_path_plan.pool(ENV, FACTS)
        assert pool
        self.pool, self.sites = pool, join_path_plan.sites(ENV, NEW, FACTS, pool)

    def blocked(self) -> list[Blocked]:
        """Run the whole check."""
        try:
            for host in self.hosts:
                host.start(self.sites, self.pool)
            with ThreadPoolExecutor(3) as threads:
                found = list(threads.map(lambda host: host.probe(self.sites), self.hosts))
            noted = {host.name: host.noted() for host in self.hosts}
        finally:
            for host in self.hosts:
                host.stop()
        return join_path_plan.judge(self.sites, {h.name: f for h, f in zip(self.hosts, found, strict=True)}, noted)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    hosts = Hosts(tmp_path_factory.mktemp("j"))
    yield hosts
    for host in hosts.hosts:
        host.net.close()
    hosts.switch.close()


@pytest.fixture
def hosts(built: Hosts) -> Iterator[Hosts]:
    yield built
    for net in (built.switch, *(host.net for host in built.hosts)):
        net.sh("nft flush ruleset")
    for host in built.hosts:
        assert host.state() == host.before, "the check left something behind"


def test_open_hosts_have_no_blocked_path_and_nothing_is_left_of_the_check(hosts: Hosts) -> None:
    assert hosts.blocked() == []


def test_a_firewall_that_denies_by_default_but_lets_hosts_in(hosts: Hosts) -> None:
    """As ufw: neither to the host itself nor through it."""
    h2 = hosts.hosts[1].net
    h2.sh(f"nft '{DENY.format('input', 'ip saddr != 10.77.0.0/24 drop')}; {DENY.format('forward', 'drop')}'")
    found = hosts.blocked()
    assert {(b.host, b.cause) for b in found} == {("h2", "firewall")}
    (line,) = join_path_plan.lines(found, {"h2": "ufw allow from 10.42.0.0/16"})
    assert line.startswith("h2: its firewall drops packets of pods: ")
    for part in ("to DNS", "to the API", "to pods of h1", "ufw allow from 10.42.0.0/16"):
        assert part in line


def test_a_firewall_of_the_apis_host_that_drops_pods(hosts: Hosts) -> None:
    hosts.hosts[0].net.sh(f"nft '{DENY.format('input', 'ip saddr 10.42.0.0/16 drop')}'")
    assert {(b.host, b.cause) for b in hosts.blocked()} == {("h1", "firewall")}


def test_a_switch_that_drops_pod_addresses(hosts: Hosts) -> None:
    rules = "table bridge f { chain c { type filter hook forward priority 0; ip saddr 10.42.0.0/16 drop; }; }"
    hosts.switch.sh(f"nft '{rules}'")
    found = hosts.blocked()
    assert {(b.host, b.cause) for b in found} == {(name, "network") for name in NEW}
    assert all("spec.network.mode: vxlan" in line for line in join_path_plan.lines(found, {}))
