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
from rancherctl.hosts.prompts import HostKeyQuestion
from rancherctl.hosts.transport import RemoteTransport
from tests.fakes.ssh_client import connect, settings, transport, trust
from tests.fakes.ssh_server import SshServer


@pytest.fixture(params=["paramiko", "openssh"])
def client(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    with SshServer(tmp_path / "server") as server:
        yield server


def refused(client: RemoteTransport) -> AuthError:
    with pytest.raises(AuthError) as caught:
        client.run(command("true"))
    client.close()
    return caught.value


def test_a_changed_host_key_is_refused_with_file_and_line(server: SshServer, tmp_path: Path, client: str) -> None:
    other = paramiko.ECDSAKey.generate()
    host, port = server.address
    known = tmp_path / "known_hosts"
    known.write_text(
        f"# a comment\nelsewhere {other.get_name()} {other.get_base64()}\n"
        f"[{host}]:{port} {other.get_name()} {other.get_base64()}\n"
    )
    asked: list[HostKeyQuestion] = []
    error = refused(connect(server, tmp_path, client=client, host_key=lambda question: asked.append(question) or True))
    assert "the host key has changed" in error.what
    assert f"{known}:3 has another key" in error.why
    assert f"ssh-keygen -R '[{host}]:{port}' -f {known}" in error.hint
    assert error.exit_code == 4
    assert asked == []
    assert server.lines == []


def test_unknown_host_key_is_refused_with_the_command_to_add_it(server: SshServer, tmp_path: Path, client: str) -> None:
    host, port = server.address
    (tmp_path / "known_hosts").write_text("")
    error = refused(connect(server, tmp_path, client=client))
    assert "the host key is unknown" in error.what
    assert f"ssh-keyscan -p {port} {host} >> {tmp_path / 'known_hosts'}" in error.hint
    assert fingerprint(server.host_key.get_base64()) in error.why


def test_an_unknown_host_key_is_stored_if_the_user_trusts_it(server: SshServer, tmp_path: Path, client: str) -> None:
    known = tmp_path / "known_hosts"
    known.write_text("elsewhere ssh-ed25519 AAAA")
    asked: list[HostKeyQuestion] = []
    made = connect(server, tmp_path, client=client, host_key=lambda question: asked.append(question) or True)
    made.run(command("true"))
    made.close()
    assert asked[0].fingerprint == fingerprint(server.host_key.get_base64())
    assert known.read_text().splitlines()[0] == "elsewhere ssh-ed25519 AAAA"
    connect_again = connect(server, tmp_path, client=client)
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
    server: SshServer, tmp_path: Path, text: str | None, reason: str, client: str
) -> None:
    """The path in the file may be wrong."""
    trust(server, tmp_path / "known_hosts")
    key = tmp_path / "mistyped"
    if text is not None:
        key.write_text(text)
        key.chmod(0o600)
    made = transport(client, replace(settings(server, tmp_path), identities=(str(key),)), tmp_path)
    assert f"{key} {reason}" in refused(made).why


def test_a_revoked_host_key_is_refused(server: SshServer, tmp_path: Path, client: str) -> None:
    trust(server, tmp_path / "known_hosts")
    text = (tmp_path / "known_hosts").read_text()
    (tmp_path / "known_hosts").write_text(f"{text}@revoked * {text.split(' ', 1)[1]}")
    assert "revoked" in refused(connect(server, tmp_path, client=client)).what


def test_a_host_key_of_a_known_algorithm_is_preferred(tmp_path: Path, client: str) -> None:
    rsa = paramiko.RSAKey.generate(2048)
    with SshServer(tmp_path / "server", host_key=rsa) as server:
        made = connect(server, tmp_path, client=client)
        assert made.run(command("true")).ok
        made.close()


def test_a_refused_login_lists_the_keys_tried(server: SshServer, tmp_path: Path, client: str) -> None:
    server.client_key = "another"
    error = refused(connect(server, tmp_path, client=client))
    assert f"login as root refused (tried {tmp_path / 'id_ecdsa'})" in error.what


