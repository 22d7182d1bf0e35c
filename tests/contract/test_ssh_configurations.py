"""ssh configurations, each tried with OpenSSH itself and with our login: both log in, or neither does.

Issue 8, section S: what works with ``ssh HOST`` works here.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rancherctl.credentials.renewal import plain_session
from rancherctl.environments.openssh_tunnel import OpenSshTunnel
from rancherctl.environments.sign_in import PROGRAM, renewal_argv
from rancherctl.errors import AuthError, RancherctlError, UnreachableError
from rancherctl.hosts.command import command
from rancherctl.hosts.model import Host, SshAddress
from rancherctl.hosts.prompts import HostKeyQuestion, Prompts
from rancherctl.hosts.ssh.factory import SshTransports
from tests.fakes.openssh import SSHD, USER, OpenSshServer, SshAgent, certify, keygen, make_key, public

pytestmark = pytest.mark.skipif(not SSHD, reason="OpenSSH's server is not installed")


RELAY = """import os, socket, sys, threading
end = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def copy():
    while data := os.read(0, 65536):
        end.sendall(data)
threading.Thread(target=copy, daemon=True).start()
while data := end.recv(65536):
    os.write(1, data)
"""


@dataclass(frozen=True)
class Site:
    """Servers, agents and key files that the configurations name.

    ``{d}`` is the folder, ``{port}`` the server's port.
    """

    folder: Path
    server: OpenSshServer
    certified: OpenSshServer
    """Its host key is certified for 127.0.0.1 by the authority ``ca``."""
    agents: dict[str, SshAgent] = field(default_factory=dict)

    def fill(self, text: str) -> str:
        return text.format(
            d=self.folder, port=self.server.port, certified=self.certified.port, user=USER, python=sys.executable
        )

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
        certified = OpenSshServer(folder / "certified_server", f"HostCertificate {folder}/certified_server/certificate")
        certified.authorize(folder / "good")
        host_certificate = folder / "certified_server" / "certificate"
        certify(certified.host_key, folder / "ca", "-h", "-n", "127.0.0.1", to=host_certificate)
        stack.enter_context(certified)
        _write_known_hosts(folder, server, certified)
        agents = {
            "agent": stack.enter_context(SshAgent(folder / "agent.sock", folder / "foreign", folder / "held")),
            "rsa": stack.enter_context(SshAgent(folder / "rsa.sock", folder / "rsa")),
        }
        agents["agent"].add(folder / "locked", "open sesame")
        agents["certified"] = stack.enter_context(SshAgent(folder / "certified.sock", folder / "certified"))
        (folder / "held").unlink()
        yield Site(folder, server, certified, agents)


def _write_known_hosts(folder: Path, server: OpenSshServer, certified: OpenSshServer) -> None:
    """The forms of known_hosts files, one file each."""
    key, other = public(server.host_key), public(folder / "foreign")
    authority, foreign = (folder / "ca_public").read_text(), public(folder / "foreign_ca")
    files = {
        "known_hosts": server.known_line,
        "empty": "",
        "plain": f"127.0.0.1 {key}",
        "plain_changed": f"127.0.0.1 {other}",
        "changed": f"[127.0.0.1]:{server.port} {other}",
        "alias": f"alias {key}",
        "pattern": f"*.example.org,[127.0.0.*]:{server.port} {key}",
        "negated": f"![127.0.0.1]:{server.port},[127.0.0.*]:* {key}",
        "hashed": server.known_line,
        "revoked": f"{server.known_line}\n@revoked * {key}",
        "authority": f"@cert-authority [127.0.0.1]:{certified.port} {authority}",
        "authority_plain": f"@cert-authority 127.0.0.* {authority}",
        "authority_foreign": f"@cert-authority * {foreign}",
        "authority_revoked": f"@cert-authority * {authority}\n@revoked * {authority}",
        "authority_only": f"@cert-authority * {authority}",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    keygen("-H", "-f", folder / "hashed")
    (folder / "relay.py").write_text(RELAY)


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
    **{
        f"known_hosts: {what}": Case(f"IdentityFile {{d}}/good\n{lines}", works)
        for what, lines, works in (
            ("unknown key", "UserKnownHostsFile {d}/empty", False),
            ("changed key", "UserKnownHostsFile {d}/changed", False),
            ("known under the plain name", "UserKnownHostsFile {d}/plain", True),
            ("plain name has another key", "UserKnownHostsFile {d}/plain_changed", False),
            ("HostKeyAlias", "UserKnownHostsFile {d}/alias\nHostKeyAlias Alias", True),
            ("HostKeyAlias that is unknown", "UserKnownHostsFile {d}/plain\nHostKeyAlias other", False),
            ("pattern", "UserKnownHostsFile {d}/pattern", True),
            ("negated pattern", "UserKnownHostsFile {d}/negated", False),
            ("hashed name", "UserKnownHostsFile {d}/hashed", True),
            ("revoked key", "UserKnownHostsFile {d}/revoked", False),
            ("second file", "UserKnownHostsFile {d}/empty {d}/plain", True),
            ("none, and a global file", "UserKnownHostsFile none\nGlobalKnownHostsFile {d}/plain", True),
            ("certified by an authority", "Port {certified}\nUserKnownHostsFile {d}/authority", True),
            ("authority under the plain name", "Port {certified}\nUserKnownHostsFile {d}/authority_plain", True),
            ("authority of others", "Port {certified}\nUserKnownHostsFile {d}/authority_foreign", False),
            ("authority that is revoked", "Port {certified}\nUserKnownHostsFile {d}/authority_revoked", False),
            (
                "certificate for another name",
                "Port {certified}\nUserKnownHostsFile {d}/authority_plain\nHostKeyAlias 127.0.0.2",
                False,
            ),
            ("authority, but the host has no certificate", "UserKnownHostsFile {d}/authority_only", False),
            ("/dev/null, no", "UserKnownHostsFile /dev/null\nStrictHostKeyChecking no", True),
            ("/dev/null, accept-new", "UserKnownHostsFile /dev/null\nStrictHostKeyChecking accept-new", True),
            ("/dev/null, ask", "UserKnownHostsFile /dev/null", False),
            ("/dev/null, yes", "UserKnownHostsFile /dev/null\nStrictHostKeyChecking yes", False),
            ("changed key, accept-new", "UserKnownHostsFile {d}/changed\nStrictHostKeyChecking accept-new", False),
            ("changed key, no", "UserKnownHostsFile {d}/changed\nStrictHostKeyChecking no", True),
        )
    },
    **{
        f"ProxyCommand: {what}": Case(f"IdentityFile {{d}}/good\nProxyCommand {lines}", works)
        for what, lines, works in (
            ("plain", "{python} {d}/relay.py %h %p", True),
            ("with a variable and quotes", '"{python}" "$RELAY" \'%h\' "%p"', True),
            ("with a redirection", "{python} {d}/relay.py %h %p 2>/dev/null", True),
            ("with the name as typed", "sh -c 'test %n = h && exec {python} {d}/relay.py %h %p'", True),
            ("with the user", "sh -c 'test %r = {user} && exec {python} {d}/relay.py %h %p'", True),
            ("with a percent sign", "sh -c 'test 1%% = \"1%%\" && exec {python} {d}/relay.py %h %p'", True),
            ("that does not exist", "/no/such/relay %h %p", False),
            ("that ends at once", "false", False),
            ("with an unknown token", "{python} {d}/relay.py %Q %p", False),
            ("none", "none", True),
        )
    },
    "IdentitiesOnly, agent keys that no file names": Case(
        "IdentitiesOnly yes\nIdentityFile {d}/foreign", False, "agent"
    ),
}


def ssh_problem(config: Path) -> str:
    """Standard error of ``ssh h true``; "" if it logs in."""
    done = subprocess.run(
        ["ssh", "-F", str(config), "h", "true"], capture_output=True, timeout=30, check=False, stdin=subprocess.DEVNULL
    )
    return done.stderr.decode() or f"exit status {done.returncode}" if done.returncode else ""


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


def greeting(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        return connection.recv(4)


def alive(group: int) -> list[str]:
    """Processes of a group. Zombies do not count: they are for the machine's init to collect."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, pgrp = path.read_text().rpartition(")")[2].split()[:3]
            if pgrp == str(group) and state != "Z":
                found.append(path.parent.name)
    return found


