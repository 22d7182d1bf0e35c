"""paramiko or OpenSSH, with real servers: what each configuration and each server ends up with.

Issue 8, section S: ``auto`` reaches what ``ssh HOST`` reaches, and the errors name the client and the remedy.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from socket import create_connection

import pytest

from rancherctl.cli import app
from rancherctl.credentials.renewal import plain_session
from rancherctl.environments.openssh_tunnel import OpenSshTunnel
from rancherctl.environments.sign_in import PROGRAM, renewal_argv
from rancherctl.errors import AuthError, RancherctlError, UnreachableError, UsageError
from rancherctl.hosts.command import Secret, command, script
from rancherctl.hosts.connections import Connections
from rancherctl.hosts.model import Host, SshAddress, SshClient
from rancherctl.hosts.openssh.mux import answers
from rancherctl.hosts.prompts import Prompts
from rancherctl.hosts.transport import RemoteTransport
from tests.fakes.openssh import SSHD, USER, OpenSshServer, make_key
from tests.fakes.ssh_server import SshServer

pytestmark = pytest.mark.skipif(not SSHD, reason="OpenSSH's server is not installed")


@dataclass
class Site:
    """One ssh configuration whose host ``h`` is a server of the test; what a run prints about it."""

    folder: Path
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    answers: dict[str, str] | None = None
    """Answers to the questions of a login; None: without a terminal."""

    def config(self, port: int, known: str, lines: str = "") -> Path:
        path, hosts = self.folder / "config", self.folder / "known_hosts"
        hosts.write_text(known)
        path.write_text(
            f"Host h\n{lines}\nHostName 127.0.0.1\nPort {port}\nUser {USER}\nUserKnownHostsFile {hosts}\n"
            f"GlobalKnownHostsFile none\nIdentityFile {self.folder / 'key'}\nIdentitiesOnly yes\nIdentityAgent none\n"
        )
        return path

    def prompts(self) -> Prompts:
        def answer(question: str) -> Secret | None:
            self.questions.append(question)
            # OpenSSH writes the login before the question
            return Secret((self.answers or {})[question.rpartition(") ")[2].strip()])

        ask = answer if self.answers is not None else None
        return Prompts(warn=self.warnings.append, note=self.notes.append, password=ask, answer=ask)

    def connections(self) -> Connections:
        return Connections(self.prompts())

    def login(self, config: Path, client: SshClient = "auto") -> str:
        """What a command prints on the host."""
        with self.connections() as connections:
            return self.transport(connections, config, client).run(command("echo", "in")).text().strip()

    def transport(self, connections: Connections, config: Path, client: SshClient = "auto") -> RemoteTransport:
        return connections.address(SshAddress("h", config=str(config), client=client), "h1")

    def failure(self, config: Path, client: SshClient = "auto") -> RancherctlError:
        with pytest.raises(RancherctlError) as caught:
            self.login(config, client)
        return caught.value


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    make_key(tmp_path / "key")
    return Site(tmp_path)


@pytest.fixture
def fake(site: Site) -> Iterator[SshServer]:
    with SshServer(site.folder / "server") as server:
        server.client_key = site.folder.joinpath("key.pub").read_text().split()[1]
        yield server


def known(server: SshServer) -> str:
    key = server.host_key
    return f"[127.0.0.1]:{server.address[1]} {key.get_name()} {key.get_base64()}\n"


def sshd(site: Site, options: str = "") -> OpenSshServer:
    server = OpenSshServer(site.folder / "sshd", options)
    server.authorize(site.folder / "key")
    return server


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ("Ciphers chacha20-poly1305@openssh.com", "cipher"),
        ("KexAlgorithms sntrup761x25519-sha512@openssh.com", "key exchange"),
        ("Ciphers aes256-ctr\nMACs umac-128@openssh.com", "MAC"),
    ],
)
def test_a_server_with_other_algorithms_is_reached_in_auto_and_refused_with_the_remedy_by_paramiko(
    site: Site, options: str, what: str
) -> None:
    with sshd(site, options) as server:
        config = site.config(server.port, server.known_line)
        assert site.login(config) == "in"
        first, second = site.notes
        assert first == "h1: ssh client paramiko (the ssh configuration does not need OpenSSH)"
        assert second.startswith(f"h1: no {what} in common with the ssh server: the server offers ")
        assert second.endswith("; continuing with OpenSSH")
        assert site.login(config, "openssh") == "in"
        error = site.failure(config, "paramiko")
    assert isinstance(error, UnreachableError)
    assert error.what == f"h1: no {what} in common with the ssh server"
    assert error.why.endswith("(ssh client: paramiko)")
    assert "let OpenSSH connect: --ssh-client openssh" in error.hint


def test_without_openssh_an_uncommon_server_is_an_error_that_says_what_to_install(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sshd(site, "Ciphers chacha20-poly1305@openssh.com") as server:
        config = site.config(server.port, server.known_line)
        monkeypatch.setenv("PATH", str(site.folder))
        error = site.failure(config)
    assert "no cipher in common" in error.what
    assert "install OpenSSH's client on this machine (package openssh-client" in error.hint


def test_without_openssh_a_plain_configuration_works_and_one_that_needs_it_is_refused_at_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sshd(site) as server:
        plain = site.config(server.port, server.known_line)
        monkeypatch.setenv("PATH", str(site.folder))
        assert site.login(plain) == "in"
        error = site.failure(site.config(server.port, server.known_line, "RevokedHostKeys /etc/ssh/revoked"))
    assert isinstance(error, UsageError)
    assert (
        error.what == "h1: the ssh configuration needs RevokedHostKeys /etc/ssh/revoked, but OpenSSH is not installed"
    )
    assert "openssh-client" in error.hint
    assert isinstance(site.failure(plain, "openssh"), UsageError)


def test_a_configuration_that_needs_openssh_gets_it_and_paramiko_warns_if_it_is_requested(site: Site) -> None:
    """The option has its effect: a key that the file revokes is refused by the client that reads the file."""
    with sshd(site) as server:
        revoked = site.folder / "revoked"
        revoked.write_text(server.host_key.with_name("host_key.pub").read_text())
        config = site.config(server.port, server.known_line, f"RevokedHostKeys {revoked}")
        error = site.failure(config)
        assert isinstance(error, AuthError)
        assert error.why.endswith("(ssh client: OpenSSH)")
        assert site.notes == [f"h1: ssh client OpenSSH (the ssh configuration needs RevokedHostKeys {revoked})"]
        assert site.login(config, "paramiko") == "in"
    assert site.warnings == [
        f"warning: the ssh configuration needs RevokedHostKeys {revoked}, which paramiko does not support"
    ]


def test_questions_of_a_login_are_answered_through_openssh(site: Site, fake: SshServer) -> None:
    fake.methods, fake.questions = "keyboard-interactive", {"Password: ": "secret", "Code: ": "123456"}
    site.answers = {f"{USER}@h1": "secret", "Code:": "123456"}
    assert site.login(site.config(fake.address[1], known(fake))) == "in"
    assert [question.strip() for question in site.questions] == [
        f"{USER}@h1",
        f"({USER}@127.0.0.1) Code:",
    ]
    assert "the server offers keyboard-interactive" in site.notes[-1]
    assert site.notes[-1].endswith("; continuing with OpenSSH")


def test_a_code_after_the_key_is_asked_for_through_openssh(site: Site, fake: SshServer) -> None:
    fake.after_key, fake.questions = "keyboard-interactive", {"Code: ": "123456"}
    site.answers = {"Code:": "123456"}
    assert site.login(site.config(fake.address[1], known(fake))) == "in"
    assert "the server accepts the key, and then asks for keyboard-interactive" in site.notes[-1]


def test_questions_without_a_terminal_are_an_error_that_says_what_the_server_offers(
    site: Site, fake: SshServer
) -> None:
    fake.methods = "keyboard-interactive"
    error = site.failure(site.config(fake.address[1], known(fake)))
    assert isinstance(error, AuthError)
    assert error.what == f"h1: login as {USER} requires interactive answers"
    assert "the server offers keyboard-interactive" in error.why
    assert "run the command on a terminal" in error.hint
    assert fake.connections == 1


def test_paramiko_answers_a_single_question_as_a_password(site: Site, fake: SshServer) -> None:
    fake.methods, fake.questions = "keyboard-interactive", {"Password: ": "secret"}
    site.answers = {f"{USER}@h1": "secret"}
    assert site.login(site.config(fake.address[1], known(fake)), "paramiko") == "in"


def test_a_server_that_wants_kerberos_is_handed_to_openssh_whose_error_is_shown(site: Site, fake: SshServer) -> None:
    fake.methods = "gssapi-with-mic"
    error = site.failure(site.config(fake.address[1], known(fake)))
    assert isinstance(error, AuthError)
    assert error.why.endswith("(ssh client: OpenSSH)")
    assert site.notes[-1].endswith("; continuing with OpenSSH")


def test_a_refused_key_is_not_tried_again_with_the_other_client(site: Site, fake: SshServer) -> None:
    """Servers count refused keys: fail2ban would lock the operator out."""
    fake.client_key, fake.methods = "another", "publickey,keyboard-interactive,gssapi-with-mic"
    error = site.failure(site.config(fake.address[1], known(fake)))
    assert isinstance(error, AuthError)
    assert f"tried {site.folder / 'key'}" in error.what
    assert error.why.endswith("(ssh client: paramiko)")
    assert fake.connections == 1
    assert len(site.notes) == 1


def test_a_server_that_lets_everybody_in_needs_no_key(site: Site, fake: SshServer) -> None:
    """Tailscale's server, for example, knows who connects."""
    fake.methods = ""
    (site.folder / "key").unlink()
    assert site.login(site.config(fake.address[1], known(fake)), "paramiko") == "in"


