"""Failures of ssh in practice: keys, noise, dropped and lost connections, sudo (R19)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import paramiko
import pytest

from rancherctl.errors import AuthError, UnreachableError
from rancherctl.hosts.command import Secret, command, script
from rancherctl.hosts.known_hosts import fingerprint
from rancherctl.hosts.prompts import HostKeyQuestion, Prompts
from rancherctl.hosts.ssh.transport import SshTransport
from rancherctl.hosts.ssh_settings import SshSettings
from tests.fakes.ssh_client import connect, settings, trust
from tests.fakes.ssh_server import SshServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    with SshServer(tmp_path / "server") as server:
        yield server


def refused(client: SshTransport) -> AuthError:
    with pytest.raises(AuthError) as caught:
        client.run(command("true"))
    client.close()
    return caught.value


def test_a_changed_host_key_is_refused_with_file_and_line(server: SshServer, tmp_path: Path) -> None:
    other = paramiko.ECDSAKey.generate()
    host, port = server.address
    known = tmp_path / "known_hosts"
    known.write_text(
        f"# a comment\nelsewhere {other.get_name()} {other.get_base64()}\n"
        f"[{host}]:{port} {other.get_name()} {other.get_base64()}\n"
    )
    asked: list[HostKeyQuestion] = []
    error = refused(connect(server, tmp_path, host_key=lambda question: asked.append(question) or True))
    assert "the host key has changed" in error.what
    assert f"{known}:3 has another key" in error.why
    assert f"ssh-keygen -R '[{host}]:{port}' -f {known}" in error.hint
    assert error.exit_code == 4
    assert asked == []
    assert server.lines == []


def test_unknown_host_key_is_refused_with_the_command_to_add_it(server: SshServer, tmp_path: Path) -> None:
    host, port = server.address
    (tmp_path / "known_hosts").write_text("")
    error = refused(connect(server, tmp_path))
    assert "the host key is unknown" in error.what
    assert f"ssh-keyscan -p {port} {host} >> {tmp_path / 'known_hosts'}" in error.hint
    assert fingerprint(server.host_key.get_base64()) in error.why


def test_an_unknown_host_key_is_stored_if_the_user_trusts_it(server: SshServer, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    known.write_text("elsewhere ssh-ed25519 AAAA")
    asked: list[HostKeyQuestion] = []
    client = connect(server, tmp_path, host_key=lambda question: asked.append(question) or True)
    client.run(command("true"))
    client.close()
    assert asked[0].fingerprint == fingerprint(server.host_key.get_base64())
    assert known.read_text().splitlines()[0] == "elsewhere ssh-ed25519 AAAA"
    connect_again = connect(server, tmp_path)
    connect_again.run(command("true"))
    connect_again.close()
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "does not exist"),
        ("no key at all", "is not a supported private key"),
        ("", "is not a supported private key"),
    ],
)
def test_the_error_names_a_key_file_that_could_not_be_tried(
    server: SshServer, tmp_path: Path, text: str | None, reason: str
) -> None:
    """The path in the file may be wrong."""
    trust(server, tmp_path / "known_hosts")
    key = tmp_path / "mistyped"
    if text is not None:
        key.write_text(text)
    client = SshTransport(replace(settings(server, tmp_path), identities=(str(key),)), name="h1")
    assert f"{key} {reason}" in refused(client).why


def test_a_revoked_host_key_is_refused(server: SshServer, tmp_path: Path) -> None:
    trust(server, tmp_path / "known_hosts")
    text = (tmp_path / "known_hosts").read_text()
    (tmp_path / "known_hosts").write_text(f"{text}@revoked * {text.split(' ', 1)[1]}")
    assert "revoked" in refused(connect(server, tmp_path)).what


def test_a_host_key_of_a_known_algorithm_is_preferred(tmp_path: Path) -> None:
    rsa = paramiko.RSAKey.generate(2048)
    with SshServer(tmp_path / "server", host_key=rsa) as server:
        client = connect(server, tmp_path)
        assert client.run(command("true")).ok
        client.close()


def test_a_refused_login_lists_the_keys_tried(server: SshServer, tmp_path: Path) -> None:
    server.client_key = "another"
    error = refused(connect(server, tmp_path))
    assert f"login as root refused (tried {tmp_path / 'id_ecdsa'})" in error.what


def test_the_password_is_asked_for_if_no_key_is_accepted(server: SshServer, tmp_path: Path) -> None:
    server.client_key, server.password = "another", "pw"
    client = connect(server, tmp_path, password=lambda login: Secret("pw"))
    assert client.run(command("true")).ok
    client.close()
    assert "tried" in refused(connect(server, tmp_path, password=lambda login: Secret("no"))).what


def test_an_encrypted_key_asks_for_its_passphrase(server: SshServer, tmp_path: Path) -> None:
    key_file = tmp_path / "id_ecdsa"
    key = paramiko.ECDSAKey.generate()
    key.write_private_key_file(str(key_file), password="open sesame")
    server.client_key = key.get_base64()
    client = connect(server, tmp_path, passphrase=lambda path: Secret("open sesame"))
    assert client.run(command("true")).ok
    client.close()
    wrong = iter(["wrong"])
    assert "cannot decrypt" in refused(connect(server, tmp_path, passphrase=lambda path: Secret(next(wrong)))).what


def test_dropped_connections_are_retried(server: SshServer, tmp_path: Path) -> None:
    server.drop = 3
    client = connect(server, tmp_path)
    assert client.run(command("true")).ok
    client.close()
    assert server.connections == 4


def test_a_server_that_keeps_dropping_connections_is_unreachable(server: SshServer, tmp_path: Path) -> None:
    server.drop = 100
    client = connect(server, tmp_path)
    with pytest.raises(UnreachableError, match="dropped 6 connections before the login"):
        client.run(command("true"))
    client.close()


def test_banners_and_shell_greetings_do_not_disturb_an_upload(server: SshServer, tmp_path: Path) -> None:
    server.noise = b"Welcome!\r\nAuthorized use only.\r\n"
    server.greeting = "echo 'You have mail.'; "
    client = connect(server, tmp_path)
    source = tmp_path / "source"
    source.write_bytes(b"content")
    try:
        client.upload(source, str(tmp_path / "target"))
    finally:
        client.close()
    assert (tmp_path / "target").read_bytes() == b"content"


def test_a_closed_port_is_unreachable(server: SshServer, tmp_path: Path) -> None:
    made = settings(server, tmp_path)
    client = SshTransport(SshSettings(made.host, 1, "root", known_hosts=made.known_hosts), name="h1")
    with pytest.raises(UnreachableError, match=r"h1: cannot connect to 127.0.0.1:1"):
        client.run(command("true"))
    client.close()


def test_a_connection_lost_during_a_command_is_unreachable_and_the_next_command_reconnects(
    server: SshServer, tmp_path: Path
) -> None:
    client = connect(server, tmp_path)
    client.run(command("true"))
    started = threading.Event()
    caught: list[BaseException] = []

    def wait() -> None:
        started.set()
        try:
            client.run(script("echo started; exec sleep 60"))
        except UnreachableError as error:
            caught.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    while len(server.lines) < 2:
        started.wait(0.01)
    server.cut()
    thread.join(60)
    assert "connection lost during" in str(caught[0])
    assert client.run(command("true")).ok
    client.close()


def test_a_closed_transport_does_not_reconnect(server: SshServer, tmp_path: Path) -> None:
    client = connect(server, tmp_path)
    client.close()
    client.close()
    with pytest.raises(UnreachableError, match="is closed"):
        client.run(command("true"))


@pytest.mark.parametrize("name", ["known_hosts"])
def test_an_unreadable_known_hosts_file_does_not_count_as_empty(server: SshServer, tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    asked: list[Any] = []
    made = Prompts(host_key=lambda question: asked.append(question) or True)
    client = SshTransport(settings(server, tmp_path), name="h1", prompts=made)
    assert "cannot read" in refused(client).what
    assert asked == []
