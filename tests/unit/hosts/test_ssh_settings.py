"""Connection settings from ``ssh -G``."""

from __future__ import annotations

import getpass
import os
import shlex
from pathlib import Path

import pytest

from rancherctl.errors import UsageError
from rancherctl.hosts.jump_hosts import jumps
from rancherctl.hosts.model import SshAddress
from rancherctl.hosts.ssh_settings import DEFAULT_KNOWN_HOSTS, arguments, parse, resolve, settings_of
from rancherctl.hosts.ssh_tokens import split_paths

RESOLVED = """host h2
user admin
hostname 10.77.5.12
port 2222
identitiesonly yes
identityfile ~/.ssh/id_ed25519
identityfile /keys/second
userknownhostsfile /a/known /b/known
globalknownhostsfile none
proxyjump none
proxycommand none
serveraliveinterval 0
"""


def test_the_resolved_configuration_is_parsed() -> None:
    found = settings_of(SshAddress("h2"), parse(RESOLVED), {"SSH_AUTH_SOCK": "/run/agent"})
    assert (found.host, found.port, found.user) == ("10.77.5.12", 2222, "admin")
    assert found.identities == (f"{Path.home()}/.ssh/id_ed25519", "/keys/second")
    assert found.identities_only
    assert found.known_hosts == ("/a/known", "/b/known")
    assert found.jump == ()
    assert found.proxy_command == ""
    assert found.keepalive == 15
    assert found.agent == "/run/agent"


def test_fields_of_the_address_take_precedence() -> None:
    found = settings_of(
        SshAddress("h2", user="root", identity="/mine", known_hosts="/only", jump="ops@b:2200"), parse(RESOLVED)
    )
    assert (found.user, found.identities, found.known_hosts) == ("root", ("/mine",), ("/only",))
    assert found.jump == (SshAddress("b", user="ops", port=2200, identity="/mine", known_hosts="/only"),)


def test_defaults_apply_without_configuration() -> None:
    found = settings_of(SshAddress("h", user="u"), {})
    assert (found.host, found.port, found.known_hosts) == ("h", 22, DEFAULT_KNOWN_HOSTS)


@pytest.mark.parametrize(
    ("value", "socket"),
    [
        ([], "/auth"),
        (["SSH_AUTH_SOCK"], "/auth"),
        (["$OTHER"], "/other"),
        (["$UNSET"], ""),
        (["${OTHER}.sock"], "/other.sock"),
        (["/agents/%r@%h:%p"], "/agents/u@h:22"),
        (["none"], ""),
    ],
)
def test_the_agent_is_the_one_of_the_configuration(value: list[str], socket: str) -> None:
    environ = {"SSH_AUTH_SOCK": "/auth", "OTHER": "/other"}
    assert settings_of(SshAddress("h", user="u"), {"identityagent": value}, environ).agent == socket


def test_tokens_and_variables_of_identity_files_are_expanded() -> None:
    found = settings_of(
        SshAddress("name", user="ops"),
        {
            "hostname": ["10.0.0.1"],
            "identityfile": ["%d/a", "~root/b", "${KEYS}/%r-%h-%n-%p-100%%", "none"],
            "certificatefile": ["${KEYS}/%r.pub"],
        },
        {"KEYS": "/k%r"},
    )
    root = Path("~root").expanduser()
    assert found.identities == (f"{Path.home()}/a", f"{root}/b", "/k%r/ops-10.0.0.1-name-22-100%")
    assert found.certificates == ("/k%r/ops.pub",)


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("${MISSING}/k", "IdentityFile ${MISSING}/k: the environment variable MISSING is not set"),
        ("/k/%q", "IdentityFile /k/%q: unknown token %q"),
        ("~no-such-user/k", "IdentityFile ~no-such-user/k: no such user"),
    ],
)
def test_an_identity_file_that_cannot_be_expanded_names_its_keyword(path: str, what: str) -> None:
    with pytest.raises(UsageError) as caught:
        settings_of(SshAddress("h", user="u"), {"identityfile": [path]}, {})
    assert caught.value.what == what
    assert "IdentityFile" in caught.value.hint


