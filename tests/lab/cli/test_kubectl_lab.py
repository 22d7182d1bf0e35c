"""``rancherctl kubectl`` and the exec plug-in connect through ssh if the API is not reachable directly."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.lab.support import Environment


@pytest.fixture
def unreachable(shared: Environment, tmp_path: Path) -> dict[str, str]:
    """XDG folders of an operator with an unreachable API address (192.0.2.0/24) and an empty cache."""
    config = tmp_path / "config"
    shutil.copytree(shared.home / "config", config)
    file = config / "rancherctl/environments" / f"{shared.name}.access.json"
    access = json.loads(file.read_text())
    file.write_text(json.dumps(access | {"server": "https://192.0.2.1:6443"}))
    return {"XDG_CONFIG_HOME": str(config), "XDG_CACHE_HOME": str(tmp_path / "cache")}


def test_kubectl_connects_through_ssh_and_prints_a_notice(shared: Environment, unreachable: dict[str, Any]) -> None:
    done = shared.rancherctl("kubectl", "get", "nodes", "-o", "name", **unreachable)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split()) == sorted(f"node/{h.name}" for h in shared.lab.hosts())
    assert "through ssh" in done.stderr
    missing = shared.rancherctl("kubectl", "get", "node", "nope", **unreachable)
    assert missing.returncode == 1
    assert not list((Path(unreachable["XDG_CACHE_HOME"]) / "rancherctl/kubeconfigs").glob("*")), (
        "the kubeconfig of the tunnel is removed with it"
    )


def test_a_reachable_api_needs_no_tunnel(shared: Environment) -> None:
    done = shared.rancherctl("kubectl", "get", "nodes", "-o", "name")
    assert done.returncode == 0, done.stderr
    assert "ssh" not in done.stderr