def test_the_password_is_asked_for_if_no_key_is_accepted(server: SshServer, tmp_path: Path, client: str) -> None:
    server.client_key, server.password = "another", "pw"
    made = connect(server, tmp_path, client=client, password=lambda login: Secret("pw"))
    assert made.run(command("true")).ok
    made.close()
    assert "tried" in refused(connect(server, tmp_path, client=client, password=lambda login: Secret("no"))).what


def test_an_encrypted_key_asks_for_its_passphrase(server: SshServer, tmp_path: Path, client: str) -> None:
    key_file = tmp_path / "id_ecdsa"
    key = paramiko.ECDSAKey.generate()
    key.write_private_key_file(str(key_file), password="open sesame")
    server.client_key = key.get_base64()
    made = connect(server, tmp_path, client=client, passphrase=lambda path: Secret("open sesame"))
    assert made.run(command("true")).ok
    made.close()
    wrong = iter(["wrong"])
    assert (
        "cannot decrypt"
        in refused(connect(server, tmp_path, client=client, passphrase=lambda path: Secret(next(wrong)))).what
    )


def test_dropped_connections_are_retried(server: SshServer, tmp_path: Path, client: str) -> None:
    server.drop = 3
    made = connect(server, tmp_path, client=client)
    assert made.run(command("true")).ok
    made.close()
    assert server.connections == 4


def test_a_server_that_keeps_dropping_connections_is_unreachable(
    server: SshServer, tmp_path: Path, client: str
) -> None:
    server.drop = 100
    made = connect(server, tmp_path, client=client)
    with pytest.raises(UnreachableError, match="dropped 6 connections before the login"):
        made.run(command("true"))
    made.close()


def test_banners_and_shell_greetings_do_not_disturb_an_upload(server: SshServer, tmp_path: Path, client: str) -> None:
    server.noise = b"Welcome!\r\nAuthorized use only.\r\n"
    server.greeting = "echo 'You have mail.'; "
    made = connect(server, tmp_path, client=client)
    source = tmp_path / "source"
    source.write_bytes(b"content")
    try:
        made.upload(source, str(tmp_path / "target"))
    finally:
        made.close()
    assert (tmp_path / "target").read_bytes() == b"content"


def test_a_closed_port_is_unreachable(server: SshServer, tmp_path: Path, client: str) -> None:
    made = transport(client, replace(settings(server, tmp_path), port=1), tmp_path)
    with pytest.raises(UnreachableError, match=r"h1: cannot connect to 127.0.0.1:1: Connection refused"):
        made.run(command("true"))
    made.close()


def test_a_connection_lost_during_a_command_is_unreachable_and_the_next_command_reconnects(
    server: SshServer, tmp_path: Path, client: str
) -> None:
    made = connect(server, tmp_path, client=client)
    made.run(command("true"))
    started = threading.Event()
    caught: list[BaseException] = []

    def wait() -> None:
        started.set()
        try:
            made.run(script("echo started; exec sleep 60"))
        except UnreachableError as error:
            caught.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    while len(server.lines) < 2:
        started.wait(0.01)
    server.cut()
    thread.join(60)
    assert "connection lost during" in str(caught[0])
    assert made.run(command("true")).ok
    made.close()


def test_a_closed_transport_does_not_reconnect(server: SshServer, tmp_path: Path, client: str) -> None:
    made = connect(server, tmp_path, client=client)
    made.close()
    made.close()
    with pytest.raises(UnreachableError, match="is closed"):
        made.run(command("true"))


def test_an_unreadable_known_hosts_file_does_not_count_as_empty(server: SshServer, tmp_path: Path, client: str) -> None:
    made = settings(server, tmp_path)
    (tmp_path / "known_hosts").unlink()
    (tmp_path / "known_hosts").symlink_to("known_hosts")
    asked: list[Any] = []
    connected = transport(client, made, tmp_path, host_key=lambda question: asked.append(question) or True)
    assert "cannot read" in refused(connected).what
    assert asked == []
