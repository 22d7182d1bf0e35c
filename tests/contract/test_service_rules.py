"""Rules of a host for Services with the kernel's nftables: client, host and pod are network namespaces.

A table like kube-proxy's stands beside ours: the map ``service-ips`` leads from published addresses to the pod.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest

from rancherctl.hosts.command import Command, Result
from rancherctl.hosts.local import LocalTransport
from rancherctl.hosts.nft_table import NftTable
from rancherctl.services import stale_flows
from rancherctl.services.host_table import TABLE, Forward, Nat, text

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("nft") is None, reason="creating network namespaces needs root and nft"
)
PUBLIC, HOST, CLIENT, POD, GATEWAY = "203.0.113.7", "10.9.0.1", "10.9.0.2", "10.8.0.2", "10.8.0.1"
POD2 = "10.8.0.3"
TCP, UDP = 443, 53
PROXY = """
table ip kube-proxy {{
  map service-ips {{ type ipv4_addr . inet_proto . inet_service : verdict
    elements = {{ {address} . tcp . 443 : goto to_tcp, {address} . udp . 53 : goto to_udp }} }}
  chain to_tcp {{ {mark} meta l4proto tcp dnat to 10.8.0.2:8443; }}
  chain to_udp {{ {mark} meta l4proto udp dnat to 10.8.0.2:5353; }}
  chain serve {{ ip daddr . meta l4proto . th dport vmap @service-ips; }}
  chain came {{ type nat hook prerouting priority dstnat; jump serve; }}
  chain made {{ type nat hook output priority -100; jump serve; }}
  chain left {{ type nat hook postrouting priority srcnat; meta mark & 0x4000 == 0x4000 masquerade; }}
}}
"""
SERVER = """
import socket, sys, threading
address = sys.argv[1]
def serve(client, peer):
    while client.recv(9):
        client.sendall(f"tcp {address} {peer[0]}".encode())
def accept(server):
    while True:
        threading.Thread(target=serve, args=server.accept(), daemon=True).start()
tcp = socket.socket(); tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
tcp.bind((address, 8443)); tcp.listen()
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind((address, 5353))
threading.Thread(target=accept, args=(tcp,), daemon=True).start()
print("ready", flush=True)
while True:
    _, peer = udp.recvfrom(99)
    udp.sendto(f"udp {address} {peer[0]}".encode(), peer)
"""
ASK = """
import socket, sys
kind, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
s.settimeout(1)
try:
    s.connect((address, port)); s.send(b"x"); print(s.recv(99).decode())
except OSError as error:
    print(type(error).__name__)
"""
TALK = """
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
for line in sys.stdin:
    s.sendall(b"x"); print(s.recv(99).decode(), flush=True)
"""


SEND = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1); s.connect((sys.argv[1], int(sys.argv[2])))
for line in sys.stdin:
    try:
        s.send(b"x"); print(s.recv(99).decode(), flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
"""


class Namespace(LocalTransport):
    """Runs commands in a network namespace."""

    def run(self, command: Command, *, check: bool = True) -> Result:
        return super().run(replace(command, argv=("ip", "netns", "exec", self.name, *command.argv)), check=check)


