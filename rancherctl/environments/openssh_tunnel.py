"""A tunnel through a control-plane host made by OpenSSH, for commands that need no other connection to it."""

from __future__ import annotations

import select
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from rancherctl.credentials.registry import Access
from rancherctl.errors import UnreachableError
from rancherctl.text import last_line

CONNECT_SECONDS: Final = 25.0
END_SECONDS = 5.0
"""How long OpenSSH has to end after SIGTERM, before it is killed."""


@dataclass(frozen=True, slots=True)
class OpenSshTunnel:
    """``ssh``: OpenSSH's command line up to the host's name. ``target``: the API's ``address:port`` from there."""

    ssh: tuple[str, ...]
    target: str

    @property
    def name(self) -> str:
        """The host it leads through."""
        return self.ssh[-1]

    @contextmanager
    def open(self) -> Iterator[int]:
        """The local port while the block runs; UnreachableError with OpenSSH's last line if it cannot connect."""
        port = _free_port()
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                command(self.ssh, port, self.target),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
            try:
                if not _connected(process):
                    errors.seek(0)
                    why = last_line(errors.read(4000), f"not connected within {CONNECT_SECONDS:.0f} s")
                    raise UnreachableError(f"{self.name}: {why}")
                yield port
            finally:
                _end(process)


def tunnels_of(access: Access) -> list[OpenSshTunnel]:
    """The tunnels that this machine knows for an environment."""
    return [OpenSshTunnel(ssh, target) for ssh, target in zip(access.tunnels, access.targets, strict=False)]


def command(ssh: tuple[str, ...], port: int, target: str) -> list[str]:
    """The OpenSSH command line: it prints ``ready`` on standard output once the port is open."""
    options = (
        "ExitOnForwardFailure=yes",
        "PermitLocalCommand=yes",
        "LocalCommand=echo ready",
        "ServerAliveInterval=15",
        "ControlPath=none",
        "RemoteCommand=none",
        "RequestTTY=no",
    )
    flags = [word for option in options for word in ("-o", option)]
    return [*ssh[:-1], *flags, "-N", "-L", f"127.0.0.1:{port}:{target}", ssh[-1]]


def _connected(process: subprocess.Popen[bytes]) -> bool:
    assert process.stdout
    readable, _, _ = select.select([process.stdout], [], [], CONNECT_SECONDS)
    return bool(readable) and process.stdout.readline() == b"ready\n"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    assert process.stdout
    process.stdout.close()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
