"""Login shells, accounts, banners and limits of sshd: where ``ssh HOST true`` works, our commands do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rancherctl.errors import AuthError, RancherctlError
from rancherctl.hosts.command import command
from rancherctl.hosts.connections import Connections
from rancherctl.hosts.facts import read_facts
from rancherctl.hosts.model import SshAddress, SshClient
from rancherctl.hosts.remote_call import call
from tests.fakes.openssh import Account, OpenSshServer, SshAgent
from tests.fakes.ssh_site import CLIENTS, Site, login_error, ssh_problem

SHELLS = ("sh", "bash", "dash", "zsh", "bsd-csh", "tcsh", "fish")
TALK = "echo 'Welcome to the host'\necho '{\"ok\": 1}'\n"
NOISY = {
    "noisy-bash": ("bash", ".bashrc", TALK),
    "noisy-csh": ("bsd-csh", ".cshrc", TALK),
    "noisy-zsh": ("zsh", ".zshenv", TALK),
    "noisy-fish": ("fish", ".config/fish/config.fish", TALK),
    "talks-on-stderr": ("bash", ".bashrc", "echo 'a warning' >&2\n"),
    "no-newline": ("bash", ".bashrc", "printf 'half a line'\n"),
}
REFUSING = {
    "nologin": Account("nologin", "/usr/sbin/nologin"),
    "false": Account("false", "/bin/false"),
    "no-shell": Account("no-shell", "/no/such/shell"),
    "expired": Account("expired", "/bin/sh", expires="1"),
}
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="accounts of its own need root")


@pytest.fixture(scope="module")
def host(shared_ssh_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSshServer]:
    """A server whose accounts have login shells of every kind."""
    paths = {shell: path for shell in SHELLS if (path := shutil.which(shell))}
    accounts = [Account(f"user-{shell}", path) for shell, path in paths.items()]
    accounts += [
        Account(name, paths[shell], startup={file: text})
        for name, (shell, file, text) in NOISY.items()
        if shell in paths
    ]
    folder = tmp_path_factory.mktemp("logins")
    server = OpenSshServer(folder / "server", accounts=[*accounts, *REFUSING.values()])
    server.authorize(shared_ssh_site.folder / "good")
    with server:
        yield server


def config(site: Site, server: OpenSshServer, lines: str = "", *, keys: str = "IdentityFile {d}/good") -> Path:
    known = server.folder / "known_hosts"
    known.write_text(server.known_line)
    always = f"Port {server.port}\nUserKnownHostsFile {known}\nIdentityAgent none"
    return site.config(f"{lines}\n{keys}\nIdentitiesOnly yes\n{always}")


@needs_root
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("account", [*(f"user-{shell}" for shell in SHELLS), *NOISY])
def test_our_programs_run_under_every_login_shell_and_its_output_is_not_mixed_with_theirs(
    ssh_site: Site, host: OpenSshServer, account: str, client: SshClient
) -> None:
    if account not in (host.folder / "passwd").read_text():
        pytest.skip("its shell is not installed")
    made = config(ssh_site, host, f"User {account}")
    assert ssh_problem(made) == ""
    with Connections() as connections:
        transport = connections.address(SshAddress("h", config=str(made), client=client), "h1")
        seen = call(transport, {"op": "observe", "paths": {"/etc/passwd": {"content": True}}})
        assert "/etc/passwd" in seen["paths"]
        # what a login shell makes of the command does not depend on the client
        if client == "auto":
            assert read_facts(transport).python
        transport.upload(host.folder / "host_key.pub", str(host.folder / f"copy-{account}-{client}"))
        printed = transport.run(command("printf", "%s|", "a!\nb", "\\\\c'd", "ä")).stdout
    assert printed.endswith("a!\nb|\\\\c'd|ä|".encode())
    assert (host.folder / f"copy-{account}-{client}").read_text() == (host.folder / "host_key.pub").read_text()


@needs_root
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("account", "reason"),
    [
        ("nologin", "This account is currently not available."),
        ("false", "exit status 1"),
        ("no-shell", "refused"),
        ("expired", "refused"),
    ],
)
def test_an_account_that_runs_no_commands_is_a_clear_error(
    ssh_site: Site, host: OpenSshServer, account: str, reason: str, client: SshClient
) -> None:
    made = config(ssh_site, host, f"User {account}")
    assert ssh_problem(made)
    error = login_error(made, client=client)
    assert isinstance(error, AuthError)
    assert reason in f"{error.what} {error.why}"
    assert "sudo" not in str(error)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    "banner",
    [
        b"one line\n",
        b"first\nsecond\n\nlast" * 40,
        b"\xff\xfe latin \xe4\xf6\n",
        b"long line " * 20000,
        b"\x1b[2Jbell\a\n",
        b"\n",
    ],
    ids=["one line", "several lines", "invalid UTF-8", "200 KB", "control characters", "blank"],
)
def test_a_banner_of_the_server_does_not_disturb(
    ssh_site: Site, tmp_path: Path, banner: bytes, client: SshClient
) -> None:
    (tmp_path / "banner").write_bytes(banner)
    with OpenSshServer(tmp_path / "server", f"Banner {tmp_path}/banner") as server:
        server.authorize(ssh_site.folder / "good")
        made = config(ssh_site, server)
        assert ssh_problem(made) == ""
        with Connections() as connections:
            transport = connections.address(SshAddress("h", config=str(made), client=client), "h1")
            assert transport.run(command("echo", "in")).stdout == b"in\n"


@pytest.mark.parametrize("client", CLIENTS)
def test_a_forced_command_that_refuses_is_quoted(ssh_site: Site, tmp_path: Path, client: SshClient) -> None:
    with OpenSshServer(tmp_path / "server", "ForceCommand echo 'only git is allowed here'; exit 1") as server:
        server.authorize(ssh_site.folder / "good")
        made = config(ssh_site, server)
        assert ssh_problem(made)
        with Connections() as connections, pytest.raises(RancherctlError) as caught:
            call(
                connections.address(SshAddress("h", config=str(made), client=client), "h1"),
                {"op": "observe", "paths": {}},
            )
    assert "only git is allowed here" in caught.value.why
    assert "ForceCommand" in caught.value.hint


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(("only", "works"), [("no", False), ("yes", True)])
def test_many_keys_of_an_agent_exceed_the_servers_limit_as_with_ssh(
    ssh_site: Site, tmp_path: Path, only: str, works: bool, client: SshClient
) -> None:
    with OpenSshServer(tmp_path / "server", "MaxAuthTries 3") as server, SshAgent(tmp_path / "a.sock") as agent:
        server.authorize(ssh_site.folder / "good")
        for name in ("foreign", "ca", "foreign_ca", "gate_key", "good"):
            agent.add(ssh_site.folder / name)
        known = tmp_path / "known"
        known.write_text(server.known_line)
        identity = "{d}/good.pub" if works else "none"
        made = ssh_site.config(
            f"Port {server.port}\nUserKnownHostsFile {known}\nIdentityAgent {agent.socket}\n"
            f"IdentityFile {identity}\nIdentitiesOnly {only}"
        )
        assert (ssh_problem(made) == "") is works
        error = login_error(made, client=client)
    assert (error is None) is works, error
    if error is not None:
        assert isinstance(error, AuthError)
        assert "IdentitiesOnly" in error.hint


@pytest.mark.parametrize("client", CLIENTS)
def test_a_server_that_allows_one_session_at_a_time_is_used_one_after_the_other(
    ssh_site: Site, tmp_path: Path, client: SshClient
) -> None:
    with OpenSshServer(tmp_path / "server", "MaxSessions 1") as server:
        server.authorize(ssh_site.folder / "good")
        made = config(ssh_site, server)
        assert ssh_problem(made) == ""
        with Connections() as connections:
            transport = connections.address(SshAddress("h", config=str(made), client=client), "h1")
            assert [transport.run(command("echo", word)).text() for word in ("a", "b", "c")] == ["a", "b", "c"]
