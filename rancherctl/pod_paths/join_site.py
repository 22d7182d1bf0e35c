"""One host's part of the check before a join: a pod's place in the network, made for a minute, and nothing else.

A transient unit runs it. A child process in a network namespace of its own has an address of the planned pod range and
answers and sends probes; this process makes device and routes, answers in place of DNS server and API where they do
not run yet, and notes which packets with pod addresses pass the host's device: before a firewall sees those that come,
and after it has seen those that leave. Everything ends with the processes, except what ``clean`` takes back, which
systemd calls however they end. Standard library only.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Final

from rancherctl.pod_paths.endpoint import INSIDE, EndpointProcess

DEVICE: Final = "rctl-join"
ROUTE_PROTOCOL: Final = "174"
"""Not that of the pod network: agents of hosts that are members remove its routes that they do not know."""
_CLONE_NEWNET = 0x40000000
_ETH_P_ALL, _PACKET_OUTGOING, _SO_ATTACH_FILTER = 0x0003, 4, 26


def config_of(folder: Path) -> dict[str, Any]:
    """What the operator's machine planned for this host."""
    found: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return found


def _ip(*lines: str, check: bool = True) -> None:
    done = subprocess.run(
        ["ip", "-batch", "-"], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=10.0, check=False
    )
    if check and done.returncode:
        raise RuntimeError(f"ip: {done.stderr.strip()[:200]}")


def _forwarding(device: str) -> Path:
    return Path(f"/proc/sys/net/ipv4/conf/{device}/forwarding")


def serve(folder: Path) -> None:
    """Set up, say READY, and serve until the unit is stopped."""
    config = config_of(folder)
    child, start, ready = _fork_inside(config, folder)
    kept: list[Any] = []
    device = str(config["device"])
    peer = f"peer name {INSIDE} mtu {config['mtu']} netns {child}"
    _ip(
        f"link add {DEVICE} mtu {config['mtu']} type veth {peer}",
        f"addr add {config['gateway']}/32 dev {DEVICE}",
        f"link set {DEVICE} up",
        f"route replace {config['own']}/32 dev {DEVICE} scope link",
    )
    _remember(folder, forwarding=_forwarding(device).read_text().strip())
    for name in (device, DEVICE):
        _forwarding(name).write_text("1\n")
    _ip(*(f"route add {own}/32 via {via} proto {ROUTE_PROTOCOL}" for own, via in config["peers"]))
    if config["dns"]:
        kept.append(_dns_server(folder, str(config["dns"])))
    if config["api"]:
        kept += _api_server(*config["api"])
    sniffer = Sniffer(device, str(config["pool"]))
    os.write(start, b"1")
    if os.read(ready, 1) != b"1":
        raise RuntimeError("the namespace of the check could not be configured")
    _answer_pairs(folder, sniffer)


def _fork_inside(config: Mapping[str, Any], folder: Path) -> tuple[int, int, int]:
    """Start the child. Returns its number, and descriptors: to let it configure its device, to learn that it has."""
    (inside, made), (go, start), (ready, done) = os.pipe(), os.pipe(), os.pipe()
    child = os.fork()
    if child:
        os.close(made)
        os.close(done)
        if os.read(inside, 1) != b"1":
            raise RuntimeError("a network namespace cannot be made on this host")
        return child, start, ready
    try:
        os.close(start)
        if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) == 0:
            os.write(made, b"1")
            os.read(go, 1)
            process = EndpointProcess(str(config["node"]), folder / "probe.sock")
            process.set_up(str(config["own"]), str(config["gateway"]))
            os.write(done, b"1")
            process.serve()
    finally:
        os._exit(1)


def _remember(folder: Path, **changes: str) -> None:
    """Note what ``clean`` must take back, before it is changed."""
    path = folder / "changes.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**known, **changes}))


def _dns_server(folder: Path, address: str) -> socket.socket:
    """Answer every DNS query on an address that this host does not have yet."""
    _remember(folder, dns=address)
    _ip(f"addr add {address}/32 dev lo")
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, 53))

    def run() -> None:
        while True:
            query, client = sock.recvfrom(4096)
            if len(query) >= 12:
                sock.sendto(query[:2] + b"\x84\x00" + query[4:], client)

    threading.Thread(target=run, daemon=True).start()
    return sock


def _api_server(address: str, port: int) -> list[socket.socket]:
    """Accept connections where the API will; [] if another program does already."""
    try:
        sock = socket.create_server((address, port))
    except OSError:
        return []

    def run() -> None:
        while True:
            sock.accept()[0].close()

    threading.Thread(target=run, daemon=True).start()
    return [sock]


def pool_filter(pool: str) -> bytes:
    """A BPF program that accepts IPv4 packets (without link header) whose source is in a network. Pure."""
    network = IPv4Network(pool)
    program = (
        (0x20, 0, 0, 12),  # load the source address
        (0x54, 0, 0, int(network.netmask)),
        (0x15, 0, 1, int(network.network_address)),
        (0x06, 0, 0, 64),  # the first bytes are enough
        (0x06, 0, 0, 0),
    )
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


class Sniffer:
    """Notes (source, destination) of packets whose source is in ``pool``: ``sent`` by this host, ``seen`` coming."""

    def __init__(self, device: str, pool: str) -> None:
        self.sent, self.seen = set[tuple[str, str]](), set[tuple[str, str]]()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        code = ctypes.create_string_buffer(pool_filter(pool))
        count = len(code.raw) // 8
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", count, ctypes.addressof(code)))
        self._socket.bind((device, _ETH_P_ALL))
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            packet, (_, protocol, kind, *_) = self._socket.recvfrom(64)
            if protocol == 0x0800 and len(packet) >= 20:
                pair = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
                (self.sent if kind == _PACKET_OUTGOING else self.seen).add(pair)


def _answer_pairs(folder: Path, sniffer: Sniffer) -> None:
    """Tell each client of a Unix socket what was noted; never returns."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(folder / "pairs.sock"))
    server.listen(8)
    _notify("READY=1")
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    while True:
        client, _ = server.accept()
        with client:
            noted = {"sent": sorted(sniffer.sent.copy()), "seen": sorted(sniffer.seen.copy())}
            client.sendall(json.dumps(noted).encode())


def _notify(message: str) -> None:
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(message.encode(), "\0" + address[1:] if address.startswith("@") else address)


def clean(folder: Path) -> None:
    """Take back everything that outlives the processes; may be called at any time, and again."""
    if not folder.is_dir():
        return
    try:
        config, path = config_of(folder), folder / "changes.json"
        changes = json.loads(path.read_text()) if path.exists() else {}
    except ValueError:
        config, changes = {}, {}
    undo = [["route", "flush", "proto", ROUTE_PROTOCOL], ["link", "del", DEVICE]]
    undo += [["addr", "del", f"{changes['dns']}/32", "dev", "lo"]] if "dns" in changes else []
    for words in undo:  # each may be gone already
        subprocess.run(["ip", "-4", *words], capture_output=True, timeout=10.0, check=False)
    if "forwarding" in changes:
        _forwarding(str(config["device"])).write_text(f"{changes['forwarding']}\n")
    shutil.rmtree(folder)


def main(action: str, folder: str) -> None:
    """``serve`` or ``clean``; a failure is one line on standard error."""
    try:
        {"serve": serve, "clean": clean}[action](Path(folder))
    except (OSError, RuntimeError, ValueError, KeyError, subprocess.SubprocessError) as error:
        sys.exit(f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error))
