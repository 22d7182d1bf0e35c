"""``rancherctl kubectl`` and the exec plug-in where the API has no address that the operator can reach: ssh is the way."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.lab.support import Environment


@pytest.fixture
def far(shared: Environment, tmp_path: Path) -> dict[str, str]:
    """The XDG folders of an operator whose network has no way to the API's address (192.0.2.0/24 is nobody's); nothing is cached."""
    config = tmp_path / "config"
    shutil.copytree(shared.home / "config", config)
    file = config / "rancherctl/environments" / f"{shared.name}.access.json"
    access = json.loads(file.read_text())
    file.write_text(json.dumps(access | {"server": "https://192.0.2.1:6443"}))
    return {"XDG_CONFIG_HOME": str(config), "XDG_CACHE_HOME": str(tmp_path / "cache")}


def test_kubectl_goes_through_ssh_and_says_so(shared: Environment, far: dict[str, str]) -> None:
    done = shared.rancherctl("kubectl", "get", "nodes", "-o", "name", **far)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split()) == sorted(f"node/{h.name}" for h in shared.lab.hosts())
    assert "through ssh" in done.stderr
    missing = shared.rancherctl("kubectl", "get", "node", "nope", **far)
    assert missing.returncode == 1
    assert not list((Path(far["XDG_CACHE_HOME"]) / "rancherctl/kubeconfigs").glob("*")), (
        "the tunnel's kubeconfig goes with it"
    )


def test_where_the_api_is_reachable_there_is_no_tunnel(shared: Environment) -> None:
    done = shared.rancherctl("kubectl", "get", "nodes", "-o", "name")
    assert done.returncode == 0, done.stderr
    assert "ssh" not in done.stderr