@pytest.mark.parametrize("name", CASES)
def test_our_login_agrees_with_ssh(site: Site, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[name]
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setenv("OTHER_AGENT", str(site.agents["agent"].socket))
    monkeypatch.setenv("RELAY", str(site.folder / "relay.py"))
    monkeypatch.setenv("KEYS", str(site.folder))
    if case.agent:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(site.agents[case.agent].socket))
    config = site.config(case.lines)
    problem = ssh_problem(config)
    assert (problem == "") is case.works, problem
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


@pytest.mark.parametrize(("strict", "again"), [("no", 1), ("accept-new", 1)])
def test_a_key_accepted_by_the_configuration_is_announced_once_and_kept_nowhere(
    site: Site, tmp_path: Path, strict: str, again: int
) -> None:
    """What Vagrant, multipass and cloud tools print."""
    lines: list[str] = []
    config = site.config(f"IdentityFile {{d}}/good\nUserKnownHostsFile /dev/null\nStrictHostKeyChecking {strict}")
    factory = SshTransports(Prompts(warn=lines.append))
    for _ in range(2):
        transport = factory.create(SshAddress("h", config=str(config)), "h1")
        transport.run(command("true"))
        transport.close()
    assert len(lines) == again
    assert lines[0].startswith("warning: h1: accepted host key ssh-ed25519 SHA256:")
    assert f"not stored (StrictHostKeyChecking {strict})" in lines[0]


