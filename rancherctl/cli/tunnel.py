"""A way to an API that has no address this machine can reach: OpenSSH forwards a local port through a control-plane host."""

from __future__ import annotations

import select
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from rancherctl.credentials.registry import Access
from rancherctl.errors import UnreachableError

DIRECT_SECONDS = 2.0
SSH_SECONDS = 25.0


def reachable(server: str) -> bool:
    """Whether the API's port takes a connection from here."""
    url = urlsplit(server)
    try:
        with socket.create_connection((url.hostname or "", url.port or 443), DIRECT_SECONDS):
            return True
    except OSError:
        return False


@contextmanager
def tunnel(access: Access) -> Iterator[tuple[str, str]]:
    """(URL of the near end, host it goes through) while the block runs. UnreachableError when no control-plane host helps.

    The API's certificate names 127.0.0.1, so that the near end is checked like the API itself.
    """
    problems = []
    for ssh, target in zip(access.tunnels, access.targets, strict=False):
        port = _free_port()
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                command(ssh, port, target), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
            )
            try:
                if _ready(process):
                    yield f"https://127.0.0.1:{port}", ssh[-1]
                    return
                errors.seek(0)
                said = errors.read(4000).decode("utf-8", "replace").strip().splitlines()
                problems.append(f"{ssh[-1]}: {said[-1] if said else f'not connected within {SSH_SECONDS:.0f} s'}")
            finally:
                process.terminate()
                process.wait(10)
                assert process.stdout
                process.stdout.close()
    what = f"the API of {access.name} at {access.server} cannot be reached, nor through ssh"
    raise UnreachableError(what, why="; ".join(problems), hint="are you in the right network?")


def command(ssh: tuple[str, ...], port: int, target: str) -> list[str]:
    """The OpenSSH words: it says ``ready`` on standard output once the port is open."""
    options = ("ExitOnForwardFailure=yes", "PermitLocalCommand=yes", "LocalCommand=echo ready", "ServerAliveInterval=15", "ControlPath=none")
    flags = [word for option in options for word in ("-o", option)]
    return [*ssh[:-1], *flags, "-N", "-L", f"127.0.0.1:{port}:{target}", ssh[-1]]


def _ready(process: subprocess.Popen[bytes]) -> bool:
    assert process.stdout
    there, _, _ = select.select([process.stdout], [], [], SSH_SECONDS)
    return bool(there) and process.stdout.readline() == b"ready\n"


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])
