"""A way to an API that has no address this machine can reach: OpenSSH forwards a local port through a control-plane host."""

from __future__ import annotations

import select
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from rancherctl.cli.exec_replace import end
from rancherctl.credentials.registry import Access
from rancherctl.errors import UnreachableError

DIRECT_SECONDS = 2.0
GREETING_SECONDS = 10.0  # the host is there then: a busy API is no reason to take another way
SSH_SECONDS = 25.0
FAR_SECONDS = 10.0
"""For the API's first answer through a tunnel."""


def reachable(server: str, ca: str, seconds: float = DIRECT_SECONDS) -> bool:
    """Whether the API's address answers from here with a certificate of ``ca`` (PEM text).

    A connection alone says little: private addresses overlap, and another environment's API may stand at this one.
    """
    url = urlsplit(server)
    try:
        with socket.create_connection((url.hostname or "", url.port or 443), seconds) as raw:
            if url.scheme != "https":
                return True
            raw.settimeout(max(seconds, GREETING_SECONDS))
            with ssl.create_default_context(cadata=ca or None).wrap_socket(raw, server_hostname=url.hostname):
                return True
    except OSError:
        return False


@contextmanager
def way(access: Access, say: Callable[[str], None]) -> Iterator[str]:
    """The URL to use while the block runs: the API's own, else the near end of a tunnel; ``say`` tells which host it goes through."""
    if not access.tunnels or reachable(access.server, access.ca):
        yield access.server
        return
    with tunnel(access) as (server, host):
        say(f"the API at {access.server} cannot be reached from here: going through ssh to {host}")
        yield server


@contextmanager
def tunnel(access: Access) -> Iterator[tuple[str, str]]:
    """(URL of the near end, host it goes through) while the block runs. UnreachableError when no control-plane host helps.

    The API's certificate names 127.0.0.1, so that the near end is checked like the API itself.
    """
    problems = []
    for words, target in zip(access.tunnels, access.targets, strict=False):
        port = _free_port()
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                command(words, port, target),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
            try:
                if not _ready(process):
                    errors.seek(0)
                    said = errors.read(4000).decode("utf-8", "replace").strip().splitlines()
                    problems.append(f"{words[-1]}: {said[-1] if said else f'not connected within {SSH_SECONDS:.0f} s'}")
                elif not reachable(server := f"https://127.0.0.1:{port}", access.ca, FAR_SECONDS):
                    problems.append(f"{words[-1]}: nothing answers as this API at {target} there")
                else:
                    yield server, words[-1]
                    return
            finally:
                end(process)
                assert process.stdout
                process.stdout.close()
    what = f"the API of {access.name} at {access.server} cannot be reached, nor through ssh"
    raise UnreachableError(
        what, why="; ".join(problems), hint=f"rancherctl env status {access.name} shows which hosts and units are down"
    )


def command(ssh: tuple[str, ...], port: int, target: str) -> list[str]:
    """The OpenSSH words: it says ``ready`` on standard output once the port is open."""
    options = (
        "ExitOnForwardFailure=yes",
        "PermitLocalCommand=yes",
        "LocalCommand=echo ready",
        "ServerAliveInterval=15",
        "ControlPath=none",
    )
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