def test_accept_new_stores_the_key_in_the_file_of_the_configuration(site: Site, tmp_path: Path) -> None:
    config = site.config(
        f"IdentityFile {{d}}/good\nUserKnownHostsFile {tmp_path}/known\nStrictHostKeyChecking accept-new"
    )
    assert login_error(config) is None
    assert (tmp_path / "known").read_text().split()[:3] == site.server.known_line.split()[:3]


def test_an_unknown_key_with_dev_null_is_asked_about_and_gives_no_useless_hint(site: Site) -> None:
    config = site.config("IdentityFile {d}/good\nUserKnownHostsFile /dev/null")
    error = login_error(config)
    assert error is not None
    assert "the host key is unknown" in error.what
    assert "/dev/null" not in error.hint
    asked: list[HostKeyQuestion] = []
    assert login_error(config, prompts=Prompts(host_key=lambda question: not asked.append(question))) is None
    assert not asked[0].stored


def test_a_host_certificate_for_another_name_says_which(site: Site) -> None:
    lines = "Port {certified}\nUserKnownHostsFile {d}/authority_plain\nHostKeyAlias 127.0.0.2"
    error = login_error(site.config(lines))
    assert isinstance(error, AuthError)
    assert error.why.startswith("it is for 127.0.0.1, not for 127.0.0.2; its authority is ")
    assert f"{site.folder}/authority_plain:1" in error.why


def test_a_revoked_key_is_refused_whatever_the_configuration_says(site: Site) -> None:
    """OpenSSH lets it pass with ``StrictHostKeyChecking no``; a key that somebody revoked is not worth that."""
    error = login_error(site.config("IdentityFile {d}/good\nUserKnownHostsFile {d}/revoked\nStrictHostKeyChecking no"))
    assert isinstance(error, AuthError)
    assert "the host key is revoked" in error.what


