"""Keys, agents and certificates that cannot be used: the error names the file or the socket, soon."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from rancherctl.errors import AuthError
from tests.fakes.openssh import SshAgent, make_key
from tests.fakes.ssh_site import Site, login_error


def test_a_damaged_certificate_of_a_refused_key_is_named(ssh_site: Site) -> None:
    """The key alone is tried, too, and the error says which file to look at."""
    make_key(ssh_site.folder / "stranger")
    (ssh_site.folder / "stranger-cert.pub").write_text("ssh-ed25519-cert-v01@openssh.com AAAA broken\n")
    error = login_error(ssh_site.config("IdentityFile {d}/stranger\nIdentityAgent none"))
    assert isinstance(error, AuthError)
    assert f"{ssh_site.folder}/stranger-cert.pub is damaged" in error.why
    assert f"tried {ssh_site.folder}/stranger" in error.what


def test_an_agent_that_hangs_is_named_within_ten_seconds(ssh_site: Site, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "mute.sock"))
        listener.listen()
        begin = time.monotonic()
        error = login_error(ssh_site.config(f"IdentityAgent {tmp_path}/mute.sock\nIdentityFile none"))
    assert time.monotonic() - begin < 10
    assert isinstance(error, AuthError)
    assert f"agent {tmp_path}/mute.sock did not answer within 5 s" in error.why


def test_an_agent_that_refuses_to_sign_does_not_spoil_the_next_key(ssh_site: Site, tmp_path: Path) -> None:
    """The agent's user may deny one key (``ssh-add -c``) and have another."""
    with SshAgent(tmp_path / "a.sock") as agent:
        agent.add(ssh_site.folder / "good", confirm=True)
        made = ssh_site.config(f"IdentityAgent {agent.socket}\nIdentityFile {{d}}/good\nIdentityFile {{d}}/rsa")
        assert login_error(made) is None
        error = login_error(ssh_site.config(f"IdentityAgent {agent.socket}\nIdentityFile none"))
    assert error is not None
    assert "refused to sign with agent key good" in error.why


def test_a_locked_key_that_no_agent_holds_is_named(ssh_site: Site) -> None:
    error = login_error(ssh_site.config("IdentityFile {d}/locked\nIdentitiesOnly yes\nIdentityAgent none"))
    assert isinstance(error, AuthError)
    assert f"{ssh_site.folder}/locked is encrypted with a passphrase" in error.why
