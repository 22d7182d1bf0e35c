"""Hosts with a pod network, as network namespaces on one switch: real routes, rules and packets, no containers."""

from __future__ import annotations

import ctypes
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from rancherctl.hosts.command import Command, Result
from rancherctl.hosts.local import LocalTransport
from rancherctl.hosts.remote import path_probes
from rancherctl.network.model import Peer
from rancherctl.pod_paths.check import PathCheck, PathConfig, Target, from_host, targets
from rancherctl.pod_paths.model import HostPaths, endpoint
from rancherctl.pod_paths.verdict import Outcome
from tests.fakes.dns_answer import dns_answer

T = TypeVar("T")
DNS, API = "10.43.0.10", "10.43.0.1"
KUBE_PROXY = f"""
table ip kube {{
	chain to {{ type nat hook prerouting priority dstnat; ip daddr {API} tcp dport 443 dnat to 10.77.0.11:6443; }}
	chain own {{ type nat hook output priority -100; ip daddr {API} tcp dport 443 dnat to 10.77.0.11:6443; }}
}}
"""


class Namespace:
    """A network namespace, held by a process that ends with this one."""

    def __init__(self) -> None:
        script = "ip link set lo up && echo ready && exec cat"
        self._process = subprocess.Popen(
            ["unshare", "-n", "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout
        assert self._process.stdout.readline() == b"ready\n"
        self.pid = self._process.pid

    def sh(self, script: str) -> str:
        """Run a shell script inside, and return its output."""
        done = subprocess.run(
            ["nsenter", f"--net=/proc/{self.pid}/ns/net", "sh", "-ec", script],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def call(self, function: Callable[[], T]) -> T:
        """Call a function in a thread inside; threads that it starts are inside, too."""

        def inside() -> T:
            handle = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY)
            try:
                assert ctypes.CDLL(None, use_errno=True).setns(handle, 0x40000000) == 0
            finally:
                os.close(handle)
            return function()

        with ThreadPoolExecutor(1) as pool:
            return pool.submit(inside).result()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class InNamespace(LocalTransport):
    """Runs commands inside a namespace."""

    def __init__(self, namespace: Namespace) -> None:
        super().__init__("host")
        self._enter = ("nsenter", f"--net=/proc/{namespace.pid}/ns/net")

    def run(self, command: Command, *, check: bool = True) -> Result:
        return super().run(replace(command, argv=(*self._enter, *command.argv)), check=check)


class FakeServer:
    """Answers DNS queries, or accepts TLS connections, in a namespace."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext | None = None) -> None:
        self._socket, self._context = sock, context
        self._thread = threading.Thread(target=self._tls if context else self._dns, daemon=True)
        self._thread.start()

    def _dns(self) -> None:
        while True:
            try:
                query, client = self._socket.recvfrom(4096)
                self._socket.sendto(dns_answer(query), client)
            except (OSError, ValueError):
                return

    def _tls(self) -> None:
        assert self._context
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            try:
                self._context.wrap_socket(client, server_side=True).close()
            except OSError:
                client.close()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR) if self._context else self._socket.close()
        self._socket.close()


class FakeHost:
    """One host: address 10.77.0.1N, pods 10.42.N.0/24, a DNS server, kube-proxy's rules and a check endpoint."""

    def __init__(self, number: int, folder: Path, switch: Namespace) -> None:
        self.name, self.address, self.pods = f"h{number}", f"10.77.0.1{number}", f"10.42.{number}.0/24"
        self.net, self.proxy = Namespace(), ""
        self.transport = InNamespace(self.net)
        switch.sh(
            f"ip link add port{number} type veth peer name host0 netns {self.net.pid};"
            f"ip link set port{number} master br0 up"
        )
        self.net.sh(
            f"ip addr add {self.address}/24 dev host0; ip link set host0 up; ip addr add {DNS}/32 dev lo;"
            f"echo 1 > /proc/sys/net/ipv4/ip_forward; printf '%s' '{KUBE_PROXY}' | nft -f -"
        )
        self.dns: FakeServer | None = self.net.call(lambda: FakeServer(_udp(DNS)))
        self.socket = folder / f"{self.name}.sock"
        code = (
            "import sys; from pathlib import Path; from rancherctl.pod_paths.endpoint import run\n"
            f"sys.exit(run({self.name!r}, Path({str(self.socket)!r}), lambda m: print(m, flush=True)))"
        )
        self.endpoint = subprocess.Popen(["unshare", "-n", sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert self.endpoint.stdout
        assert self.endpoint.stdout.readline() == b"READY=1\n"
        config = PathConfig(
            self.name,
            DNS,
            "kubernetes.default.svc.cluster.local.",
            API,
            ("10.77.0.11", 6443),
            True,
            443,
            self.socket,
            0.5,
        )
        self.check = PathCheck(config, self.transport, outside=self._outside, proxy=lambda: self.proxy)

    def _outside(self, probes: Sequence[path_probes.Probe]) -> list[Outcome]:
        return self.net.call(lambda: from_host(0.5)(probes))

    def attach(self) -> None:
        """Connect the endpoint, as the role does before each check."""
        self.check.attach(endpoint(self.pods), 1500)

    def paths(self, *others: FakeHost) -> HostPaths:
        """Check now."""
        self.attach()
        return self.check.run(endpoint(self.pods).address, self.targets(*others))

    def targets(self, *others: FakeHost) -> tuple[Target, ...]:
        peers = [Peer(other.name, other.address, other.pods) for other in others]
        return targets(peers, {other.pods: other.address for other in others})

    def route(self, other: FakeHost, verb: str = "replace") -> None:
        self.net.sh(f"ip route {verb} {other.pods} via {other.address}")

    def close(self) -> None:
        self.endpoint.kill()
        self.endpoint.communicate()
        if self.dns is not None:
            self.dns.close()
        self.net.close()


def _udp(address: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, 53))
    return sock


class PodNetwork:
    """Three hosts on a switch; h1 has the API."""

    def __init__(self, folder: Path, context: ssl.SSLContext) -> None:
        self.switch = Namespace()
        self.switch.sh("ip link add br0 type bridge && ip link set br0 up")
        self.hosts = [FakeHost(number, folder, self.switch) for number in (1, 2, 3)]
        for host in self.hosts:
            for other in self.others(host):
                host.route(other)
        self._context = context
        self.restart_api()
        for host in self.hosts:
            host.attach()

    def restart_api(self) -> None:
        first = self.hosts[0].net
        self.api = first.call(lambda: FakeServer(socket.create_server(("10.77.0.11", 6443)), self._context))

    def others(self, host: FakeHost) -> list[FakeHost]:
        return [other for other in self.hosts if other is not host]

    def paths(self) -> dict[str, HostPaths]:
        """Check all hosts at the same time, all pairs."""
        with ThreadPoolExecutor(len(self.hosts)) as pool:
            found = list(pool.map(lambda host: host.paths(*self.others(host)), self.hosts))
        return {host.name: paths for host, paths in zip(self.hosts, found, strict=True)}

    def close(self) -> None:
        self.api.close()
        for host in self.hosts:
            host.close()
        self.switch.close()


def failing(paths: HostPaths) -> dict[str, Any]:
    """What is not reached, with the cause."""
    return {what: (check.answer, check.cause) for what, check in paths.checks() if check.answer != "yes"}