@pytest.mark.parametrize("jumps", ["gate", "gate,gate"])
def test_a_renewal_gives_the_identity_to_each_jump_host(site: Site, tmp_path: Path, jumps: str) -> None:
    """``--identity K --jump B``: K opens B, too, at the login and at every renewal and tunnel after it."""
    config = tmp_path / "config"
    config.write_text(site.fill("Host gate\nHostName 127.0.0.1\nPort {port}\nIdentitiesOnly yes\n"))
    (tmp_path / "100% good").write_bytes((site.folder / "good").read_bytes())
    (tmp_path / "100% good").chmod(0o600)
    (tmp_path / "known hosts").write_text(site.server.known_line + site.certified.known_line)
    ssh = SshAddress(
        "127.0.0.1",
        USER,
        site.certified.port,
        str(tmp_path / "100% good"),
        str(config),
        str(tmp_path / "known hosts"),
        jumps,
    )
    argv = renewal_argv(Host("h1", "127.0.0.1", frozenset({"controlplane"}), ssh), "ann", "laptop")
    login = argv[: argv.index(PROGRAM)]
    done = subprocess.run([*login, "echo", "in"], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "in\n", done.stderr
    with OpenSshTunnel(login, f"127.0.0.1:{site.server.port}").open() as port:
        assert greeting(port) == b"SSH-"


def test_a_remote_command_in_the_configuration_does_not_break_renewal_and_tunnel(site: Site) -> None:
    """Many have ``RemoteCommand tmux attach`` with ``RequestTTY force`` for their hosts."""
    config = site.config("IdentityFile {d}/good\nRemoteCommand tmux attach\nRequestTTY force")
    ssh = SshAddress("h", config=str(config))
    argv = renewal_argv(Host("h1", "127.0.0.1", frozenset({"controlplane"}), ssh), "ann", "laptop")
    login = argv[: argv.index(PROGRAM)]
    done = subprocess.run(
        [*plain_session(login), "echo", "in"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "in\n", done.stderr
    assert login_error(config) is None
    with OpenSshTunnel(login, f"127.0.0.1:{site.server.port}").open() as port:
        assert greeting(port) == b"SSH-"


def test_the_message_of_a_failed_proxy_command_is_shown_at_once(site: Site) -> None:
    begin = time.monotonic()
    config = site.config("IdentityFile {d}/good\nProxyCommand sh -c 'echo no route to the bastion >&2; exit 3'")
    error = login_error(config)
    assert time.monotonic() - begin < 5
    assert isinstance(error, UnreachableError)
    assert "h1: the ProxyCommand of the ssh configuration ended with status 3" in error.what
    assert error.why == "no route to the bastion (ssh client: paramiko)"
    assert "run it by hand: sh -c 'echo no route" in error.hint


def test_a_proxy_command_that_says_nothing_costs_no_time(site: Site) -> None:
    begin, cpu = time.monotonic(), time.process_time()
    error = login_error(site.config("IdentityFile {d}/good\nProxyCommand true"))
    assert time.monotonic() - begin < 10
    assert time.process_time() - cpu < 2
    assert isinstance(error, UnreachableError)


def test_a_closed_connection_leaves_no_proxy_command_behind(site: Site, tmp_path: Path) -> None:
    relay = f"{sys.executable} {{d}}/relay.py %h %p"
    config = site.config(f"IdentityFile {{d}}/good\nProxyCommand sh -c 'echo $$ > {tmp_path}/pid; {relay}; true'")
    assert login_error(config) is None
    group = int((tmp_path / "pid").read_text())
    assert not alive(group)


@pytest.mark.parametrize(
    ("options", "what", "offer"),
    [
        ("Ciphers chacha20-poly1305@openssh.com", "cipher", "chacha20-poly1305@openssh.com"),
        ("KexAlgorithms sntrup761x25519-sha512@openssh.com", "key exchange", "sntrup761x25519-sha512@openssh.com"),
        ("Ciphers aes256-ctr\nMACs umac-128@openssh.com", "MAC", "umac-128@openssh.com"),
    ],
)
def test_the_error_lists_the_algorithms_of_a_server_that_has_none_in_common(
    site: Site, tmp_path: Path, options: str, what: str, offer: str
) -> None:
    with OpenSshServer(tmp_path / "server", options) as server:
        server.authorize(site.folder / "good")
        (tmp_path / "known").write_text(server.known_line)
        error = login_error(
            site.config(f"IdentityFile {{d}}/good\nPort {server.port}\nUserKnownHostsFile {tmp_path}/known")
        )
    assert isinstance(error, UnreachableError)
    assert error.what == f"h1: no {what} in common with the ssh server"
    assert error.why == f"the server offers {offer} (ssh client: paramiko)"
    assert "sshd_config: " in error.hint


def test_a_server_with_an_uncommon_cipher_is_reached(site: Site, tmp_path: Path) -> None:
    with OpenSshServer(tmp_path / "server", "Ciphers aes192-ctr") as server:
        server.authorize(site.folder / "good")
        (tmp_path / "known").write_text(server.known_line)
        lines = f"IdentityFile {{d}}/good\nPort {server.port}\nUserKnownHostsFile {tmp_path}/known"
        assert login_error(site.config(lines)) is None
