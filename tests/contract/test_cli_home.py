"""The user's folders as containers and CI have them: no home directory, a read-only one, one that root owns."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CLI = "import sys; from rancherctl.cli.app import main; sys.exit(main(sys.argv[1:]))"
PLUGIN = "import sys; from rancherctl.credentials.plugin import main; sys.exit(main(sys.argv[1:]))"
STRANGER = ("unshare", "--user", "--map-user=12345", "--map-group=12345")
"""A user id without a passwd entry."""


def run(program: str, *words: str, before: tuple[str, ...] = (), **environ: str) -> subprocess.CompletedProcess[str]:
    """One run with a small environment; ``before`` is a command that runs it."""
    if before and subprocess.run([*before, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs user namespaces")
    argv = [*before, sys.executable, "-c", program, *words]
    env = {"PATH": "/usr/bin:/bin", "CI": "true", **environ}
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("words", [("env", "ls"), ("kubeconfig", "rm", "x"), ("env", "use", "x")], ids=" ".join)
def test_without_a_home_directory_commands_name_the_variable_to_set(words: tuple[str, ...]) -> None:
    done = run(CLI, *words, before=STRANGER)
    assert done.returncode in (0, 3)
    assert "set XDG_STATE_HOME to a folder that you can write, or HOME" in done.stderr.splitlines()[0]
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr


def test_without_a_home_directory_the_xdg_folders_are_enough(tmp_path: Path) -> None:
    folders = {f"XDG_{kind}_HOME": str(tmp_path / kind) for kind in ("CONFIG", "STATE", "CACHE")}
    done = run(CLI, "env", "ls", before=STRANGER, **folders)
    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("no environments found")


def test_without_a_home_directory_the_plugin_fails_with_a_message() -> None:
    done = run(PLUGIN, "--env", "demo", before=STRANGER)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("rancherctl-credential: no credentials for environment 'demo'")


READ_ONLY = ("unshare", "--mount", "--map-root-user", "sh", "-c")


def read_only(home: Path) -> tuple[str, ...]:
    """A command that runs its arguments while ``home`` is mounted read-only."""
    return (*READ_ONLY, f'mount --bind "{home}" "{home}" && mount -o remount,bind,ro "{home}" && exec "$@"', "sh")


def test_a_read_only_home_serves_commands_that_only_read(tmp_path: Path) -> None:
    done = run(CLI, "env", "ls", before=read_only(tmp_path), HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    warning, empty = done.stderr.splitlines()
    assert warning.startswith(f"warning: cannot write a log file in {tmp_path}/.local/state/rancherctl/log: Read-only")
    assert warning.endswith("set XDG_STATE_HOME to a folder that you can write, or HOME")
    assert empty.startswith("no environments found")


def test_a_write_to_a_read_only_home_names_the_variable_that_moves_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "rancherctl" / "environments"
    folder.mkdir(parents=True)
    (folder / "demo.yaml").touch()
    done = run(CLI, "env", "use", "demo", before=read_only(tmp_path), HOME=str(tmp_path))
    assert done.returncode == 1
    assert "cannot use" in done.stderr
    assert "next: set XDG_CONFIG_HOME to a folder that you can write, or HOME" in done.stderr


@pytest.mark.parametrize("words", [("env", "ls"), ("env", "ls", "-o", "name"), ("env", "show", "demo")], ids=" ".join)
@pytest.mark.parametrize("closed", [".config/rancherctl", ".config/rancherctl/environments"])
def test_a_configuration_folder_of_another_user_is_an_error(
    tmp_path: Path, words: tuple[str, ...], closed: str
) -> None:
    folder = tmp_path / ".config" / "rancherctl" / "environments"
    folder.mkdir(parents=True)
    (folder / "demo.yaml").touch()
    (tmp_path / closed).chmod(0)
    try:
        done = run(CLI, *words, before=STRANGER, HOME=str(tmp_path))
    finally:
        (tmp_path / closed).chmod(0o700)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Permission denied" in done.stderr
    assert f"{tmp_path}/.config/rancherctl" in done.stderr
    assert "internal error" not in done.stderr
