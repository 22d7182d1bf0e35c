"""``rancherctl bundle`` as a user runs it: what is printed where, and exit codes."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from rancherctl.bundle.pause.elf import pause_binary
from rancherctl.bundle.sources.base import wanted
from rancherctl.bundle.versions import DEFAULT, TABLE, versions_for
from rancherctl.cli import app, context


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    for name in [n for n in os.environ if n.startswith("RANCHERCTL_")]:
        monkeypatch.delenv(name)
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setattr(context, "state", context.RunState())
    monkeypatch.setattr(app, "_watch_signals", lambda: None)

    def call(*words: str) -> tuple[int, str, str]:
        code = app.main(["bundle", *words])
        out = capsys.readouterr()
        return code, out.out, out.err

    return call


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    folder = tmp_path / "programs"
    folder.mkdir()
    for _, _, name in wanted(versions_for(DEFAULT)):
        (folder / name).write_bytes(pause_binary("amd64"))
    return folder


def test_versions_are_listed_as_a_table_and_as_json(run: Any) -> None:
    code, out, _ = run("versions")
    assert (code, len(out.splitlines())) == (0, 1 + len(TABLE))
    code, out, _ = run("versions", "-o", "json")
    listed = json.loads(out)
    assert listed["kind"] == "BundleVersionList"
    assert [item["kubernetes"] for item in listed["items"] if item["default"]] == [DEFAULT]


def test_a_bundle_is_created_in_the_cache_or_a_directory_and_verified(
    run: Any, programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = run("create", "--source", str(programs), "-o", "json")
    made = json.loads(out)
    assert (code, made["kind"], made["kubernetes"]) == (0, "Bundle", DEFAULT)
    assert Path(made["path"]).parent == tmp_path / "XDG_CACHE_HOME" / "rancherctl" / "bundles"
    assert "bundle" in err
    code, out, _ = run("create", "--source", str(programs), "--dir", str(tmp_path / "b"), "-o", "json")
    assert (code, json.loads(out)["digest"]) == (0, made["digest"])
    monkeypatch.setenv("HOME", str(tmp_path))
    code, out, err = run("create", f"--source=~/{programs.name}", "--dir=~/c", "-o", "json")
    assert (code, json.loads(out)["path"]) == (0, str(tmp_path / "c")), "shells leave such a tilde as it is"
    code, out, err = run("verify", str(tmp_path / "b"))
    assert (code, made["digest"] in out, "verified " in err) == (0, True, True)


def test_all_problems_of_a_damaged_bundle_are_reported(run: Any, programs: Path, tmp_path: Path) -> None:
    run("create", "--source", str(programs), "--dir", str(tmp_path / "b"))
    (tmp_path / "b/cni/1.9.1/ptp").unlink()
    (tmp_path / "b/cni/1.9.1/extra").touch()
    code, out, err = run("verify", str(tmp_path / "b"))
    assert (code, out) == (2, "")
    assert "cni/1.9.1/ptp: missing" in err
    assert "cni/1.9.1/extra: not in the manifest" in err


def test_wrong_options_are_usage_errors_with_a_hint(run: Any, programs: Path, tmp_path: Path) -> None:
    code, _, err = run("create", "--source", str(programs), "--kubernetes", "1.36.5")
    assert (code, "did you mean 1.36.3?" in err) == (2, True)
    code, _, err = run("create", "--source", str(programs), "--packages", "debian11")
    assert (code, "known are debian12, debian13, ubuntu24.04" in err) == (2, True)
    code, _, err = run("create", "--source", str(programs), "--packages", f"debian13={programs}")
    assert (code, "bind9 is missing" in err, "--download-only" in err) == (2, True, True)
    assert run("create", "--source", str(tmp_path / "none"))[0] == 3
    assert run("verify", str(tmp_path))[0] == 3
    assert run("create")[0] == 2
