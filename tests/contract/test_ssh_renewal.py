"""Token renewals and tunnels by OpenSSH lead to the host by the same way as the login."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from rancherctl.credentials.renewal import plain_session
from rancherctl.environments.openssh_tunnel import OpenSshTunnel
from rancherctl.environments.sign_in import PROGRAM, renewal_argv
from rancherctl.hosts.model import Host, SshAddress
from tests.fakes.openssh import USER
from tests.fakes.ssh_site import Site, login_error


def greeting(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        return connection.recv(4)


@pytest.mark.parametrize("jumps", ["gate", "gate,gate"])
def test_a_renewal_gives_the_identity_to_each_jump_host(ssh_site: Site, tmp_path: Path, jumps: str) -> None:
    """``--identity K --jump B``: K opens B, too, at the login and at every renewal and tunnel after it."""
    config = tmp_path / "config"
    config.write_text(ssh_site.fill("Host gate\nHostName 127.0.0.1\nPort {port}\nIdentitiesOnly yes\n"))
    (tmp_path / "100% good").write_bytes((ssh_site.folder / "good").read_bytes())
    (tmp_path / "100% good").chmod(0o600)
    (tmp_path / "known hosts").write_text(ssh_site.server.known_line + ssh_site.certified.known_line)
    ssh = SshAddress(
        "127.0.0.1",
        USER,
        ssh_site.certified.port,
        str(tmp_path / "100% good"),
        str(config),
        str(tmp_path / "known hosts"),
        jumps,
    )
    argv = renewal_argv(Host("h1", "127.0.0.1", frozenset({"controlplane"}), ssh), "ann", "laptop")
    login = argv[: argv.index(PROGRAM)]
    done = subprocess.run([*login, "echo", "in"], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "in\n", done.stderr
    with OpenSshTunnel(login, f"127.0.0.1:{ssh_site.server.port}").open() as port:
        assert greeting(port) == b"SSH-"


def test_a_remote_command_in_the_configuration_does_not_break_renewal_and_tunnel(ssh_site: Site) -> None:
    """Many have ``RemoteCommand tmux attach`` with ``RequestTTY force`` for their hosts."""
    config = ssh_site.config("IdentityFile {d}/good\nRemoteCommand tmux attach\nRequestTTY force")
    ssh = SshAddress("h", config=str(config))
    argv = renewal_argv(Host("h1", "127.0.0.1", frozenset({"controlplane"}), ssh), "ann", "laptop")
    login = argv[: argv.index(PROGRAM)]
    done = subprocess.run(
        [*plain_session(login), "echo", "in"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "in\n", done.stderr
    assert login_error(config) is None
    with OpenSshTunnel(login, f"127.0.0.1:{ssh_site.server.port}").open() as port:
        assert greeting(port) == b"SSH-"
