"""Ports for servers that tests start, stop and start again at the same place."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

# Below the kernel's ephemeral ports and below Kubernetes' node ports: while a server is down, no outgoing connection
# can take its port, and no client that tries to reach it can connect to itself.
PORTS = range(20000, 30000)
_LOCKS = os.open(
    Path(tempfile.gettempdir()) / f"rancherctl-test-ports-{os.getuid()}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
)
_taken: set[int] = set()


def free_port() -> int:
    """A free port for TCP and UDP at all addresses; reserved on this machine until this process ends."""
    while True:
        port = random.choice(PORTS)
        if port not in _taken and _locked(port) and _unused(port):
            _taken.add(port)
            return port


def _locked(port: int) -> bool:
    """Take the byte of the port in a file that all runs share; the kernel gives it back when the process ends."""
    try:
        fcntl.lockf(_LOCKS, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


def _unused(port: int) -> bool:
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        try:
            tcp.bind(("", port))
            udp.bind(("", port))
        except OSError:
            return False
    return True
