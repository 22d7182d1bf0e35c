"""The check endpoint: a process in a network namespace of its own, with an address of the host's pod range.

systemd makes the namespace (PrivateNetwork), the agent moves one end of a pair of devices into it, as ptp does for a
pod. The process answers the endpoints of other hosts, and runs probes for this host's agent, which asks through a Unix
socket: one JSON object a line, one answer a line. An answer is ``{"ok": …}`` or ``{"error": TEXT}``.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from rancherctl.errors import RancherctlError
from rancherctl.hosts.remote import path_probes

INSIDE: Final = "eth0"
"""Name of the device in the namespace."""
MAX_REQUEST: Final = 1 << 16
MAX_PROBES: Final = 128
ASK_SECONDS: Final = 60.0
KERNEL_DEVICES: Final = frozenset(
    ("lo", "tunl0", "sit0", "ip6tnl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "ip6gre0")
)
"""Devices that kernels make in every new namespace, depending on their modules."""


def in_own_namespace(devices: set[str]) -> bool:
    """Whether these are the devices of a namespace that was just made. Pure."""
    return devices <= KERNEL_DEVICES


class EndpointProcess:
    """Serves until ``stop``. ``configure`` sets up the namespace's device; probes run meanwhile at most MAX_PROBES."""

    def __init__(self, node: str, path: Path, configure: Callable[[str, str], None] | None = None) -> None:
        self._node, self._configure = node, configure or configure_device
        self._lock = threading.Lock()
        self._address = ""
        self._answerer: path_probes.Answerer | None = None
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._socket.bind(str(path))
        self._socket.listen(16)

    def serve(self) -> None:
        """Accept until the socket is closed; each connection has a thread, since a probe may wait for seconds."""
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._client, args=(client,), daemon=True).start()

    def close(self) -> None:
        """Stop serving and answering."""
        self._socket.close()
        if self._answerer is not None:
            self._answerer.close()

    def _client(self, client: socket.socket) -> None:
        # Written without a buffer: closing one that could not be written would fail a second time.
        with client, client.makefile("rb") as stream:
            client.settimeout(ASK_SECONDS)
            try:
                line = stream.readline(MAX_REQUEST)
                try:
                    answer: dict[str, Any] = {"ok": self._handle(json.loads(line))}
                except (RancherctlError, OSError, ValueError, KeyError, TypeError) as error:
                    answer = {"error": str(error) or type(error).__name__}
                client.sendall(json.dumps(answer).encode() + b"\n")
            except OSError:
                return  # the agent has gone

    def _handle(self, request: Mapping[str, Any]) -> Any:
        if "configure" in request:
            wanted = request["configure"]
            with self._lock:
                self.set_up(str(wanted["address"]), str(wanted["gateway"]))
        if "probes" in request:
            return path_probes.run_all(request["probes"][:MAX_PROBES], float(request["timeout"]))
        return {"address": self._address}

    def set_up(self, address: str, gateway: str) -> None:
        """Configure the device, and answer other hosts at ``address``."""
        if self._answerer is not None:
            self._answerer.close()
            self._answerer, self._address = None, ""
        self._configure(address, gateway)
        self._answerer = path_probes.Answerer(address, self._node)
        self._address = address


def configure_device(address: str, gateway: str) -> None:
    """Give the device address and routes, as the CNI plug-in ptp does. Raises RancherctlError."""
    steps = (
        "link set lo up",
        f"addr flush dev {INSIDE}",
        f"addr add {address}/32 dev {INSIDE}",
        f"link set {INSIDE} up",
        f"route replace {gateway} dev {INSIDE} scope link",
        f"route replace default via {gateway} dev {INSIDE}",
    )
    done = subprocess.run(
        ["ip", "-batch", "-"], input="\n".join(steps) + "\n", capture_output=True, text=True, timeout=10.0, check=False
    )
    if done.returncode:
        raise RancherctlError(f"cannot configure {INSIDE}", why=done.stderr.strip()[:300])


def run(node: str, path: Path, notify: Callable[[str], None]) -> int:
    """Run the endpoint until a signal ends the process; 1 if it has no network namespace of its own."""
    devices = {name for _, name in socket.if_nameindex()}
    if not in_own_namespace(devices):
        sys.stderr.write(f"<3>this unit needs a network namespace of its own, but sees {', '.join(sorted(devices))}\n")
        return 1
    process = EndpointProcess(node, path)
    notify("READY=1")
    process.serve()
    return 0


def ask(path: Path, request: Mapping[str, Any], timeout: float) -> Any:
    """Send one request to this host's endpoint and return its answer. RancherctlError with the reason if it fails."""
    try:
        with _connected(path, timeout) as client:
            return _exchange(client, request)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise RancherctlError("the check endpoint does not answer", why=why) from error


def _connected(path: Path, timeout: float) -> socket.socket:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    client.settimeout(timeout)
    try:
        client.connect(str(path))
    except OSError:
        client.close()
        raise
    return client


def _exchange(client: socket.socket, request: Mapping[str, Any]) -> Any:
    with client.makefile("rwb") as stream:
        stream.write(json.dumps(request).encode() + b"\n")
        stream.flush()
        answer = json.loads(stream.readline(1 << 20) or b"{}")
    if not isinstance(answer, dict) or "ok" not in answer:
        why = str(answer.get("error", "no answer")) if isinstance(answer, dict) else "no answer"
        raise RancherctlError("the check endpoint failed", why=why[:300])
    return answer["ok"]


def process_of(path: Path, timeout: float = 3.0) -> int:
    """The process number of the endpoint. RancherctlError if it does not run."""
    try:
        with _connected(path, timeout) as client:
            credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    except OSError as error:
        raise RancherctlError("the check endpoint does not run", why=error.strerror or str(error)) from error
    return int.from_bytes(credentials[:4], sys.byteorder)


def runtime_socket() -> Path:
    """Where the endpoint's unit lets it make its socket."""
    return Path(os.environ.get("RUNTIME_DIRECTORY", "/run/rancherctl/pod-paths")) / "endpoint.sock"
