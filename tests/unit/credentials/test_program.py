"""The command of the exec plug-in in kubeconfig files."""

from __future__ import annotations

from pathlib import Path

import pytest

from rancherctl.credentials import program


def installed(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(0o755)
    return str(path)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hides the installation that runs the test."""
    monkeypatch.setattr("sys.argv", ["pytest"])
    monkeypatch.setattr("sys.executable", str(tmp_path / "python/python3"))
    monkeypatch.setattr(
        "sysconfig.get_path", lambda name, scheme: str(tmp_path / ("user" if scheme.endswith("user") else "system"))
    )
    monkeypatch.setenv("PATH", str(tmp_path / "path"))


def test_the_plugin_is_named_by_path_even_if_it_is_on_PATH(tmp_path: Path) -> None:
    """Cron jobs, editors and other shells may have another PATH."""
    assert program.command() == "rancherctl-credential", "there is none"
    found = installed(tmp_path / "path/rancherctl-credential")
    assert program.command() == found


def test_the_plugin_is_found_in_the_scripts_folder_of_an_installation(tmp_path: Path) -> None:
    user = installed(tmp_path / "user/rancherctl-credential")
    assert program.command() == user
    system = installed(tmp_path / "system/rancherctl-credential")
    assert program.command() == system
    beside_python = installed(tmp_path / "python/rancherctl-credential")
    assert program.command() == beside_python


def test_the_folder_of_the_called_program_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path / "python/rancherctl-credential")
    linked = installed(tmp_path / "links/rancherctl-credential")
    monkeypatch.chdir(tmp_path)
    for name in ("rancherctl", "kubectl-rancher"):
        monkeypatch.setattr("sys.argv", [f"links/{name}", "kubeconfig", "show"])
        assert program.command() == linked
    for other in ("links/another", "rancherctl"):
        monkeypatch.setattr("sys.argv", [other, "kubeconfig", "show"])
        monkeypatch.chdir(tmp_path / "links")
        assert program.command() != linked
