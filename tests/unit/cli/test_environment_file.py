from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from rancherctl.cli.context import CommandRun
from rancherctl.cli.env.environment_file import from_file, from_hosts, requested_environment
from rancherctl.cli.env.ssh_login import SshLogin, target_address
from rancherctl.cli.env.work_context import bundle_choice, remembered_choice
from rancherctl.errors import InvalidInputError, NotFoundError, UsageError
from rancherctl.settings import Dirs, Settings

FILE = """\
apiVersion: rancherctl.io/v1alpha1
kind: Environment
metadata: {name: demo}
spec:
  ssh: {user: root, identity: ~/.ssh/key}
  hosts:
  - {name: h1, address: 10.0.0.1, roles: [etcd, controlplane, worker]}
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandRun:
    monkeypatch.setenv("HOME", str(tmp_path))
    return CommandRun(Settings(Dirs(tmp_path / "c", tmp_path / "s", tmp_path / "k")))


def test_a_file_and_standard_input_give_the_same_environment(
    run: CommandRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(FILE)
    monkeypatch.setattr(sys, "stdin", io.StringIO(FILE))
    assert from_file(run, str(path)) == from_file(run, "-")


def test_a_tilde_in_the_file_is_the_operators_home(run: CommandRun, tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(FILE)
    assert from_file(run, str(path)).hosts[0].ssh.identity == f"{tmp_path}/.ssh/key"


def test_relative_ssh_paths_start_at_the_file_and_become_absolute(
    run: CommandRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "prod"
    folder.mkdir()
    (folder / "e.yaml").write_text(
        FILE.replace("~/.ssh/key", "keys/id").replace("user: root", "user: root, config: /etc/ssh_config")
    )
    monkeypatch.chdir(tmp_path)
    ssh = from_file(run, "prod/e.yaml").hosts[0].ssh
    assert (ssh.identity, ssh.config, ssh.known_hosts) == (f"{folder}/keys/id", "/etc/ssh_config", "")


def test_an_unknown_home_directory_is_a_usage_error(run: CommandRun, tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(FILE.replace("~/.ssh/key", "~no-such-user/key"))
    with pytest.raises(UsageError, match="no such home"):
        from_file(run, str(path))


def test_an_endless_file_is_refused(run: CommandRun) -> None:
    with pytest.raises(InvalidInputError) as caught:
        from_file(run, "/dev/zero")
    assert any("larger than" in problem for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("root@10.0.0.1", ("root", "10.0.0.1", 0)),
        ("h1:2222", ("", "h1", 2222)),
        ("root@[fd00::1]:22", ("root", "fd00::1", 22)),
        ("fd00::1", ("", "fd00::1", 0)),
    ],
)
def test_fetch_parses_user_host_and_port(target: str, found: tuple[str, str, int]) -> None:
    ssh = target_address(target, SshLogin())
    assert (ssh.user, ssh.host, ssh.port) == found


@pytest.mark.parametrize(
    "target", ["", "root@", "root@h1:", "h1:99999", "h1:x", "-oProxyCommand=x", "-l@h1", "[fd00::1]x", "a b"]
)
def test_fetch_refuses_invalid_hosts(target: str) -> None:
    with pytest.raises(UsageError, match="is not a valid host"):
        target_address(target, SshLogin())


@pytest.mark.parametrize("option", ["--identity", "--ssh-config"])
def test_a_pipe_as_ssh_option_is_refused(option: str, tmp_path: Path) -> None:
    """``--ssh-config <(…)``: each host would need it again, and later commands, too."""
    pipe = tmp_path / "63"
    os.mkfifo(pipe)
    login = SshLogin(identity=str(pipe)) if option == "--identity" else SshLogin(config=str(pipe))
    with pytest.raises(UsageError, match=f"{option} {pipe}: is a pipe, which can be read only once") as caught:
        login.address()
    assert "write its content to a file" in caught.value.hint
    assert SshLogin(config="/dev/null").address().config == "/dev/null"


def test_problems_name_the_file_and_the_place(run: CommandRun, tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(FILE.replace("address", "adress"))
    with pytest.raises(InvalidInputError) as caught:
        from_file(run, str(path))
    assert any(problem.startswith(f"{path}:7:") and "address" in problem for problem in caught.value.problems)


def test_a_missing_file_is_not_found(run: CommandRun) -> None:
    with pytest.raises(NotFoundError, match="nowhere"):
        from_file(run, "nowhere.yaml")


def test_hosts_from_flags_get_the_login_of_flags(run: CommandRun, tmp_path: Path) -> None:
    environment = from_hosts(
        run, "demo", ["ops@10.0.0.1:2222", "10.0.0.2"], "", SshLogin("~/key", "", "bastion", "openssh")
    )
    first = environment.hosts[0].ssh
    assert first.client == "openssh"
    assert (first.user, first.port, first.identity, first.jump) == ("ops", 2222, f"{tmp_path}/key", "bastion")


def test_name_and_file_must_agree(run: CommandRun, tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(FILE)
    assert requested_environment(run, "demo", str(path)).name == "demo"
    with pytest.raises(UsageError, match="describes environment 'demo', not 'prod'"):
        requested_environment(run, "prod", str(path))


def test_the_bundle_is_the_flag_then_the_setting_then_the_last_one(run: CommandRun, tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(FILE)
    run.known().save(from_file(run, str(path)), "remembered")
    assert bundle_choice(run, "demo", None) == "remembered"
    with_setting = CommandRun(Settings(run.settings.dirs, bundle="setting"))
    assert bundle_choice(with_setting, "demo", None) == "setting"
    assert bundle_choice(with_setting, "demo", "flag") == "flag"


def test_a_bundle_is_remembered_by_its_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    assert [remembered_choice(choice) for choice in ("official", "modules", "", "b", "/srv/b", "~/b")] == [
        *("official", "modules", "", f"{tmp_path}/b", "/srv/b", "/home/me/b")
    ]
