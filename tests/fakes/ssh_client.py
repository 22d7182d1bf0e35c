"""Clients for the ssh server of the tests: their own key, their own known_hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import paramiko

from rancherctl.hosts.model import SshAddress
from rancherctl.hosts.openssh.factory import OpenSshTransports
from rancherctl.hosts.openssh.transport import OpenSshTransport
from rancherctl.hosts.prompts import Prompts
from rancherctl.hosts.ssh.transport import SshTransport
from rancherctl.hosts.ssh_configurations import SshConfigurations
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


def address(made: SshSettings, folder: Path) -> SshAddress:
    """The same settings as a configuration file for OpenSSH."""
    lines = [
        f"HostName {made.host}",
        f"Port {made.port}",
        f"User {made.user}",
        *(f"IdentityFile {path}" for path in made.identities),
        f"IdentitiesOnly {'yes' if made.identities_only else 'no'}",
        f"IdentityAgent {made.agent or 'none'}",
        f"UserKnownHostsFile {' '.join(made.known_hosts)}",
        "GlobalKnownHostsFile none",
        f"StrictHostKeyChecking {made.strict}",
        f"ServerAliveInterval {made.keepalive}",
    ]
    path = folder / "ssh_config"
    path.write_text("Host *\n" + "\n".join(lines) + "\n")
    return SshAddress(made.host, config=str(path))


def transport(client: str, made: SshSettings, folder: Path, **prompts: Any) -> SshTransport | OpenSshTransport:
    """A transport of either client that retries without waiting."""
    answers = Prompts(**prompts)
    if client == "openssh":
        return OpenSshTransports(answers, SshConfigurations().settings, backoff=lambda attempt: 0.0).create(
            address(made, folder), "h1"
        )
    return SshTransport(made, name="h1", prompts=answers, backoff=lambda attempt: 0.0)


def connect(
    server: SshServer, folder: Path, *, client: str = "paramiko", user: str = "root", **prompts: Any
) -> SshTransport | OpenSshTransport:
    """A transport to the server."""
    return transport(client, settings(server, folder, user=user), folder, **prompts)
