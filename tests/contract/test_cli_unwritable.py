"""What is said where nothing can be written: the file that was meant, and the variable that moves it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.fakes.surroundings import STRANGER, closed_folders, full_home, read_only_home, run, signed_in_home


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return signed_in_home(tmp_path)


def test_an_error_of_a_write_names_the_file_and_not_its_temporary_copy(home: Path) -> None:
    done = run("env use", home, read_only_home(home))
    assert done.returncode == 1
    assert f"error: cannot use {home}/.config/rancherctl/current\n" in done.stderr
    assert "next: set XDG_CONFIG_HOME to a folder that you can write, or HOME" in done.stderr


def test_a_full_disk_is_named_with_the_file(home: Path) -> None:
    done = run("env use", home, full_home(home))
    assert done.returncode == 1
    assert f"error: cannot use {home}/.config/rancherctl/current\n  why:  No space left on device" in done.stderr
    assert "next: free some disk space, or set XDG_CONFIG_HOME" in done.stderr


def test_a_kubeconfig_on_a_full_disk_is_neither_changed_nor_locked(home: Path) -> None:
    kubeconfig = home / ".kube" / "config"
    kubeconfig.parent.mkdir()
    kubeconfig.write_text("{}")
    before, environ, redirected = full_home(home)
    script = before[-2].replace('exec "$@"', '"$@"; code=$?; ls -A "$HOME/.kube"; cat "$HOME/.kube/config"; exit $code')
    done = run("kubeconfig merge", home, ((*before[:-2], script, "sh"), environ, redirected))
    assert (done.returncode, done.stdout) == (1, "config\n{}"), done.stderr
    assert "next: free some disk space" in done.stderr


def test_a_kubeconfig_in_a_read_only_folder_names_another_place(home: Path) -> None:
    (home / ".kube").mkdir()
    (home / ".kube/config").write_text("{}")
    done = run("kubeconfig merge", home, read_only_home(home))
    assert done.returncode == 1
    assert "or select another file with --kubeconfig or $KUBECONFIG" in done.stderr
    shutil.rmtree(home / ".kube")
    done = run("kubeconfig merge", home, read_only_home(home))
    assert "next: set KUBECONFIG to a file that you can write, or use --kubeconfig" in done.stderr


def test_a_token_that_cannot_be_kept_names_the_cache(home: Path) -> None:
    done = run("ingress ls", home, read_only_home(home))
    assert "cannot use" in done.stderr
    assert "demo.lock: Read-only file system; set XDG_CACHE_HOME to a folder that you can write, or HOME" in done.stderr


@pytest.mark.skipif(not shutil.which("kubectl"), reason="needs kubectl")
@pytest.mark.parametrize("surroundings", [read_only_home, full_home, closed_folders])
def test_kubectl_runs_with_a_kubeconfig_in_memory_if_the_cache_cannot_be_written(
    home: Path, surroundings: object
) -> None:
    assert callable(surroundings)
    done = run("kubectl", home, surroundings(home))
    for folder in (home / ".cache/rancherctl", home / ".local/state/rancherctl"):
        if folder.exists():
            folder.chmod(0o700)
    assert done.returncode == 0, done.stderr
    assert "server: https://127.0.0.1:1" in done.stdout


@pytest.mark.parametrize("closed", [".config/rancherctl", ".config/rancherctl/environments"])
def test_an_error_of_a_closed_configuration_folder_says_how_to_open_it(home: Path, closed: str) -> None:
    folder = home / closed
    folder.chmod(0)
    try:
        done = run("env ls", home, (STRANGER, {}, ""))
    finally:
        folder.chmod(0o700)
    assert done.returncode == 1
    assert f"cannot read {home}/.config/rancherctl/" in done.stderr
    assert "sudo chown -R" in done.stderr


def test_the_home_of_debian_system_users_is_not_created(home: Path) -> None:
    done = run("env use", home, ((), {"HOME": "/nonexistent"}, ""))
    assert done.returncode == 3
    assert not Path("/nonexistent").exists()
