"""How kubeconfig files name the exec plug-in."""

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
    """Nothing of this test's own installation counts."""
    monkeypatch.setattr("sys.argv", ["pytest"])
    monkeypatch.setattr("sys.executable", str(tmp_path / "python/python3"))
    monkeypatch.setattr(
        "sysconfig.get_path", lambda name, scheme: str(tmp_path / ("user" if scheme.endswith("user") else "system"))
    )
    monkeypatch.setenv("PATH", str(tmp_path / "path"))


def test_it_is_a_path_also_where_a_shell_would_find_the_word(tmp_path: Path) -> None:
    """Cron jobs, editors and other shells have another PATH than the one that the file was made with."""
    assert program.command() == "rancherctl-credential", "there is none"
    found = installed(tmp_path / "path/rancherctl-credential")
    assert program.command() == found


def test_an_installation_for_one_user_or_the_whole_system_has_it_elsewhere_than_python(tmp_path: Path) -> None:
    user = installed(tmp_path / "user/rancherctl-credential")
    assert program.command() == user
    system = installed(tmp_path / "system/rancherctl-credential")
    assert program.command() == system
    beside_python = installed(tmp_path / "python/rancherctl-credential")
    assert program.command() == beside_python


def test_beside_the_program_that_was_called_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