@pytest.mark.parametrize("client", ["paramiko", "openssh"])
def test_the_source_address_of_the_configuration_is_used(site: Site, client: SshClient) -> None:
    with sshd(site) as server:
        config = site.config(server.port, server.known_line, "BindAddress 127.0.0.5\nAddressFamily inet")
        with site.connections() as connections:
            host = site.transport(connections, config, client)
            assert host.run(script('echo "$SSH_CONNECTION"', root=False)).text().split()[0] == "127.0.0.5"


@pytest.mark.parametrize("client", ["paramiko", "openssh"])
def test_an_address_family_without_the_host_is_an_error(site: Site, client: SshClient) -> None:
    with sshd(site) as server:
        error = site.failure(site.config(server.port, server.known_line, "AddressFamily inet6"), client)
    assert isinstance(error, UnreachableError)
    assert "cannot connect to 127.0.0.1" in error.what


@pytest.fixture
def opened(site: Site) -> Iterator[tuple[OpenSshServer, Path, Path]]:
    """A server, a configuration, and the socket of a master that the user opened before the key was removed."""
    control = site.folder / "c m %%"
    with sshd(site) as server:
        config = site.config(server.port, server.known_line, f'ControlPath "{control}"')
        socket = site.folder / "c m %"
        argv = ["ssh", "-F", str(config), "-M", "-N", "h"]
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL) as master:
            try:
                end = time.monotonic() + 20
                while not answers(str(socket)):
                    assert time.monotonic() < end
                    assert master.poll() is None
                    time.sleep(0.02)
                server.authorized.write_text("")
                yield server, config, socket
            finally:
                master.terminate()


