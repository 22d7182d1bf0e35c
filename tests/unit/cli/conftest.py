"""Fixtures of the command line's tests: the folders of an operator, and commands that run in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rancherctl.bundle.model import Bundle, manifest
from rancherctl.cli import app
from rancherctl.cli.known_environments import KnownEnvironments
from rancherctl.errors import RancherctlError
from rancherctl.settings import dirs
from tests.fakes.env_operations import CREATE, Call, applying


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KnownEnvironments:
    """The known environments in empty folders, which all commands of the test use."""
    environ = {f"XDG_{kind}_HOME": str(tmp_path / kind) for kind in ("CONFIG", "STATE", "CACHE")} | {
        "HOME": str(tmp_path)
    }
    for name, value in {**environ, "CI": "true", "KUBECONFIG": str(tmp_path / "kubeconfig")}.items():
        monkeypatch.setenv(name, value)
    return KnownEnvironments(dirs(environ))


@pytest.fixture
def call(
    known: KnownEnvironments, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Call]:
    """Run a command in this process, without resolving a bundle: its exit code, and standard output and error."""
    empty = Bundle(Path(), manifest("1.36.3", "amd64", "", ()))
    monkeypatch.setattr("rancherctl.cli.env.work_context.resolve", lambda *args: empty)

    def run(*words: str) -> tuple[int, str]:
        code = app.main(words)
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    yield run
    monkeypatch.setattr("rancherctl.cli.context.state.log", None)


@pytest.fixture
def stored_file(call: Call, known: KnownEnvironments, monkeypatch: pytest.MonkeyPatch) -> str:
    """The file of the environment demo, which an interrupted create has stored."""
    applying(monkeypatch, RancherctlError("cut"), begun=True)
    call(*CREATE)
    return known.file("demo").read_text(encoding="utf-8")
