"""The same ssh configuration serves ``env fetch``, commands with root rights, tunnels to the API and token renewals."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rancherctl.cli import app
from rancherctl.credentials.registry import Access, Registry
from rancherctl.credentials.renewal import Renewal
from rancherctl.credentials.store import SecretStore
from rancherctl.environments import sign_in
from rancherctl.environments.openssh_tunnel import OpenSshTunnel
from rancherctl.hosts.connections import Connections
from rancherctl.hosts.forward import PortForward
from rancherctl.hosts.model import Host, SshAddress
from rancherctl.hosts.remote_call import call
from tests.fakes.openssh import Account, OpenSshServer
from tests.fakes.ssh_site import Site, login_error, ssh_problem

KEY = "IdentityFile {d}/good\n"
AGENT = "IdentityAgent {d}/agent.sock\n"
GATE = "\nHost gate\nPort {gate}\nIdentityFile {d}/gate_key\nIdentitiesOnly yes"
SECOND = "\nHost second\nPort {certified}\nIdentityFile {d}/good\nUserKnownHostsFile {d}/known_all"
CONFIGURATIONS = {
    "a key file": "IdentityFile {d}/good\nIdentitiesOnly yes",
    "IdentityAgent": "IdentityAgent {d}/agent.sock\nIdentityFile none",
    "IdentitiesOnly, key only in the agent": AGENT + "IdentitiesOnly yes\nIdentityFile {d}/held.pub",
    "a locked key that the agent holds": AGENT + "IdentitiesOnly yes\nIdentityFile {d}/locked",
    "a certificate": "IdentityFile {d}/certified\nCertificateFile {d}/certified.certificate\nIdentitiesOnly yes",
    "a jump of two steps": KEY + "UserKnownHostsFile {d}/known_all\nProxyJump gate,second" + GATE + SECOND,
    "ProxyCommand": KEY + "ProxyCommand '{python}' \"$RELAY\" %h %p",
    "RemoteCommand": KEY + "RemoteCommand tmux attach\nRequestTTY force",
    "HostKeyAlias": KEY + "UserKnownHostsFile {d}/alias\nHostKeyAlias Alias",
    "Vagrant": KEY + "IdentitiesOnly yes\nUserKnownHostsFile /dev/null\nStrictHostKeyChecking no\n"
    "PasswordAuthentication no\nLogLevel FATAL\nForwardAgent yes",
    "accept-new without a store": KEY + "UserKnownHostsFile /dev/null\nStrictHostKeyChecking accept-new",
    "known_hosts with a space": KEY + 'UserKnownHostsFile "{d}/known hosts"',
    "ControlMaster auto, no master": KEY + "ControlMaster auto\nControlPath {d}/%n\nControlPersist no",
    "KnownHostsCommand": KEY + "UserKnownHostsFile none\nKnownHostsCommand /bin/cat {d}/known_hosts",
    "a name with Match and Include": "Match originalhost h exec true\nInclude {d}/conf.d/*.conf",
}
PROGRAM = """#!/bin/sh
echo Welcome
echo '{"token": {"status": {"token": "issued", "expirationTimestamp": "2999-01-01T00:00:00Z"}}}'
"""


def greeting(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        return connection.recv(4)


def assert_fetch_logs_in(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """This machine is not a host of an environment, which can be known only after a login."""
    capsys.readouterr()
    code = app.main(["env", "fetch", "h", "--ssh-config", str(config)])
    printed = capsys.readouterr().err
    assert (code, "belongs to no environment" in printed) == (3, True), printed


def assert_all_ways(site: Site, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = SshAddress("h", config=str(config))
    with Connections() as connections:
        transport = connections.address(address, "h1")
        assert call(transport, {"op": "observe", "paths": {"/etc/passwd": {}}})["paths"]["/etc/passwd"]
        transport.upload(config, str(tmp_path / "uploaded"))
        assert (tmp_path / "uploaded").read_bytes() == config.read_bytes()
        with PortForward(transport, "127.0.0.1", site.server.port) as forward:
            assert greeting(forward.port) == b"SSH-"
    program = tmp_path / "operator-token"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    monkeypatch.setattr(sign_in, "PROGRAM", str(program))
    issue = sign_in.renewal_argv(Host("h1", "127.0.0.1", frozenset({"controlplane"}), address), "ann", "laptop")
    with OpenSshTunnel(issue[: issue.index(str(program))], f"127.0.0.1:{site.server.port}").open() as port:
        assert greeting(port) == b"SSH-"
    registry = Registry(tmp_path / "registry")
    registry.save(Access("demo", "https://127.0.0.1:1", "", "ann", "laptop", issue=(issue,)))
    store = SecretStore(tmp_path / "secrets", None, pytest.fail)
    assert '"token": "issued"' in Renewal(registry, store, tmp_path / "tokens").document("demo")


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_one_configuration_serves_every_layer(
    ssh_site: Site, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    # a session for a person is not what is compared
    plain = ssh_site.config(CONFIGURATIONS[name].replace("RemoteCommand tmux attach", "RemoteCommand none"))
    assert ssh_problem(plain) == ""
    config = ssh_site.config(CONFIGURATIONS[name])
    assert_fetch_logs_in(config, capsys)
    assert_all_ways(ssh_site, config, tmp_path, monkeypatch)


@pytest.mark.skipif(os.geteuid() != 0, reason="accounts of its own need root")
@pytest.mark.parametrize("login", ["ops@corp.example", "CORP\\ops", "ops+admin"])
def test_a_login_name_with_a_domain_serves_every_layer(
    ssh_site: Site, login: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with OpenSshServer(tmp_path / "server", accounts=[Account(login, "/bin/sh")]) as server:
        server.authorize(ssh_site.folder / "good")
        (tmp_path / "known").write_text(server.known_line)
        config = ssh_site.config(
            f"IdentityFile {{d}}/good\nPort {server.port}\nUser {login}\nUserKnownHostsFile {tmp_path}/known"
        )
        assert ssh_problem(config) == ""
        assert_fetch_logs_in(config, capsys)
        assert_all_ways(ssh_site, config, tmp_path, monkeypatch)


@contextmanager
def master(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The user's own ssh with a ControlMaster, as in another terminal."""
    argv = ["ssh", "-F", str(config), "-M", "-o", "PermitLocalCommand=yes", "-o", "LocalCommand=echo ready", "-N", "h"]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.terminate()


@pytest.mark.parametrize("mode", ["auto", "no", "autoask"])
def test_an_open_master_connection_serves_every_layer_and_stays_open(
    ssh_site: Site, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was made with a key that is not there any more, as with a second factor."""
    control = f"ControlPath {ssh_site.folder}/%n-{mode}"
    with master(ssh_site.config(f"IdentityFile {{d}}/good\n{control}")) as process:
        config = ssh_site.config(f"IdentityFile none\nIdentityAgent none\nControlMaster {mode}\n{control}")
        assert ssh_problem(config) == ""
        assert_fetch_logs_in(config, capsys)
        assert_all_ways(ssh_site, config, tmp_path, monkeypatch)
        assert process.poll() is None
    assert ssh_problem(config)
    assert login_error(config, client="auto") is not None
