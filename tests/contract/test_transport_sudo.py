"""sudo over ssh: passwords, prompts and refusals."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rancherctl.errors import AuthError
from rancherctl.hosts.command import Secret, command
from rancherctl.hosts.transport import RemoteTransport
from tests.fakes.ssh_client import connect
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


def test_a_wrong_sudo_password_is_an_authentication_error(server: SshServer, tmp_path: Path, client: str) -> None:
    server.sudo("asks")
    error = refused(connect(server, tmp_path, client=client, user="ops", sudo=lambda login: Secret("wrong")))
    assert "sudo password is wrong" in error.what
    assert error.exit_code == 4
    assert not [line for line in server.lines if "wrong" in line]


def test_wrong_sudo_password_never_reaches_the_input(server: SshServer, tmp_path: Path, client: str) -> None:
    server.sudo("asks")
    made = connect(server, tmp_path, client=client, user="ops", sudo=lambda login: Secret("wrong"))
    with pytest.raises(AuthError):
        made.run(command("tee", str(tmp_path / "out"), stdin="right\nright\n"))
    made.close()
    assert not (tmp_path / "out").exists()


def test_after_a_wrong_sudo_password_it_is_asked_for_again_and_the_command_runs_once(
    server: SshServer, tmp_path: Path
) -> None:
    server.sudo("asks")
    answers, events = iter(["wrong", "right"]), []
    client = connect(
        server,
        tmp_path,
        user="ops",
        sudo=lambda login: Secret(next(answers)),
        sudo_refused=lambda login, password: events.append(("refused", str(password))) or True,
        sudo_accepted=lambda login, password: events.append(("accepted", str(password))),
    )
    assert client.run(command("tee", "-a", str(tmp_path / "out"), stdin="once\n")).ok
    assert client.run(command("true")).ok
    client.close()
    assert (tmp_path / "out").read_text() == "once\n"
    assert events == [("refused", "wrong"), ("accepted", "right")]


def assert_only_its_input_arrives(server: SshServer, tmp_path: Path, client: str) -> None:
    """A command that copies its input runs under sudo and does not read the password."""
    made = connect(server, tmp_path, client=client, user="ops", sudo=lambda login: Secret("right"))
    assert made.run(command("tee", str(tmp_path / "out"), stdin="mine\n")).ok
    made.close()
    assert (tmp_path / "out").read_text() == "mine\n"


def test_a_password_that_sudo_does_not_ask_for_is_not_sent(server: SshServer, tmp_path: Path, client: str) -> None:
    """sudoers may require one for the command of the detection but not for this one, which would read it as input."""
    server.sudo("quiet")
    assert_only_its_input_arrives(server, tmp_path, client)


def test_a_sudo_with_its_own_prompt_gets_the_password_after_a_pause(
    server: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: str
) -> None:
    monkeypatch.setattr("rancherctl.hosts.session.PROMPT_LIMIT", 0.2)
    server.sudo("own-words")
    assert_only_its_input_arrives(server, tmp_path, client)


def test_sudo_rs_gets_the_password_at_its_own_prompt(
    server: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: str
) -> None:
    """Releases that ignore ``-p``; without the prompt the password would be sent after a pause, here a long one."""
    monkeypatch.setattr("rancherctl.hosts.session.PROMPT_LIMIT", 3600.0)
    server.sudo("sudo-rs")
    assert_only_its_input_arrives(server, tmp_path, client)


def test_a_password_that_sudo_rs_refuses_is_wrong(server: SshServer, tmp_path: Path, client: str) -> None:
    server.sudo("sudo-rs")
    error = refused(connect(server, tmp_path, client=client, user="ops", sudo=lambda login: Secret("no")))
    assert "sudo password is wrong" in error.what
    assert "sudo-rs: Authentication" in error.why


def test_a_missing_sudo_password_is_an_authentication_error(server: SshServer, tmp_path: Path, client: str) -> None:
    server.sudo("asks")
    assert "sudo asks for a password" in refused(connect(server, tmp_path, client=client, user="ops")).what


def test_a_login_that_may_not_use_sudo_is_refused(server: SshServer, tmp_path: Path, client: str) -> None:
    server.sudo("refused")
    error = refused(connect(server, tmp_path, client=client, user="ops", sudo=lambda login: Secret("right")))
    assert "sudo refused" in error.what
    assert "not in the sudoers file" in error.why


def test_command_without_root_needs_no_sudo(server: SshServer, tmp_path: Path, client: str) -> None:
    server.sudo("refused")
    made = connect(server, tmp_path, client=client, user="ops")
    assert made.run(command("true", root=False)).ok
    made.close()


def test_the_sudo_password_is_asked_for_once_for_many_commands(server: SshServer, tmp_path: Path, client: str) -> None:
    server.sudo("asks")
    asked: list[str] = []
    made = connect(
        server, tmp_path, client=client, user="ops", sudo=lambda login: asked.append(str(login)) or Secret("right")
    )
    threads = [threading.Thread(target=made.run, args=(command("true"),)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made.close()
    assert asked == ["ops@h1"]
    assert server.connections == 1