def test_tokens_of_the_proxy_command_are_expanded() -> None:
    found = settings_of(SshAddress("h", user="u"), {"proxycommand": ["nc -X 5 %h %p"], "hostname": ["10.0.0.1"]})
    assert found.proxy_command == "nc -X 5 10.0.0.1 22"


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("a", [("", "a", 0)]),
        ("u@a:22,b", [("u", "a", 22), ("", "b", 0)]),
        ("ssh://u@[2001:db8::1]:2200", [("u", "2001:db8::1", 2200)]),
        ("2001:db8::1", [("", "2001:db8::1", 0)]),
    ],
)
def test_a_list_of_jump_hosts_is_parsed(text: str, hosts: list[tuple[str, str, int]]) -> None:
    assert [(jump.user, jump.host, jump.port) for jump in jumps(text, SshAddress("h"))] == hosts


def test_more_than_five_jump_hosts_are_refused() -> None:
    with pytest.raises(UsageError, match="more than 5 jump hosts"):
        jumps("a,b,c,d,e,f", SshAddress("h"))


def test_arguments_of_the_ssh_call() -> None:
    home = str(Path.home())
    assert arguments(SshAddress("h", user="u", port=7, config="~/c")) == [
        "ssh",
        "-G",
        "-F",
        f"{home}/c",
        "-p",
        "7",
        "-l",
        "u",
        "--",
        "h",
    ]


@pytest.mark.parametrize("address", [SshAddress("-oProxyCommand=x"), SshAddress(""), SshAddress("h", user="-x")])
def test_a_host_that_ssh_would_read_as_an_option_is_refused(address: SshAddress) -> None:
    with pytest.raises(UsageError, match="not a valid host"):
        arguments(address)


@pytest.mark.parametrize("text", ["b:abc", "[::1]:x", "a,b:22x"])
def test_an_invalid_port_of_a_jump_host_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a valid jump host"):
        jumps(text, SshAddress("h1"))


def test_a_user_id_without_an_entry_in_the_user_database_can_log_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSH refuses to run at all in such a container; the configuration is then read without it."""
    fake = tmp_path / "ssh"
    fake.write_text("#!/bin/sh\necho 'No user exists for uid 12345' >&2\nexit 255\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert resolve(SshAddress("h", user="ops")) is None

    def no_user() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr(getpass, "getuser", no_user)
    assert settings_of(SshAddress("h", user="ops"), {"identityfile": ["%d/%u"]}, {"HOME": "/h"}).identities == (
        f"/h/{os.getuid()}",
    )


@pytest.mark.parametrize(
    ("printed", "existing", "paths"),
    [
        ("/a/known /b/known", "", ("/a/known", "/b/known")),
        ("/a b /c", "/a b", ("/a b", "/c")),
        ("/a b /c", "", ("/a b", "/c")),
        ("/a /b", "/a /b", ("/a /b",)),
        ("/a /b c /d", "/a", ("/a", "/b c", "/d")),
        ("known hosts ~/k", "", ("known hosts", "~/k")),
        ("", "", ()),
    ],
)
def test_paths_with_spaces_are_separated_although_ssh_prints_them_without_quotes(
    printed: str, existing: str, paths: tuple[str, ...]
) -> None:
    assert split_paths(printed, lambda path: path == existing) == paths


def test_the_home_directory_is_the_one_of_the_user_database() -> None:
    """Containers of CI systems often set $HOME to another folder, which OpenSSH ignores."""
    keywords = {"identityfile": ["~/.ssh/id_rsa", "%d/key", "~"]}
    found = settings_of(SshAddress("h"), keywords, {"HOME": "/github/home"}, home="/root")
    assert found.identities == ("/root/.ssh/id_rsa", "/root/key", "/root")


def test_proxy_jump_and_proxy_command_have_the_tokens_of_openssh() -> None:
    tokens = {"hostname": ["10.0.0.1"], "port": ["2222"], "user": ["ops"], "hostkeyalias": ["alias"]}
    jump = settings_of(SshAddress("web"), {**tokens, "proxyjump": ["%r@gate-%n:%p"]}).jump
    assert [(host.user, host.host, host.port) for host in jump] == [("ops", "gate-web", 2222)]
    command = settings_of(SshAddress("web"), {**tokens, "proxycommand": ["nc %h %p %k %n"]}).proxy_command
    assert command == "nc 10.0.0.1 2222 alias web"


def test_the_command_to_try_by_hand_connects_like_the_run() -> None:
    address = SshAddress("192.0.2.7", user="ops", port=2222, config="/etc/my config")
    assert shlex.join(arguments(address, "-v")) == "ssh -v -F '/etc/my config' -p 2222 -l ops -- 192.0.2.7"
