"""Host keys that are accepted, stored, asked about or refused as the ssh configuration says."""

from __future__ import annotations

from pathlib import Path

import pytest

from rancherctl.errors import AuthError
from rancherctl.hosts.command import command
from rancherctl.hosts.model import SshAddress, SshClient
from rancherctl.hosts.prompts import HostKeyQuestion, Prompts
from rancherctl.hosts.ssh.factory import SshTransports
from rancherctl.hosts.ssh_configurations import SshConfigurations
from tests.fakes.ssh_site import Site, login_error, ssh_problem


@pytest.mark.parametrize(("strict", "again"), [("no", 1), ("accept-new", 1)])
def test_a_key_accepted_by_the_configuration_is_announced_once_and_kept_nowhere(
    ssh_site: Site, tmp_path: Path, strict: str, again: int
) -> None:
    """What Vagrant, multipass and cloud tools print."""
    lines: list[str] = []
    config = ssh_site.config(f"IdentityFile {{d}}/good\nUserKnownHostsFile /dev/null\nStrictHostKeyChecking {strict}")
    factory = SshTransports(Prompts(warn=lines.append), SshConfigurations().settings)
    for _ in range(2):
        transport = factory.create(SshAddress("h", config=str(config)), "h1")
        transport.run(command("true"))
        transport.close()
    assert len(lines) == again
    assert lines[0].startswith("warning: h1: accepted host key ssh-ed25519 SHA256:")
    assert f"not stored (StrictHostKeyChecking {strict})" in lines[0]


def test_accept_new_stores_the_key_in_the_file_of_the_configuration(ssh_site: Site, tmp_path: Path) -> None:
    config = ssh_site.config(
        f"IdentityFile {{d}}/good\nUserKnownHostsFile {tmp_path}/known\nStrictHostKeyChecking accept-new"
    )
    assert login_error(config) is None
    assert (tmp_path / "known").read_text().split()[:3] == ssh_site.server.known_line.split()[:3]


@pytest.mark.parametrize("client", ["paramiko", "openssh"])
def test_a_key_is_stored_under_a_hashed_name_where_the_configuration_hides_names(
    ssh_site: Site, tmp_path: Path, client: SshClient
) -> None:
    """Debian and Ubuntu set HashKnownHosts for every host."""
    lines = f"IdentityFile {{d}}/good\nUserKnownHostsFile {tmp_path}/known\nHashKnownHosts yes"
    config = ssh_site.config(f"{lines}\nStrictHostKeyChecking accept-new")
    assert login_error(config, client=client) is None
    assert (tmp_path / "known").read_text().startswith("|1|")
    config = ssh_site.config(f"{lines}\nStrictHostKeyChecking yes")
    assert ssh_problem(config) == ""
    assert login_error(config, client=client) is None


def test_an_unknown_key_with_dev_null_is_asked_about_and_gives_no_useless_hint(ssh_site: Site) -> None:
    config = ssh_site.config("IdentityFile {d}/good\nUserKnownHostsFile /dev/null")
    error = login_error(config)
    assert error is not None
    assert "the host key is unknown" in error.what
    assert "/dev/null" not in error.hint
    asked: list[HostKeyQuestion] = []
    assert login_error(config, prompts=Prompts(host_key=lambda question: not asked.append(question))) is None
    assert not asked[0].stored


def test_a_host_certificate_for_another_name_says_which(ssh_site: Site) -> None:
    lines = "Port {certified}\nUserKnownHostsFile {d}/authority_plain\nHostKeyAlias 127.0.0.2"
    error = login_error(ssh_site.config(lines))
    assert isinstance(error, AuthError)
    assert error.why.startswith("it is for 127.0.0.1, not for 127.0.0.2; its authority is ")
    assert f"{ssh_site.folder}/authority_plain:1" in error.why


def test_a_revoked_key_is_refused_whatever_the_configuration_says(ssh_site: Site) -> None:
    """OpenSSH lets it pass with ``StrictHostKeyChecking no``; a key that somebody revoked is not worth that."""
    error = login_error(
        ssh_site.config("IdentityFile {d}/good\nUserKnownHostsFile {d}/revoked\nStrictHostKeyChecking no")
    )
    assert isinstance(error, AuthError)
    assert "the host key is revoked" in error.what