def test_a_master_that_the_user_opened_is_used_and_left_open(
    site: Site, opened: tuple[OpenSshServer, Path, Path]
) -> None:
    """``ssh HOST`` works there without a login, after a second factor for example."""
    server, config, socket = opened
    assert "refused" in site.failure(config, "paramiko").what
    assert site.login(config) == "in"
    assert site.notes[-1] == f"h1: ssh client OpenSSH (the ssh configuration needs the open master connection {socket})"
    assert answers(str(socket))
    with site.connections() as connections:
        stream = site.transport(connections, config).open_tcp("127.0.0.1", server.port)
        assert stream.recv(4) == b"SSH-"
        stream.close()
    assert answers(str(socket))


def test_tunnel_and_renewal_lead_through_the_users_master(site: Site, opened: tuple[OpenSshServer, Path, Path]) -> None:
    """A login of their own would be refused here; they run when no one can answer a question."""
    server, config, socket = opened
    host = Host("h1", "127.0.0.1", frozenset({"controlplane"}), SshAddress("h", config=str(config)))
    argv = renewal_argv(host, "ann", "laptop")
    login = argv[: argv.index(PROGRAM)]
    done = subprocess.run(
        [*plain_session(login), "echo", "in"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "in\n", done.stderr
    with OpenSshTunnel(login, f"127.0.0.1:{server.port}").open() as port:
        for _ in range(2):
            with create_connection(("127.0.0.1", port), 20) as connection:
                assert connection.recv(4) == b"SSH-"
    assert answers(str(socket))


def test_a_command_on_the_users_master_ends_with_the_run_and_the_master_does_not(
    site: Site, opened: tuple[OpenSshServer, Path, Path]
) -> None:
    _, config, socket = opened
    connections = site.connections()
    transport = site.transport(connections, config)
    transport.run(command("true"))
    failures: list[RancherctlError] = []

    def wait() -> None:
        try:
            transport.run(script(f"touch {site.folder}/begun; exec sleep 300", root=False))
        except RancherctlError as error:
            failures.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    end = time.monotonic() + 20
    while not (site.folder / "begun").exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    connections.close()
    thread.join(20)
    assert not thread.is_alive()
    assert "connection lost" in failures[0].what
    assert answers(str(socket))


def test_a_jump_host_whose_master_is_open_leads_to_the_host(
    site: Site, opened: tuple[OpenSshServer, Path, Path]
) -> None:
    _, config, socket = opened
    second = Site(site.folder / "second")
    second.folder.mkdir()
    make_key(second.folder / "key")
    with sshd(second) as server:
        hosts = second.folder / "known"
        hosts.write_text(server.known_line)
        with config.open("a") as file:
            file.write(
                f"Host behind\nHostName 127.0.0.1\nPort {server.port}\nUser {USER}\nProxyJump h\n"
                f"UserKnownHostsFile {hosts}\nIdentityFile {second.folder / 'key'}\nIdentitiesOnly yes\n"
            )
        with site.connections() as connections:
            host = connections.address(SshAddress("behind", config=str(config)), "h2")
            assert host.run(command("echo", "in")).text().strip() == "in"
    assert site.notes[-1].startswith("h2: ssh client OpenSSH (the ssh configuration needs the open master connection ")
    assert site.notes[-1].endswith("of the jump host h)")
    assert answers(str(socket))


def test_a_socket_that_no_master_answers_is_ignored(site: Site, tmp_path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "stale"))
    with sshd(site) as server:
        assert site.login(site.config(server.port, server.known_line, f"ControlPath {tmp_path}/stale")) == "in"
    assert site.notes == ["h1: ssh client paramiko (the ssh configuration does not need OpenSSH)"]


@pytest.mark.parametrize(
    ("words", "shown"), [((), False), (("-v",), True), (("--verbose",), True), (("--debug",), True)]
)
def test_verbose_prints_the_client_of_a_host_and_the_log_always_has_it(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], shown: bool
) -> None:
    for kind in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(site.folder / kind))
    monkeypatch.setattr("rancherctl.cli.context.state.log", None)
    line = "h: ssh client OpenSSH (requested)"
    with sshd(site) as server:
        config = site.config(server.port, server.known_line)
        # exit code 3: the login worked, and the host belongs to no environment
        assert app.main(["env", "fetch", "h", "--ssh-config", str(config), "--ssh-client", "openssh", *words]) == 3
    assert capsys.readouterr().err.count(line) == int(shown)
    (log,) = (site.folder / "STATE" / "rancherctl" / "log").glob("*.log")
    assert log.read_text().count(line) == 1


def test_a_tunnel_without_openssh_is_an_error_that_says_what_to_install(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(site.folder))
    tunnel = OpenSshTunnel(("ssh", "h"), "127.0.0.1:6443")
    with pytest.raises(UnreachableError, match="OpenSSH is not installed") as caught, tunnel.open():
        pass
    assert "openssh-client" in caught.value.hint
