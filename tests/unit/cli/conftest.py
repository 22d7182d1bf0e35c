"""Fixtures of the command line's tests: the folders of an operator."""

from __future__ import annotations

from pathlib import Path

import pytest

from rancherctl.cli.known_environments import KnownEnvironments
from rancherctl.settings import dirs


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KnownEnvironments:
    """The known environments in empty folders, which all commands of the test use."""
    environ = {f"XDG_{kind}_HOME": str(tmp_path / kind) for kind in ("CONFIG", "STATE", "CACHE")} | {
        "HOME": str(tmp_path)
    }
    for name, value in {**environ, "CI": "true", "KUBECONFIG": str(tmp_path / "kubeconfig")}.items():
        monkeypatch.setenv(name, value)
    return KnownEnvironments(dirs(environ))
