"""A tunnel through a control-plane host made by OpenSSH, for commands that need no other connection to it.

If the user's own ssh holds a master connection to the host (ControlMaster), the tunnel leads through that: a login of
its own may need a second factor.
"""

from __future__ import annotations

import select
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Final

from rancherctl.children import end, ends_with_parent
from rancherctl.credentials.registry import Access
from rancherctl.errors import UnreachableError
from rancherctl.hosts.forward import PortForward
from rancherctl.hosts.openssh.user_master import BorrowedConnection
from rancherctl.hosts.remote_host import ConnectionLostError
from rancherctl.hosts.ssh_choice import INSTALL
from rancherctl.hosts.ssh_settings import live_master, parse, run_ssh
from rancherctl.hosts.transport import Stream
from rancherctl.net import split_host_port
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
        if control := _open_master(self.ssh):
            address, port_text = split_host_port(self.target)
            through = _Master(self.name, BorrowedConnection(control))
            with closing(through), PortForward(through, address, int(port_text or 0)) as forward:
                yield forward.port
            return
        port = _free_port()
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                command(self.ssh, port, self.target),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                preexec_fn=ends_with_parent(),  # noqa: PLW1509  # it calls the kernel only
            )
            try:
                if not _connected(process):
                    errors.seek(0)
                    why = last_line(errors.read(4000), f"not connected within {CONNECT_SECONDS:.0f} s")
                    raise UnreachableError(f"{self.name}: {why}")
                yield port
            finally:
                end(process, whole_group=False, seconds=END_SECONDS)
                assert process.stdout
                process.stdout.close()


@dataclass(frozen=True, slots=True)
class _Master:
    """The user's master connection to a host, as ``hosts.transport.TcpOpener``."""

    name: str
    connection: BorrowedConnection

    def open_tcp(self, address: str, port: int) -> Stream:
        try:
            return self.connection.open_tcp(address, port)
        except (OSError, ConnectionLostError) as error:
            raise UnreachableError(
                f"{self.name}: cannot connect from this host to {address}:{port}", why=str(error)
            ) from error

    def close(self) -> None:
        self.connection.close()


def _open_master(ssh: tuple[str, ...]) -> str:
    """The control socket of the user's master for this command line; "" if none answers."""
    try:
        done = run_ssh(["ssh", "-G", *ssh[1:]], CONNECT_SECONDS)
    except FileNotFoundError as error:
        raise UnreachableError(f"{ssh[-1]}: no tunnel", why="OpenSSH is not installed", hint=INSTALL) from error
    except subprocess.TimeoutExpired:
        # a "Match exec" that hangs: the login itself reports it
        return ""
    return live_master(parse(done.stdout))


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


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
