"""ssh configurations, each tried with OpenSSH itself and with our login: both log in, or neither does.

Issue 8, section S: what works with ``ssh HOST`` works here.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rancherctl.errors import AuthError, RancherctlError
from rancherctl.hosts.command import command
from rancherctl.hosts.model import SshAddress
from rancherctl.hosts.prompts import Prompts
from rancherctl.hosts.ssh.factory import SshTransports
from tests.fakes.openssh import SSHD, USER, OpenSshServer, SshAgent, certify, make_key

pytestmark = pytest.mark.skipif(not SSHD, reason="OpenSSH's server is not installed")


@dataclass(frozen=True)
class Site:
    """Servers, agents and key files that the configurations name.

    ``{d}`` is the folder, ``{port}`` the server's port.
    """

    folder: Path
    server: OpenSshServer
    agents: dict[str, SshAgent] = field(default_factory=dict)

    def fill(self, text: str) -> str:
        return text.format(d=self.folder, port=self.server.port, user=USER)

    def config(self, lines: str) -> Path:
        """A configuration file whose host ``h`` is the server."""
        path = self.folder / "config"
        base = f"HostName 127.0.0.1\nPort {{port}}\nUser {USER}\nUserKnownHostsFile {{d}}/known_hosts\n"
        path.write_text(self.fill(f"Host h\n{lines}\n{base}GlobalKnownHostsFile none\nBatchMode yes\n"))
        return path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("ssh")
    for name in ("good", "foreign", "held", "ca", "foreign_ca", "certified", "expired", "mismatched", "damaged"):
        make_key(folder / name)
    make_key(folder / "rsa", "rsa")
    make_key(folder / "locked", passphrase="open sesame")
    make_key(folder / f"{USER}-127.0.0.1-{USER}")
    make_key(folder / "rsa_certified", "rsa")
    for name, key in (("certified", "certified"), ("rsa_certified", "rsa_certified")):
        certify(folder / key, folder / "ca", "-n", USER, to=folder / f"{name}.certificate")
    certify(folder / "expired", folder / "ca", "-n", USER, "-V", "20200101:20200102")
    certify(folder / "good", folder / "foreign_ca", "-n", USER)
    certify(folder / "foreign", folder / "foreign_ca", "-n", USER, to=folder / "mismatched-cert.pub")
    (folder / "damaged-cert.pub").write_text("ssh-ed25519-cert-v01@openssh.com AAAA broken\n")
    (folder / "ca.pub").rename(folder / "ca_public")
    with ExitStack() as stack:
        server = OpenSshServer(folder / "server", f"TrustedUserCAKeys {folder / 'ca_public'}")
        accepted = ("good", "held", "rsa", "locked", f"{USER}-127.0.0.1-{USER}", "expired", "mismatched", "damaged")
        server.authorize(*(folder / name for name in accepted))
        stack.enter_context(server)
        agents = {
            "agent": stack.enter_context(SshAgent(folder / "agent.sock", folder / "foreign", folder / "held")),
            "rsa": stack.enter_context(SshAgent(folder / "rsa.sock", folder / "rsa")),
        }
        agents["agent"].add(folder / "locked", "open sesame")
        agents["certified"] = stack.enter_context(SshAgent(folder / "certified.sock", folder / "certified"))
        (folder / "held").unlink()
        (folder / "known_hosts").write_text(server.known_line)
        yield Site(folder, server, agents)


@dataclass(frozen=True)
class Case:
    """Lines of the configuration, whether ssh logs in, and the agent in the environment ("" = none)."""

    lines: str
    works: bool
    agent: str = ""


CASES = {
    "a key file": Case("IdentityFile {d}/good\nIdentitiesOnly yes", True),
    "a key that the server does not know": Case("IdentityFile {d}/foreign\nIdentitiesOnly yes", False),
    "an RSA key": Case("IdentityFile {d}/rsa\nIdentitiesOnly yes", True),
    "the agent alone": Case("IdentityFile none", True, "agent"),
    "IdentitiesOnly, IdentityFile without .pub, key in the agent": Case(
        "IdentitiesOnly yes\nIdentityFile {d}/held", True, "agent"
    ),
    "IdentitiesOnly, IdentityFile is the .pub, key in the agent": Case(
        "IdentitiesOnly yes\nIdentityFile {d}/held.pub", True, "agent"
    ),
    "IdentitiesOnly, locked key file, key in the agent": Case(
        "IdentitiesOnly yes\nIdentityFile {d}/locked", True, "agent"
    ),
    "IdentitiesOnly, locked key file, no agent": Case("IdentitiesOnly yes\nIdentityFile {d}/locked", False),
    "IdentityAgent as a path": Case("IdentityAgent {d}/agent.sock\nIdentityFile none", True),
    "IdentityAgent none": Case("IdentityAgent none\nIdentityFile none", False, "agent"),
    "IdentityAgent SSH_AUTH_SOCK": Case("IdentityAgent SSH_AUTH_SOCK\nIdentityFile none", True, "agent"),
    "IdentityAgent $VARIABLE": Case("IdentityAgent $OTHER_AGENT\nIdentityFile none", True),
    "IdentityAgent with ${VARIABLE}": Case("IdentityAgent ${{OTHER_AGENT}}\nIdentityFile none", True),
    "IdentityAgent that does not exist, and a key file": Case("IdentityAgent {d}/gone\nIdentityFile {d}/rsa", True),
    "an RSA key in the agent": Case("IdentityAgent {d}/rsa.sock\nIdentityFile none", True),
    "IdentityFile with tokens": Case("IdentityFile {d}/%r-%h-%u\nIdentitiesOnly yes", True),
    "IdentityFile with a variable": Case("IdentityFile ${{KEYS}}/good\nIdentitiesOnly yes", True),
    "IdentityFile with a variable that is not set": Case("IdentityFile ${{UNSET_KEYS}}/good", False),
    "several identity files, the last works": Case(
        "IdentityFile {d}/gone\nIdentityFile {d}/foreign\nIdentityFile {d}/rsa\nIdentitiesOnly yes", True
    ),
    "a certificate": Case(
        "IdentityFile {d}/certified\nCertificateFile {d}/certified.certificate\nIdentitiesOnly yes", True
    ),
    "a certificate of an RSA key": Case(
        "IdentityFile {d}/rsa_certified\nCertificateFile {d}/rsa_certified.certificate\nIdentitiesOnly yes", True
    ),
    "a key that works with a certificate only": Case("IdentityFile {d}/certified\nIdentitiesOnly yes", False),
    "CertificateFile with a token, key in the agent": Case(
        "IdentityAgent {d}/certified.sock\nIdentityFile {d}/certified.pub\n"
        "CertificateFile %d/../{d}/certified.certificate",
        True,
    ),
    "an expired certificate beside a key that works alone": Case("IdentityFile {d}/expired\nIdentitiesOnly yes", True),
    "a certificate by a foreign authority beside a key that works alone": Case("IdentityFile {d}/good", True),
    "a certificate of another key beside a key that works alone": Case(
        "IdentityFile {d}/mismatched\nIdentitiesOnly yes", True
    ),
    "a damaged certificate beside a key that works alone": Case("IdentityFile {d}/damaged\nIdentitiesOnly yes", True),
    "IdentitiesOnly, agent keys that no file names": Case(
        "IdentitiesOnly yes\nIdentityFile {d}/foreign", False, "agent"
    ),
}


def ssh_logs_in(config: Path) -> bool:
    done = subprocess.run(
        ["ssh", "-F", str(config), "h", "true"], capture_output=True, timeout=30, check=False, stdin=subprocess.DEVNULL
    )
    return done.returncode == 0


def login_error(config: Path, host: str = "h", prompts: Prompts | None = None) -> RancherctlError | None:
    """None if our login works."""
    transport = None
    try:
        transport = SshTransports(prompts or Prompts()).create(SshAddress(host, config=str(config)), "h1")
        transport.run(command("true"))
    except RancherctlError as error:
        return error
    finally:
        if transport is not None:
            transport.close()
    return None


@pytest.mark.parametrize("name", CASES)
def test_our_login_agrees_with_ssh(site: Site, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[name]
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setenv("OTHER_AGENT", str(site.agents["agent"].socket))
    monkeypatch.setenv("KEYS", str(site.folder))
    if case.agent:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(site.agents[case.agent].socket))
    config = site.config(case.lines)
    assert ssh_logs_in(config) is case.works, (site.server.folder / "log").read_text()[-3000:]
    error = login_error(config)
    assert (error is None) is case.works, error


def test_a_damaged_certificate_of_a_refused_key_is_named(site: Site) -> None:
    """The key alone is tried, too, and the error says which file to look at."""
    make_key(site.folder / "stranger")
    (site.folder / "stranger-cert.pub").write_text("ssh-ed25519-cert-v01@openssh.com AAAA broken\n")
    error = login_error(site.config("IdentityFile {d}/stranger\nIdentityAgent none"))
    assert isinstance(error, AuthError)
    assert f"{site.folder}/stranger-cert.pub is damaged" in error.why
    assert f"tried {site.folder}/stranger" in error.what


def test_an_agent_that_hangs_is_named_within_ten_seconds(site: Site, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "mute.sock"))
        listener.listen()
        begin = time.monotonic()
        error = login_error(site.config(f"IdentityAgent {tmp_path}/mute.sock\nIdentityFile none"))
    assert time.monotonic() - begin < 10
    assert isinstance(error, AuthError)
    assert f"agent {tmp_path}/mute.sock did not answer within 5 s" in error.why


def test_an_agent_that_refuses_to_sign_does_not_spoil_the_next_key(site: Site, tmp_path: Path) -> None:
    """The agent's user may deny one key (``ssh-add -c``) and have another."""
    with SshAgent(tmp_path / "a.sock") as agent:
        agent.add(site.folder / "good", confirm=True)
        made = site.config(f"IdentityAgent {agent.socket}\nIdentityFile {{d}}/good\nIdentityFile {{d}}/rsa")
        assert login_error(made) is None
        error = login_error(site.config(f"IdentityAgent {agent.socket}\nIdentityFile none"))
    assert error is not None
    assert "refused to sign with agent key good" in error.why


def test_a_locked_key_that_no_agent_holds_is_named(site: Site) -> None:
    error = login_error(site.config("IdentityFile {d}/locked\nIdentitiesOnly yes\nIdentityAgent none"))
    assert isinstance(error, AuthError)
    assert f"{site.folder}/locked is encrypted with a passphrase" in error.why
