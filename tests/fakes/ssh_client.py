"""A client for the ssh server of the tests: its own key, its own known_hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import paramiko

from rancherctl.hosts.prompts import Prompts
from rancherctl.hosts.ssh.transport import SshTransport
from rancherctl.hosts.ssh_settings import SshSettings
from tests.fakes.ssh_server import SshServer


def trust(server: SshServer, path: Path) -> None:
    """Write the server's key into a known_hosts file."""
    host, port = server.address
    path.write_text(f"[{host}]:{port} {server.host_key.get_name()} {server.host_key.get_base64()}\n")


def settings(server: SshServer, folder: Path, *, user: str = "root", **more: Any) -> SshSettings:
    """Settings for the server; the first call makes the client's key and allows it."""
    key_file = folder / "id_ecdsa"
    if not key_file.exists():
        paramiko.ECDSAKey.generate().write_private_key_file(str(key_file))
        if server.client_key is None:
            server.client_key = paramiko.ECDSAKey(filename=str(key_file)).get_base64()
    known = folder / "known_hosts"
    if not known.exists():
        trust(server, known)
    host, port = server.address
    base: dict[str, Any] = {
        "identities": (str(key_file),),
        "identities_only": True,
        "known_hosts": (str(known),),
        "store": str(known),
        "agent": "",
    }
    return SshSettings(host, port, user, **(base | more))


def connect(server: SshServer, folder: Path, *, user: str = "root", **prompts: Any) -> SshTransport:
    """A transport that retries without waiting."""
    return SshTransport(
        settings(server, folder, user=user), name="h1", prompts=Prompts(**prompts), backoff=lambda attempt: 0.0
    )
