"""Servers, agents, keys and known_hosts files on loopback, and the rows of tables that compare our login with ssh's."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from rancherctl.errors import RancherctlError
from rancherctl.hosts.command import command
from rancherctl.hosts.connections import Connections
from rancherctl.hosts.model import SshAddress, SshClient
from rancherctl.hosts.prompts import Prompts
from tests.fakes.openssh import USER, OpenSshServer, SshAgent, certify, keygen, make_key, public

RELAY: Final = """import os, socket, sys, threading
end = socket.create_connection((sys.argv[1], int(sys.argv[2])))
if sys.argv[3:] == ["pass"]:
    socket.send_fds(socket.socket(fileno=1), [b"x"], [end.fileno()])
    sys.exit()
def copy():
    while data := os.read(0, 65536):
        end.sendall(data)
    os._exit(0)
threading.Thread(target=copy, daemon=True).start()
while data := end.recv(65536):
    os.write(1, data)
"""
"""A ProxyCommand: copies, or passes the connection itself (ProxyUseFdpass)."""
BASE: Final = """
Host *
HostName 127.0.0.1
Port {port}
User {user}
UserKnownHostsFile {d}/known_hosts
GlobalKnownHostsFile none
BatchMode yes
"""
"""What rows that say nothing else have; in ssh the first value of an option counts."""


@dataclass(frozen=True)
class Case:
    """Lines of the host ``h``, whether ssh logs in, and the agent in the environment ("" = none).

    ``openssh``: only OpenSSH itself can carry the configuration out.
    """

    lines: str
    works: bool
    agent: str = ""
    openssh: bool = False
    host: str = "h"


@dataclass(frozen=True)
class Site:
    """Servers, agents and key files that the configurations name.

    In texts, ``{d}`` is the folder, ``{port}``, ``{certified}`` and ``{gate}`` the servers' ports.
    """

    folder: Path
    server: OpenSshServer
    certified: OpenSshServer
    """Its host key is certified for 127.0.0.1 by the authority ``ca``."""
    gate: OpenSshServer
    """It accepts only the key ``gate_key``."""
    agents: dict[str, SshAgent] = field(default_factory=dict)

    def fill(self, text: str) -> str:
        return text.format(
            d=self.folder,
            port=self.server.port,
            certified=self.certified.port,
            gate=self.gate.port,
            user=USER,
            python=sys.executable,
        )

    def config(self, lines: str, host: str = "h") -> Path:
        """A configuration file whose host is the server."""
        path = self.folder / "config"
        path.write_text(self.fill(f"Host {host}\n{lines}\n{BASE}"))
        return path

    def set_environment(self, monkeypatch: pytest.MonkeyPatch, agent: str = "") -> None:
        """The variables that configurations name."""
        monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
        monkeypatch.setenv("OTHER_AGENT", str(self.agents["agent"].socket))
        monkeypatch.setenv("RELAY", str(self.folder / "relay.py"))
        monkeypatch.setenv("KEYS", str(self.folder))
        if agent:
            monkeypatch.setenv("SSH_AUTH_SOCK", str(self.agents[agent].socket))


@contextmanager
def running_site(folder: Path) -> Iterator[Site]:
    """The site while the block runs."""
    for name in ("good", "foreign", "held", "ca", "foreign_ca", "certified", "expired", "mismatched", "damaged"):
        make_key(folder / name)
    make_key(folder / "rsa", "rsa")
    make_key(folder / "gate_key")
    make_key(folder / "spaced key")
    make_key(folder / "locked", passphrase="open sesame")
    make_key(folder / f"{USER}-127.0.0.1-{USER}")
    make_key(folder / "rsa_certified", "rsa")
    make_key(folder / "agent_certified")
    for name, key in (("certified", "certified"), ("rsa_certified", "rsa_certified")):
        certify(folder / key, folder / "ca", "-n", USER, to=folder / f"{name}.certificate")
    for name in ("agent_certified", "expired"):
        certify(folder / name, folder / "ca", "-n", USER, *(["-V", "20200101:20200102"] if name == "expired" else []))
    certify(folder / "good", folder / "foreign_ca", "-n", USER)
    certify(folder / "foreign", folder / "foreign_ca", "-n", USER, to=folder / "mismatched-cert.pub")
    (folder / "damaged-cert.pub").write_text("ssh-ed25519-cert-v01@openssh.com AAAA broken\n")
    (folder / "ca.pub").rename(folder / "ca_public")
    with ExitStack() as stack:
        server = OpenSshServer(folder / "server", f"TrustedUserCAKeys {folder / 'ca_public'}")
        own = ("good", "held", "rsa", "locked", "spaced key", f"{USER}-127.0.0.1-{USER}")
        server.authorize(*(folder / name for name in (*own, "expired", "mismatched", "damaged")))
        stack.enter_context(server)
        certified = OpenSshServer(folder / "certified_server", f"HostCertificate {folder}/certified_server/certificate")
        certified.authorize(folder / "good")
        host_certificate = folder / "certified_server" / "certificate"
        certify(certified.host_key, folder / "ca", "-h", "-n", "127.0.0.1", to=host_certificate)
        stack.enter_context(certified)
        gate = OpenSshServer(folder / "gate_server")
        gate.authorize(folder / "gate_key")
        stack.enter_context(gate)
        agents = {
            "agent": stack.enter_context(SshAgent(folder / "agent.sock", folder / "foreign", folder / "held")),
            "rsa": stack.enter_context(SshAgent(folder / "rsa.sock", folder / "rsa")),
            "certified": stack.enter_context(SshAgent(folder / "certified.sock", folder / "certified")),
            "certificate": stack.enter_context(SshAgent(folder / "certificate.sock", folder / "agent_certified")),
        }
        agents["agent"].add(folder / "locked", "open sesame")
        (folder / "held").unlink()
        (folder / "agent_certified").unlink()
        (folder / "agent_certified-cert.pub").rename(folder / "agent_certificate")
        _write_known_hosts(folder, server, certified, gate)
        (folder / "relay.py").write_text(RELAY)
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(folder / "dead-control"))
        site = Site(folder, server, certified, gate, agents)
        _write_includes(site)
        yield site


def _write_known_hosts(folder: Path, server: OpenSshServer, certified: OpenSshServer, gate: OpenSshServer) -> None:
    """The forms of known_hosts files, one file each."""
    key, other = public(server.host_key), public(folder / "foreign")
    authority, foreign = (folder / "ca_public").read_text(), public(folder / "foreign_ca")
    files = {
        "known_hosts": server.known_line + gate.known_line,
        "known hosts": server.known_line,
        f"known-{USER}-127.0.0.1-h": server.known_line,
        "known_all": server.known_line + certified.known_line + gate.known_line,
        "known_gate": gate.known_line,
        "gate_changed": f"[127.0.0.1]:{gate.port} {other}",
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
        "comments": f"# a comment\n\n  \t{server.known_line}",
        "broken": f"127.0.0.1 ssh-ed25519\nnonsense\n|1|x|y ssh-ed25519 AAAA\n{server.known_line}",
        "crlf": server.known_line.replace("\n", "\r\n"),
        "both": f"[127.0.0.1]:{server.port} {other}{server.known_line}",
        "key_only": key,
        "other_key_only": other,
    }
    for name, text in files.items():
        with (folder / name).open("w", newline="") as file:
            file.write(text)
    keygen("-H", "-f", folder / "hashed")


def _write_includes(site: Site) -> None:
    folder = site.folder / "conf.d"
    folder.mkdir()
    for name, text in {
        "10-key.conf": "IdentityFile {d}/good\nIdentitiesOnly yes\n",
        "20-other.conf": "Host other\nPort 1\n",
        "nested": "Include {d}/conf.d/10-*.conf\n",
        "hosts": "Host gone\nPort 1\nHost h\nIdentityFile {d}/good\n",
        "wrong": "NoSuchOption yes\n",
        "loop": "Include {d}/conf.d/loop\n",
    }.items():
        (folder / name).write_text(site.fill(text))


CLIENTS: Final[tuple[SshClient, ...]] = ("auto", "openssh")
"""``auto`` leaves to paramiko what it can do."""


def rows(cases: dict[str, Case]) -> pytest.MarkDecorator:
    """Each case with each client, as the parameters ``case`` and ``client``."""
    made = [pytest.param(case, client, id=f"{name}-{client}") for name, case in cases.items() for client in CLIENTS]
    return pytest.mark.parametrize(("case", "client"), made)


def ssh_problem(config: Path, host: str = "h") -> str:
    """Standard error of ``ssh HOST true``; "" if it logs in."""
    done = subprocess.run(
        ["ssh", "-F", str(config), host, "true"], capture_output=True, timeout=30, check=False, stdin=subprocess.DEVNULL
    )
    return done.stderr.decode() or f"exit status {done.returncode}" if done.returncode else ""


def login_error(
    config: Path | str, host: str = "h", prompts: Prompts | None = None, client: SshClient = "paramiko"
) -> RancherctlError | None:
    """None if our login works."""
    with Connections(prompts or Prompts()) as connections:
        try:
            connections.address(SshAddress(host, config=str(config), client=client), "h1").run(command("true"))
        except RancherctlError as error:
            return error
    return None


def assert_agreement(site: Site, case: Case, client: SshClient) -> None:
    """ssh and our login give the same answer, which is the one of the row; ``auto`` chooses OpenSSH where needed."""
    config = site.config(case.lines, case.host)
    if client == "auto":
        # what ssh itself says does not depend on our client
        problem = ssh_problem(config, case.host)
        assert (problem == "") is case.works, problem
    notes: list[str] = []
    error = login_error(config, case.host, Prompts(note=notes.append), client)
    assert (error is None) is case.works, error
    if client == "auto":
        assert not case.works or not [note for note in notes if "continuing with OpenSSH" in note], notes
        chosen = [note.partition("ssh client ")[2].partition(" ")[0] for note in notes if "ssh client " in note]
        # none is chosen if the configuration is invalid
        assert chosen in ([], ["OpenSSH" if case.openssh else "paramiko"]), notes
