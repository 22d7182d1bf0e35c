"""``rancherctl kubeconfig``: output, written files, exit codes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from rancherctl.cli import app, context
from rancherctl.credentials.registry import Access, Registry

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    """An operator signed in to ``demo``, with foreign entries in the kubeconfig file."""
    for name in [n for n in os.environ if n.startswith("RANCHERCTL_")]:
        monkeypatch.delenv(name)
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    monkeypatch.setattr(context, "state", context.RunState())
    monkeypatch.setattr(app, "_watch_signals", lambda: None)
    known = tmp_path / "XDG_CONFIG_HOME/rancherctl/environments"
    Registry(known).save(Access("demo", "https://10.0.0.1:6443", "PEM\n", "op", "s", uid="uid-1"))
    (known / "demo.yaml").touch()
    other = {"name": "work", "context": {"cluster": "c", "user": "u"}}
    (tmp_path / "config").write_text(
        json.dumps({"apiVersion": "v1", "kind": "Config", "contexts": [other], "current-context": "work"})
    )

    def run(*words: str) -> tuple[int, str, str]:
        code = app.main(["kubeconfig", *words])
        out = capsys.readouterr()
        return code, out.out, out.err

    return run


def written(tmp_path: Path) -> Any:
    return yaml.safe_load((tmp_path / "config").read_text())


def test_merge_names_the_file_and_changes_nothing_the_second_time(call: Call, tmp_path: Path) -> None:
    assert call("merge", "demo", "--no-use")[::2] == (
        0,
        f"context demo written to {tmp_path}/config\nnext: kubectl --context demo get nodes\n",
    )
    before = (tmp_path / "config").read_bytes()
    assert "is up to date in" in call("merge", "--no-use")[2]
    assert (tmp_path / "config").read_bytes() == before
    assert written(tmp_path)["current-context"] == "work"
    call("merge")
    assert written(tmp_path)["current-context"] == "demo"


def test_merge_handles_a_name_that_another_entry_has(call: Call, tmp_path: Path) -> None:
    code, out, err = call("merge", "demo", "--context-name", "work")
    assert (code, out, "--on-conflict rename" in err) == (5, "", True)
    assert "context work-2 written to" in call("merge", "demo", "--context-name", "work", "--on-conflict", "rename")[2]
    assert [row["name"] for row in written(tmp_path)["contexts"]] == ["work", "work-2"]


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31m", "\udcff"])
def test_a_name_with_control_characters_is_refused(call: Call, tmp_path: Path, name: str) -> None:
    for verb in ("merge", "show"):
        code, out, err = call(verb, "demo", "--context-name", name)
        assert (code, out, "control characters" in err) == (2, "", True)
    assert written(tmp_path)["current-context"] == "work"


def test_show_prints_a_complete_kubeconfig(call: Call, tmp_path: Path) -> None:
    code, out, err = call("show", "demo")
    assert (code, err) == (0, "")
    data = yaml.safe_load(out)
    assert [len(data[kind]) for kind in ("clusters", "users", "contexts")] == [1, 1, 1]
    assert Path(data["users"][0]["user"]["exec"]["command"]).is_absolute()
    assert json.loads(call("show", "demo", "-o", "json")[1]) == data
    assert call("show", "demo", "-o", "name")[1] == "demo\n"
    if kubectl := shutil.which("kubectl"):
        (tmp_path / "alone").write_text(out)
        argv = [
            kubectl,
            "--kubeconfig",
            str(tmp_path / "alone"),
            "config",
            "view",
            "--minify",
            "-o",
            "jsonpath={.clusters[0].cluster.server}",
        ]
        assert (
            subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout
            == "https://10.0.0.1:6443"
        )


def test_rm_removes_what_merge_added(call: Call, tmp_path: Path) -> None:
    before = written(tmp_path)
    call("merge", "demo", "--context-name", "mine", "--no-use")
    assert call("rm", "demo")[::2] == (0, f"environment demo removed from {tmp_path}/config\n")
    assert written(tmp_path) == {**before, "clusters": [], "users": []}
    code, _, err = call("rm", "demo")
    assert (code, "no entries of environment 'demo'" in err) == (3, True)
