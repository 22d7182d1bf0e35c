"""Servers that offer few algorithms."""

from __future__ import annotations

from pathlib import Path

import pytest

from rancherctl.errors import UnreachableError
from tests.fakes.openssh import OpenSshServer
from tests.fakes.ssh_site import Site, login_error


@pytest.mark.parametrize(
    ("options", "what", "offer"),
    [
        ("Ciphers chacha20-poly1305@openssh.com", "cipher", "chacha20-poly1305@openssh.com"),
        ("KexAlgorithms sntrup761x25519-sha512@openssh.com", "key exchange", "sntrup761x25519-sha512@openssh.com"),
        ("Ciphers aes256-ctr\nMACs umac-128@openssh.com", "MAC", "umac-128@openssh.com"),
    ],
)
def test_the_error_lists_the_algorithms_of_a_server_that_has_none_in_common(
    ssh_site: Site, tmp_path: Path, options: str, what: str, offer: str
) -> None:
    with OpenSshServer(tmp_path / "server", options) as server:
        server.authorize(ssh_site.folder / "good")
        (tmp_path / "known").write_text(server.known_line)
        error = login_error(
            ssh_site.config(f"IdentityFile {{d}}/good\nPort {server.port}\nUserKnownHostsFile {tmp_path}/known")
        )
    assert isinstance(error, UnreachableError)
    assert error.what == f"h1: no {what} in common with the ssh server"
    assert error.why == f"the server offers {offer} (ssh client: paramiko)"
    assert "sshd_config: " in error.hint


def test_a_server_with_an_uncommon_cipher_is_reached(ssh_site: Site, tmp_path: Path) -> None:
    with OpenSshServer(tmp_path / "server", "Ciphers aes192-ctr") as server:
        server.authorize(ssh_site.folder / "good")
        (tmp_path / "known").write_text(server.known_line)
        lines = f"IdentityFile {{d}}/good\nPort {server.port}\nUserKnownHostsFile {tmp_path}/known"
        assert login_error(ssh_site.config(lines)) is None