class Net:
    """Namespaces of client, host and pod."""

    def __init__(self, stack: ExitStack) -> None:
        mark = secrets.token_hex(3)
        self.client, self.host, self.pod = (f"rct{letter}{mark}" for letter in "chp")
        for name in (self.client, self.host, self.pod):
            self._ip("netns", "add", name)
            stack.callback(self._ip, "netns", "del", name)
            self._ip("-n", name, "link", "set", "lo", "up")
        for name, mine, theirs, to in ((self.client, "c0", "h0", self.host), (self.pod, "p0", "h1", self.host)):
            self._ip("link", "add", mine, "netns", name, "type", "veth", "peer", "name", theirs, "netns", to)
        for name, address, device in (
            (self.client, f"{CLIENT}/24", "c0"),
            (self.host, f"{HOST}/24", "h0"),
            (self.host, f"{GATEWAY}/24", "h1"),
            (self.pod, f"{POD}/24", "p0"),
            (self.pod, f"{POD2}/24", "p0"),
        ):
            self._ip("-n", name, "addr", "add", address, "dev", device)
            self._ip("-n", name, "link", "set", device, "up")
        self._ip("-n", self.pod, "route", "add", "default", "via", GATEWAY)
        self._ip("-n", self.client, "route", "add", "default", "via", HOST)
        self._ip("-n", self.host, "route", "add", "default", "via", CLIENT)
        self.run(self.host, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
        self.table = NftTable(Namespace(self.host), TABLE)
        for address in (POD, POD2):
            argv = ["ip", "netns", "exec", self.pod, sys.executable, "-c", SERVER, address]
            server = stack.enter_context(subprocess.Popen(argv, stdout=subprocess.PIPE, text=True))
            stack.callback(server.kill)
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"

    @staticmethod
    def _ip(*words: str) -> None:
        subprocess.run(("ip", *words), check=True, timeout=20)

    @staticmethod
    def run(name: str, *argv: str, stdin: str = "") -> str:
        command = ("ip", "netns", "exec", name, *argv)
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def ask(self, kind: str, address: str, port: int, *, of: str = "") -> str:
        """The answer to a client (or ``of`` another namespace), or the name of its error."""
        return self.run(of or self.client, sys.executable, "-c", ASK, kind, address, str(port))

    def proxy(self, address: str, *, masquerade: bool = False) -> None:
        """Publish an address with kube-proxy's rules."""
        mark = "meta mark set meta mark or 0x4000" if masquerade else ""
        self.run(self.host, "nft", "-f", "-", stdin=PROXY.format(address=address, mark=mark))

    def withdraw(self) -> None:
        """Let kube-proxy forget the address."""
        self.run(self.host, "nft", "flush", "map", "ip", "kube-proxy", "service-ips")


@pytest.fixture
def net() -> Iterator[Net]:
    with ExitStack() as stack:
        yield Net(stack)


def forward(kind: str, *endpoints: str, **more: object) -> Forward:
    port, target = (TCP, 8443) if kind == "tcp" else (UDP, 5353)
    found = Forward(HOST, (kind, port), tuple(f"{e}:{target}" for e in endpoints or (POD,)))
    return replace(found, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("masquerade", [False, True])
def test_a_public_address_behind_nat_reaches_the_pod(net: Net, masquerade: bool) -> None:
    """Case 70: the router in front of the host has replaced the public address by the internal one."""
    net.proxy(PUBLIC, masquerade=masquerade)
    assert net.ask("tcp", HOST, TCP) == "ConnectionRefusedError"
    nat = Nat(PUBLIC, HOST, "h0", frozenset({("tcp", TCP), ("udp", UDP)}))
    assert net.table.ensure(text(nat, ()))
    client = GATEWAY if masquerade else CLIENT
    assert net.ask("tcp", HOST, TCP) == f"tcp {POD} {client}"
    assert net.ask("udp", HOST, UDP) == f"udp {POD} {client}"
    assert net.ask("tcp", PUBLIC, TCP, of=net.host).startswith(f"tcp {POD}"), "the host itself asks the public address"
    assert net.ask("tcp", HOST, 444) == "ConnectionRefusedError", "other ports are left alone"


def test_a_pod_that_uses_the_public_address_of_its_own_host_gets_answers_from_it(net: Net) -> None:
    net.proxy(PUBLIC, masquerade=True)
    net.table.ensure(text(Nat(PUBLIC, HOST, "h0", frozenset({("tcp", TCP), ("udp", UDP)})), ()))
    assert net.ask("tcp", PUBLIC, TCP, of=net.pod) == f"tcp {POD} {GATEWAY}"
    assert net.ask("udp", PUBLIC, UDP, of=net.pod) == f"udp {POD} {GATEWAY}"


def test_a_table_that_another_program_changed_is_loaded_again_and_an_unneeded_one_goes(net: Net) -> None:
    wanted = text(Nat(PUBLIC, HOST, "h0", frozenset({("tcp", TCP)})), [forward("tcp")])
    assert net.table.ensure(wanted)
    assert not net.table.ensure(wanted)
    net.run(net.host, "nft", "flush", "ruleset")
    assert net.table.ensure(wanted)
    net.run(net.host, "nft", "flush", "chain", "inet", TABLE, "draining")
    assert net.table.ensure(wanted)
    NftTable(Namespace(net.host), TABLE).ensure("")
    assert TABLE not in net.run(net.host, "nft", "list", "tables")
    assert net.table.ensure(wanted), "another process removed it"


@contextmanager
def talking(argv: list[str]) -> Iterator[Callable[[], str]]:
    """A program that answers each line with one; the function sends a line and returns the answer."""
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None
        assert stdout is not None

        def said() -> str:
            stdin.write("\n")
            stdin.flush()
            return stdout.readline().strip()

        yield said
        stdin.close()


def test_no_connection_fails_when_an_address_leaves(net: Net) -> None:
    """Before, kube-proxy's rules take everything; connections from before stay with their pod; new ones are ours."""
    net.proxy(HOST, masquerade=True)
    argv = ["ip", "netns", "exec", net.client, sys.executable, "-c", TALK, HOST, str(TCP)]
    with talking(argv) as said:
        assert said() == f"tcp {POD} {GATEWAY}"
        net.table.ensure(text(None, [forward("tcp", POD2), forward("udp", POD2)]))
        assert net.ask("tcp", HOST, TCP) == f"tcp {POD} {GATEWAY}", "kube-proxy comes first"
        net.withdraw()
        assert net.ask("tcp", HOST, TCP) == f"tcp {POD2} {GATEWAY}"
        assert net.ask("udp", HOST, UDP) == f"udp {POD2} {GATEWAY}"
        assert net.ask("tcp", HOST, TCP, of=net.host).startswith(f"tcp {POD2}")
        assert said() == f"tcp {POD} {GATEWAY}"
        net.table.ensure("")
        assert net.ask("tcp", HOST, TCP) == "ConnectionRefusedError"
        assert said() == f"tcp {POD} {GATEWAY}"


@pytest.mark.skipif(shutil.which("conntrack") is None, reason="hosts have conntrack, this machine has not")
def test_a_udp_client_that_sends_before_and_after_is_served_once_its_flow_is_forgotten(net: Net) -> None:
    """Case 77: connection tracking knows its flow without a translation; flows of served ports stay."""
    net.proxy(PUBLIC)
    argv = ["ip", "netns", "exec", net.client, sys.executable, "-c", SEND, HOST, str(UDP)]
    with talking(argv) as said:
        assert said() == "ConnectionRefusedError"
        net.table.ensure(text(None, [forward("udp")]))
        assert said() == "ConnectionRefusedError", "the rules do not see a flow that is known"
        host = Namespace(net.host)
        stale_flows.forget(host, HOST, UDP + 1)
        assert said() == "ConnectionRefusedError"
        stale_flows.forget(host, HOST, UDP)
        assert said() == f"udp {POD} {GATEWAY}"
        flow = net.run(net.host, "conntrack", "-L", "-p", "udp", "--orig-dst", HOST)
        stale_flows.forget(host, HOST, UDP)
        assert net.run(net.host, "conntrack", "-L", "-p", "udp", "--orig-dst", HOST).split()[4:] == flow.split()[4:]


def test_policy_local_keeps_the_client_and_source_ranges_hold(net: Net) -> None:
    allowed, denied = ("10.9.0.0/24",), ("192.0.2.0/24", "198.51.100.0/24")
    rules = [forward("tcp", sources=allowed, keep_client=True), forward("udp", sources=denied, keep_client=True)]
    net.table.ensure(text(None, rules))
    assert net.ask("tcp", HOST, TCP) == f"tcp {POD} {CLIENT}"
    assert net.ask("udp", HOST, UDP) == "ConnectionRefusedError"


def test_connections_are_spread_and_affinity_holds(net: Net) -> None:
    net.table.ensure(text(None, [forward("tcp", POD, POD2), forward("udp", POD, POD2, affinity=True)]))
    assert {net.ask("tcp", HOST, TCP).split()[1] for _ in range(30)} == {POD, POD2}
    assert len({net.ask("udp", HOST, UDP) for _ in range(10)}) == 1


def test_behind_nat_an_address_that_leaves_is_served_too(net: Net) -> None:
    nat = Nat(PUBLIC, HOST, "h0", frozenset({("tcp", TCP)}))
    net.table.ensure(text(nat, [forward("tcp", address=PUBLIC)]))
    assert net.ask("tcp", HOST, TCP) == f"tcp {POD} {GATEWAY}"


def test_without_work_there_is_not_a_table() -> None:
    assert text(None, ()) == text(Nat(PUBLIC, HOST, "h0", frozenset()), ()) == ""
